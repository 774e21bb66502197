"""Composes the seven expressions from sculpted units, with a strength, a variant and habits per person."""

import numpy as np
from people import ANCESTRIES, Person

EXPRESSIONS = ("anger", "disgust", "sad", "happy", "fear", "neutral", "surprise")

# Prototypes of the Facial Action Coding System (Ekman & Friesen): weight of each sculpted unit, `*` for both
# sides. Names with a `-` are MakeHuman's units, sculpted per ancestry; the others are Face Units.
UNITS = {
    "neutral": {"mouthSmile*": 0.08, "browInnerUp": 0.15},
    "happy": {"mouthSmile*": 1.05, "cheekSquint*": 0.75, "mouth-corner-puller": 0.25, "eyeSquint*": 0.25},
    "sad": {
        "browInnerUp": 1.5,
        "eyebrows-*-inner-up": 1.2,
        "browDown*": 0.30,
        "mouthFrown*": 1.15,
        "mouth-depression": 0.60,
        "mouthShrugLower": 0.6,
        "eye-*-closure": 0.22,
    },
    "surprise": {
        "browInnerUp": 1.9,
        "browOuterUp*": 0.95,
        "eyebrows-*-up": 0.9,
        "eyebrows-*-inner-up": 0.6,
        "eyeWide*": 0.9,
        "jawOpen": 0.62,
        "mouthFunnel": 0.35,
    },
    "disgust": {
        "noseSneer*": 1.5,
        "nose-*-elevation": 1.1,
        "mouthUpperUp*": 0.75,
        "mouthFrown*": 0.75,
        "mouthShrugLower": 0.55,
        "cheekSquint*": 0.9,
        "eyeSquint*": 0.5,
        "browDown*": 0.55,
    },
    "anger": {
        "browDown*": 1.5,
        "eyebrows-*-down": 0.75,
        "eyeWide*": 0.45,
        "eyeSquint*": 0.45,
        "mouthPress*": 0.5,
        "mouthRollLower": 0.45,
        "mouthRollUpper": 0.45,
        "mouthFrown*": 0.75,
        "mouthShrugLower": 0.35,
        "nose-*-dilatation": 1.2,
    },
    "fear": {
        "browInnerUp": 1.5,
        "eyebrows-*-inner-up": 0.7,
        "eyebrows-*-up": 0.6,
        "browDown*": 0.35,
        "eyeWide*": 1.45,
        "mouthStretch*": 1.25,
        "mouthLowerDown*": 0.85,
        "jawOpen": 0.26,
        "neck-platysma": 0.5,
    },
}
# Added at random to some pictures of a class, so that no single mouth gives it away.
VARIANTS = {
    "happy": {"mouthUpperUp*": 0.95, "mouthLowerDown*": 0.4, "jawOpen": 0.14},
    "anger": {
        "mouthUpperUp*": 0.75,
        "mouthLowerDown*": 0.95,
        "jawOpen": 0.12,
        "mouthRollLower": -0.4,
        "mouthRollUpper": -0.4,
    },
    "disgust": {"mouth-elevation": 0.5, "jawOpen": 0.10},
    "sad": {"mouthStretch*": 0.5, "browInnerUp": 0.3},
    "surprise": {"jawOpen": -0.25},
    "fear": {"jawOpen": 0.14, "mouthLowerDown*": -0.4},
    "neutral": {},
}
VARIANT_CHANCE = 0.4

# Which units deepen which painted line, and by how much.
CREASE_DRIVERS = {
    "glabella": {"browDown*": 0.75, "eyebrows-*-down": 0.3},
    "nose_root": {"noseSneer*": 0.75},
    "nasolabial": {"mouthSmile*": 0.75, "noseSneer*": 0.4, "mouthUpperUp*": 0.25, "mouthStretch*": 0.25},
    "crow": {"cheekSquint*": 0.55},
    "under_eye": {"cheekSquint*": 0.55, "eyeSquint*": 0.3},
    "forehead": {"browOuterUp*": 0.6, "eyebrows-*-up": 0.25},
    "forehead_centre": {"browInnerUp": 0.45},
    "marionette": {"mouthFrown*": 0.5, "mouth-depression": 0.2},
    "chin": {"mouthShrugLower": 0.7},
}
REST_CREASES = {
    "nasolabial": 0.55,
    "under_eye": 0.5,
    "crow": 0.4,
    "forehead": 0.45,
    "marionette": 0.4,
    "glabella": 0.3,
}


def unit_names() -> list[str]:
    """Every unit of every prototype, sorted."""
    return sorted({name for units in UNITS.values() for name in units})


def expand(name: str) -> tuple[str, str] | tuple[str]:
    """Spells out both sides of a unit: `mouthSmile*` -> `mouthSmileLeft`, `mouthSmileRight`."""
    sides = ("left", "right") if "-" in name else ("Left", "Right")
    return tuple(name.replace("*", side) for side in sides) if "*" in name else (name,)


def draw_units(rng: np.random.Generator, person: Person, expression: str) -> dict[str, float]:
    """Unit weights of one picture: the prototype, its strength, perhaps a variant, the person's habits."""
    strength = rng.uniform(0.75, 1.15)
    units = dict(UNITS[expression])
    if rng.random() < VARIANT_CHANCE:
        for name, weight in VARIANTS[expression].items():
            units[name] = units.get(name, 0.0) + weight * rng.uniform(0.5, 1.0)
    return {name: weight * strength * person.unit_habits.get(name, 1.0) for name, weight in units.items()}


def unit_targets(units: dict[str, float], ancestry: np.ndarray, skew: float) -> dict[str, float]:
    """Spells units out as targets: both sides (skewed to one of them), MakeHuman's per ancestry."""
    weights = {}
    for unit, weight in units.items():
        for name, side in zip(expand(unit), (1 + skew, 1 - skew), strict=False):
            if "-" not in name:
                weights[name] = weight * side
                continue
            for origin, share in zip(ANCESTRIES, ancestry, strict=True):
                weights[f"expression/units/{origin}/{name}"] = weight * side * float(share)
    return weights


def crease_strengths(units: dict[str, float], wrinkles: float) -> dict[str, float]:
    """How deep each painted line is: what age leaves at rest, plus what the units fold."""
    strengths = {}
    for crease, drivers in CREASE_DRIVERS.items():
        folded = sum(max(0.0, units.get(unit, 0.0)) * factor for unit, factor in drivers.items())
        strengths[crease] = REST_CREASES.get(crease, 0.0) * wrinkles**1.5 + folded * (0.55 + 0.45 * wrinkles)
    return strengths


def gaze_units(rng: np.random.Generator) -> dict[str, float]:
    """A slight look to the side and up or down, as Face Units."""
    aside, up = rng.normal(0, 0.25, 2)
    sideways = ("eyeLookOutLeft", "eyeLookInRight") if aside > 0 else ("eyeLookInLeft", "eyeLookOutRight")
    vertical = "Up" if up > 0 else "Down"
    weights = {name: abs(float(aside)) for name in sideways}
    return weights | {f"eyeLook{vertical}{side}": abs(float(up)) * 0.7 for side in ("Left", "Right")}
