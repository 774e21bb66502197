"""Invents people: the shape of the head, the colours of skin and hair, all from one random generator."""

import dataclasses

import numpy as np
import raster
from assets import Head, morph
from paint import Looks, hair_alpha
from studio import linear

ANCESTRIES = ("african", "asian", "caucasian")

# Opposite targets of the head: (common beginning, ending if negative, ending if positive, deviation).
SHAPE_PAIRS = (
    ("head/head-scale-horiz-", "decr", "incr", 0.22),
    ("head/head-scale-vert-", "decr", "incr", 0.1),
    ("head/head-fat-", "decr", "incr", 0.4),
    ("head/head-angle-", "in", "out", 0.3),
    ("forehead/forehead-nubian-", "decr", "incr", 0.2),
    ("forehead/forehead-scale-vert-", "decr", "incr", 0.1),
    ("forehead/forehead-temple-", "decr", "incr", 0.4),
    ("eyebrows/eyebrows-angle-", "down", "up", 0.15),
    ("eyebrows/eyebrows-trans-", "backward", "forward", 0.4),
    ("nose/nose-base-", "down", "up", 0.27),
    ("nose/nose-curve-", "concave", "convex", 0.27),
    ("nose/nose-hump-", "decr", "incr", 0.27),
    ("nose/nose-nostrils-width-", "decr", "incr", 0.27),
    ("nose/nose-point-", "down", "up", 0.27),
    ("nose/nose-point-width-", "decr", "incr", 0.27),
    ("nose/nose-scale-depth-", "decr", "incr", 0.27),
    ("nose/nose-scale-horiz-", "decr", "incr", 0.27),
    ("nose/nose-scale-vert-", "decr", "incr", 0.27),
    ("nose/nose-volume-", "decr", "incr", 0.27),
    ("mouth/mouth-scale-horiz-", "decr", "incr", 0.35),
    ("mouth/mouth-trans-", "down", "up", 0.3),
    ("mouth/mouth-upperlip-volume-", "decr", "incr", 0.4),
    ("mouth/mouth-lowerlip-volume-", "decr", "incr", 0.4),
    ("mouth/mouth-upperlip-height-", "decr", "incr", 0.35),
    ("mouth/mouth-lowerlip-height-", "decr", "incr", 0.35),
    ("mouth/mouth-cupidsbow-", "decr", "incr", 0.4),
    ("chin/chin-bones-", "decr", "incr", 0.4),
    ("chin/chin-height-", "decr", "incr", 0.25),
    ("chin/chin-prominent-", "decr", "incr", 0.4),
    ("chin/chin-width-", "decr", "incr", 0.4),
    ("chin/chin-jaw-drop-", "decr", "incr", 0.2),
    ("neck/neck-scale-horiz-", "decr", "incr", 0.35),
)
SHAPE_SIDED_PAIRS = (
    ("eyes/*-eye-scale-", "decr", "incr", 0.35),
    ("eyes/*-eye-trans-", "in", "out", 0.3),
    ("eyes/*-eye-trans-", "down", "up", 0.3),
    ("eyes/*-eye-height2-", "decr", "incr", 0.3),
    ("eyes/*-eye-corner2-", "down", "up", 0.4),
    ("eyes/*-eye-bag-", "decr", "incr", 0.35),
    ("cheek/*-cheek-bones-", "decr", "incr", 0.45),
    ("cheek/*-cheek-volume-", "decr", "incr", 0.4),
    ("cheek/*-cheek-inner-", "decr", "incr", 0.35),
    ("ears/*-ear-scale-", "decr", "incr", 0.4),
    ("ears/*-ear-wing-", "decr", "incr", 0.3),
    ("ears/*-ear-lobe-", "decr", "incr", 0.4),
)
# From the top of the head, hair included, to the point the head turns about and the camera looks at.
CROWN_TO_MIDDLE_DM = 1.33
HEAD_FORMS = ("oval", "round", "rectangular", "square", "triangular", "invertedtriangular", "diamond")

# Skin from light to dark and hair from fair to black, display RGB 0 to 255.
SKIN_TONES = ((240, 196, 170), (226, 174, 142), (203, 146, 108), (168, 110, 76), (128, 80, 54), (90, 56, 41))
HAIR_TONES = ((190, 150, 95), (130, 80, 45), (85, 55, 35), (48, 32, 24), (25, 19, 17))
IRIS_TONES = ((95, 130, 160), (95, 120, 85), (120, 85, 45), (80, 50, 28), (50, 30, 18))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Person:
    """One invented person.

    Attributes:
        shape: weight per target that makes the person's own head.
        ancestry: float[3], shares of `ANCESTRIES`, summing to 1.
        unit_habits: factor per expression unit, around 1.
        looks: colours of the surface.
    """

    shape: dict[str, float]
    ancestry: np.ndarray
    unit_habits: dict[str, float]
    looks: Looks


def tone(scale: tuple[tuple[int, int, int], ...], where: float) -> np.ndarray:
    """Linear RGB at `where` (0 first to 1 last) on a scale of display colours."""
    steps = np.linspace(0, 1, len(scale))
    return linear([np.interp(where, steps, channel) for channel in zip(*scale, strict=True)])


def bounded(rng: np.random.Generator, deviation: float) -> float:
    """A normal draw, cut at two deviations."""
    return float(np.clip(rng.normal(0, deviation), -2 * deviation, 2 * deviation))


def draw_details(rng: np.random.Generator) -> dict[str, float]:
    """Weights of head, nose, mouth, eye, cheek, chin and ear targets."""
    weights = {}
    for stem, low, high, deviation in SHAPE_PAIRS:
        weight = bounded(rng, deviation)
        weights[stem + (high if weight > 0 else low)] = abs(weight)
    for stem, low, high, deviation in SHAPE_SIDED_PAIRS:
        weight = bounded(rng, deviation)
        for side in "lr":
            weights[stem.replace("*", side) + (high if weight > 0 else low)] = abs(weight)
    weights[f"head/head-{rng.choice(HEAD_FORMS)}"] = float(rng.uniform(0, 0.3))
    return weights


def macro_weights(ancestry: np.ndarray, male: float, old: float, muscle: float, heavy: float) -> dict[str, float]:
    """Weights of MakeHuman's macro targets; every argument is a share in [0, 1] but `ancestry`, float[3]."""
    weights = {}
    build = {"minmuscle": max(0, 1 - 2 * muscle), "maxmuscle": max(0, 2 * muscle - 1)}
    build["averagemuscle"] = 1 - sum(build.values())
    mass = {"minweight": max(0, 1 - 2 * heavy), "maxweight": max(0, 2 * heavy - 1)}
    mass["averageweight"] = 1 - sum(mass.values())
    for sex, sex_share in (("male", male), ("female", 1 - male)):
        for age, age_share in (("old", old), ("young", 1 - old)):
            for name, share in zip(ANCESTRIES, ancestry, strict=True):
                weights[f"macrodetails/{name}-{sex}-{age}"] = sex_share * age_share * float(share)
            for muscle_name, muscle_share in build.items():
                for mass_name, mass_share in mass.items():
                    share = sex_share * age_share * muscle_share * mass_share
                    weights[f"macrodetails/universal-{sex}-{age}-{muscle_name}-{mass_name}"] = share
    return {name: weight for name, weight in weights.items() if weight > 0}


def draw_looks(rng: np.random.Generator, ancestry: np.ndarray, male: float, old: float) -> Looks:
    """Colours, brows, hair, beard and wrinkles that fit the person."""
    darkness = float(np.clip(ancestry @ [0.82, 0.30, 0.16] + rng.normal(0, 0.13), 0, 1))
    skin = tone(SKIN_TONES, darkness) * rng.uniform(0.94, 1.06, 3)
    pigment = float(np.clip(ancestry @ [0.95, 0.95, 0.5] + rng.normal(0, 0.22), 0, 1))
    grey = max(0.0, old - 0.45) * rng.uniform(0.4, 1.6)
    hair = tone(HAIR_TONES, pigment)
    hair = hair + (linear((165, 160, 155)) - hair) * min(grey, 0.9)
    has_long_hair = rng.random() > 0.2 + male
    is_bald = not has_long_hair and rng.random() < 0.12 + 0.35 * male * old
    has_beard = male > 0.5 and rng.random() < 0.45
    length = float(rng.uniform(0.02, 0.16))
    return Looks(
        skin=skin,
        lips=skin * np.array([0.82, 0.48, 0.50]) * rng.uniform(0.85, 1.1)
        + np.array([0.035, 0.0, 0.005]) * rng.random(),
        iris=tone(IRIS_TONES, float(np.clip(pigment + rng.normal(0, 0.2), 0, 1))),
        hair=hair,
        shirt=linear(rng.uniform(25, 215, 3)),
        brow_width_dm=float(rng.uniform(0.026, 0.036) + 0.014 * male),
        brow_density=float(rng.uniform(0.75, 1.0)),
        hair_density=0.0 if is_bald else float(rng.uniform(0.93, 1.0)),
        hair_length_dm=0.0 if is_bald else max(length, 0.11 * has_long_hair),
        has_long_hair=has_long_hair,
        hairline_dm=float(rng.normal(0, 0.04) + 0.10 * male * old),
        beard=float(rng.uniform(0.25, 1.0)) if has_beard else 0.0,
        freckles=float(rng.uniform(0, 0.6)) * (rng.random() < 0.3),
        wrinkles=float(np.clip(0.15 + 0.75 * old + rng.normal(0, 0.08), 0.05, 1)),
        collar_dm=float(rng.uniform(5.58, 5.82)),
        lattice=rng.random((24, 24, 24)),
    )


def draw_person(rng: np.random.Generator, unit_names: list[str]) -> Person:
    """Draws a person: ancestry, sex, age, build, head, a habit for each expression unit, colours."""
    ancestry = rng.dirichlet((0.55, 0.55, 0.55))
    male = float(np.clip(rng.beta(0.45, 0.45), 0.05, 0.95))
    old = float(np.clip(rng.beta(0.8, 1.1), 0, 0.95))
    macro = macro_weights(ancestry, male, old, float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.25, 0.85)))
    return Person(
        shape=macro | draw_details(rng),
        ancestry=ancestry,
        unit_habits={name: float(rng.uniform(0.8, 1.2)) for name in unit_names},
        looks=draw_looks(rng, ancestry, male, old),
    )


def pose_head(head: Head, person: Person, targets: dict[str, float]) -> np.ndarray:
    """Morphs the base mesh into the person with these expression targets; the head's middle is the origin.

    Returns:
        float[v, 3], decimetres.
    """
    own = morph(head.vertices, [head.target(name) for name in person.shape], list(person.shape.values()))
    scalp = hair_alpha(head.vertices, person.looks.hairline_dm) * (np.arange(len(own)) <= head.last_skin_vertex)
    normals = raster.vertex_normals(own, head.triangles)
    own = own + normals * (scalp * person.looks.hair_length_dm)[:, None]
    is_eye = np.abs(head.vertices[:, None] - head.eye_centres).max(axis=2).min(axis=1) < 0.16
    crown_y = own[: head.last_skin_vertex + 1, 1].max()
    middle = np.append(own[is_eye].mean(axis=0)[:1], [crown_y - CROWN_TO_MIDDLE_DM, own[is_eye, 2].mean() - 0.75])
    posed = morph(own, [head.target(name) for name in targets], list(targets.values()))
    return posed - middle
