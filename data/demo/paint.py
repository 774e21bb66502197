"""Paints a head: colour, relief and gloss of every pixel from where it lies on the base mesh.

All painting happens in the base mesh's own coordinates (decimetres, x to the left, y up, z to the front),
so that brows, lips and wrinkles move with every morph and no texture seam exists.
"""

import dataclasses
from itertools import pairwise

import numpy as np
from assets import PARTS
from scipy import ndimage

# Centre line of the left brow and of every expression line: points (|x|, y) on the base mesh, decimetres.
BROW = ((0.10, 7.440), (0.19, 7.457), (0.32, 7.475), (0.43, 7.463), (0.53, 7.425))
CREASES = {
    "glabella": (((0.075, 7.40), (0.085, 7.48), (0.075, 7.57)),),
    "nose_root": (((0.0, 7.345), (0.09, 7.325)), ((0.0, 7.275), (0.10, 7.255)), ((0.05, 7.24), (0.14, 7.10))),
    "nasolabial": (((0.175, 6.96), (0.25, 6.87), (0.325, 6.72), (0.35, 6.57)),),
    "crow": (((0.53, 7.30), (0.64, 7.36)), ((0.54, 7.265), (0.66, 7.27)), ((0.53, 7.23), (0.64, 7.17))),
    "under_eye": (((0.17, 7.215), (0.27, 7.145), (0.38, 7.135), (0.49, 7.17)),),
    "forehead": (
        ((0.0, 7.66), (0.25, 7.69), (0.46, 7.66)),
        ((0.0, 7.75), (0.25, 7.78), (0.48, 7.75)),
        ((0.0, 7.84), (0.25, 7.87), (0.44, 7.84)),
    ),
    "forehead_centre": (((0.0, 7.66), (0.17, 7.645)), ((0.0, 7.74), (0.20, 7.725))),
    "marionette": (((0.285, 6.575), (0.325, 6.50), (0.34, 6.42)),),
    "chin": (((0.0, 6.40), (0.10, 6.405), (0.19, 6.36)),),
}
CREASE_WIDTH_DM = {"nasolabial": 0.030, "under_eye": 0.024, "crow": 0.014}
DEFAULT_CREASE_WIDTH_DM = 0.018
# Height of the hairline over z, from the nape to the forehead.
HAIRLINE_Z_DM = (-0.7, -0.2, 0.25, 0.45, 0.62, 0.80, 1.05, 1.30, 1.5)
HAIRLINE_Y_DM = (6.45, 6.65, 6.95, 7.12, 7.50, 7.66, 7.86, 7.97, 8.02)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Looks:
    """What a person's surface looks like. Colours are linear RGB in [0, 1].

    Attributes:
        skin, lips, iris, hair, shirt: colours.
        brow_width_dm: half thickness of the brows.
        brow_density: 0 none to 1 opaque.
        hair_density: 0 bald to 1 opaque.
        hair_length_dm: how far the hair stands off the scalp.
        has_long_hair: whether it falls to the shoulders.
        hairline_dm: how far the hairline has receded; negative is lower.
        beard: 0 none to 1 dark stubble.
        freckles: 0 none to 1 many.
        wrinkles: 0 smooth to 1 deep, shown at rest and under expression.
        collar_dm: height of the shirt's collar.
        lattice: float[n, n, n] in [0, 1], random; the person's own skin noise.
    """

    skin: np.ndarray
    lips: np.ndarray
    iris: np.ndarray
    hair: np.ndarray
    shirt: np.ndarray
    brow_width_dm: float
    brow_density: float
    hair_density: float
    hair_length_dm: float
    has_long_hair: bool
    hairline_dm: float
    beard: float
    freckles: float
    wrinkles: float
    collar_dm: float
    lattice: np.ndarray


def smoothstep(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Rises smoothly from 0 at `low` to 1 at `high`."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(first: np.ndarray, second: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Blends colours[..., 3]; amount[...] 0 gives the first, 1 the second."""
    return first + (second - first) * amount[..., None]


def noise(rest: np.ndarray, lattice: np.ndarray, cells_per_dm: tuple[float, float, float]) -> np.ndarray:
    """Smooth noise in [0, 1] at positions rest[..., 3] (dm); the lattice repeats."""
    coordinates = np.moveaxis(rest * np.array(cells_per_dm), -1, 0)
    return ndimage.map_coordinates(lattice, coordinates, order=1, mode="grid-wrap")


def distance_to_line(points: np.ndarray, line: tuple[tuple[float, float], ...]) -> tuple[np.ndarray, np.ndarray]:
    """Distance of points[n, 2] to a polyline, and how far along it (0 to 1) the nearest point lies."""
    best, along = np.full(len(points), np.inf), np.zeros(len(points))
    vertices = np.array(line)
    for number, (start, end) in enumerate(pairwise(vertices)):
        step = end - start
        t = np.clip(((points - start) @ step) / (step @ step), 0, 1)
        distance = np.sqrt(((points - start - t[:, None] * step) ** 2).sum(axis=1))
        nearer = distance < best
        best, along = (
            np.where(nearer, distance, best),
            np.where(nearer, (number + t) / (len(line) - 1), along),
        )
    return best, along


def crease_depth(rest: np.ndarray, strengths: dict[str, float]) -> np.ndarray:
    """Depth of the expression lines at rest[n, 3]: 0 smooth, about 1 in a deep line."""
    depth = np.zeros(len(rest))
    face = np.flatnonzero(rest[:, 2] > 0.55)
    points = np.stack([np.abs(rest[face, 0]), rest[face, 1]], axis=1)
    for name, strength in strengths.items():
        width = CREASE_WIDTH_DM.get(name, DEFAULT_CREASE_WIDTH_DM)
        for line in CREASES[name]:
            distance, along = distance_to_line(points, line)
            fade = 1 - 0.8 * along**2 if line[0][0] == 0 else 0.35 + 2.6 * along * (1 - along)
            depth[face] = np.maximum(depth[face], strength * fade * np.exp(-((distance / width) ** 2)))
    return depth


def brow_alpha(rest: np.ndarray, looks: Looks) -> np.ndarray:
    """Opacity of the brows at rest[n, 3], in [0, 1]."""
    points = np.stack([np.abs(rest[:, 0]), rest[:, 1]], axis=1)
    distance, along = distance_to_line(points, BROW)
    width = looks.brow_width_dm * (0.95 + 0.6 * along - 1.2 * along**2)
    hairs = 0.5 + 0.7 * noise(rest, looks.lattice, (42, 14, 1))
    ends = smoothstep(along, -0.05, 0.16) * (1 - 0.6 * smoothstep(along, 0.7, 1.0))
    alpha = (1 - smoothstep(distance / width, 0.3, 1.35)) * hairs * ends * smoothstep(rest[:, 2], 0.7, 0.9)
    return np.clip(alpha * looks.brow_density, 0, 1)


def hair_alpha(rest: np.ndarray, hairline_dm: float) -> np.ndarray:
    """1 on the scalp, 0 on the face, soft at the hairline, at rest[n, 3]."""
    line = np.interp(rest[:, 2], HAIRLINE_Z_DM, HAIRLINE_Y_DM)
    above = rest[:, 1] - line - hairline_dm * smoothstep(rest[:, 2], 0.3, 1.2)
    is_ear = (np.abs(rest[:, 0]) > 0.70) & (rest[:, 1] < 7.42) & (rest[:, 2] > -0.35)
    return np.where(is_ear, 0, smoothstep(above, -0.05, 0.10))


def beard_alpha(rest: np.ndarray) -> np.ndarray:
    """1 where a beard grows, at rest[n, 3]: jaw, chin and upper lip."""
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    top = np.interp(x, (0.0, 0.2, 0.35, 0.5, 0.65), (6.84, 6.82, 6.62, 6.62, 6.95))
    return (1 - smoothstep(y, top - 0.10, top + 0.06)) * smoothstep(y, 5.95, 6.15) * smoothstep(z, 0.1, 0.45)


def blush(rest: np.ndarray) -> np.ndarray:
    """Where blood shows through the skin at rest[n, 3]: cheeks and tip of the nose, 0 to 1."""
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    cheeks = np.exp(-(((x - 0.42) / 0.2) ** 2) - ((y - 6.98) / 0.17) ** 2)
    nose = np.exp(-((x / 0.14) ** 2) - ((y - 6.95) / 0.12) ** 2)
    return np.maximum(cheeks, nose) * smoothstep(z, 0.5, 0.9)


def shirt_alpha(rest: np.ndarray, collar_dm: float) -> np.ndarray:
    """1 on the shirt, 0 above its round collar, at rest[n, 3]; `collar_dm` is its height at the neck."""
    from_neck = np.hypot(rest[:, 0], rest[:, 2] - 0.1)
    above = rest[:, 1] - collar_dm - np.clip(0.75 * (from_neck - 0.6), 0, 0.12) - np.maximum(from_neck - 1.2, 0)
    return 1 - smoothstep(above, -0.015, 0.015)


def paint_skin(
    rest: np.ndarray, masks: dict[str, np.ndarray], looks: Looks, strengths: dict[str, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours skin, lips, brows, hair and shirt.

    Args:
        rest: float[n, 3], positions on the base mesh.
        masks: float[n] in [0, 1] for `lips`, `inside-mouth` and `eyelids`.
        looks: the person's surface.
        strengths: how strongly each of `CREASES` shows.

    Returns:
        float[n, 3] linear RGB, float[n] relief in decimetres (up is out), float[n] gloss in [0, 1].
    """
    coarse, fine = noise(rest, looks.lattice, (5, 5, 5)), noise(rest, looks.lattice, (31, 31, 31))
    creases = crease_depth(rest, strengths)
    beard = looks.beard * beard_alpha(rest) * (0.75 + 0.5 * fine) * (1 - masks["lips"])
    ragged = rest + np.array([0, 0.10, 0]) * (noise(rest, looks.lattice, (26, 5, 12))[:, None] - 0.5)
    hair = looks.hair_density * hair_alpha(ragged, looks.hairline_dm)
    brows = brow_alpha(rest, looks)
    shirt = shirt_alpha(rest, looks.collar_dm)
    colour = looks.skin * (0.93 + 0.10 * coarse + 0.06 * fine)[:, None]
    colour = colour * (1 - blush(rest)[:, None] * np.array([0.02, 0.17, 0.14]))
    colour = mix(colour, colour * np.array([0.70, 0.50, 0.42]), looks.freckles * smoothstep(fine, 0.72, 0.95))
    colour = colour * (1 - np.clip(creases, 0, 1.2)[:, None] * np.array([0.28, 0.38, 0.40]))
    colour = colour * (1 - masks["eyelids"][:, None] * np.array([0.10, 0.17, 0.15]))
    colour = mix(colour, looks.lips * (0.85 + 0.3 * fine)[:, None], 0.85 * masks["lips"])
    strands = noise(rest, looks.lattice, (34, 11, 8))
    for alpha, shade in ((beard * 0.7, 1.0), (brows, 0.9), (hair, 0.45 + 1.1 * strands[:, None])):
        colour = mix(colour, looks.hair * shade, alpha)
    colour = mix(colour, looks.shirt * (0.85 + 0.3 * coarse)[:, None], shirt)
    colour = colour * (1 - 0.88 * masks["inside-mouth"][:, None])
    relief = 0.0015 * fine - 0.016 * creases + 0.012 * hair * strands + 0.006 * brows
    gloss = np.clip(0.30 + 0.35 * masks["lips"] - 0.24 * hair - 0.2 * beard - 0.3 * shirt, 0, 1)
    return colour, relief, gloss * (1 - masks["inside-mouth"])


def paint_eyes(rest: np.ndarray, eye_centres: np.ndarray, iris: np.ndarray) -> np.ndarray:
    """Colours the eyeballs: white, iris with a dark rim, pupil.

    Args:
        rest: float[n, 3], positions on the base mesh.
        eye_centres: float[2, 3], of the left and right eyeball.
        iris: linear RGB.
    """
    centres = np.where(rest[:, :1] > 0, eye_centres[0], eye_centres[1])
    outward = rest - centres
    off_axis = np.hypot(outward[:, 0], outward[:, 1]) / np.maximum(np.sqrt((outward**2).sum(axis=1)), 1e-9)
    white = np.array([0.72, 0.68, 0.65]) * (1 - 0.35 * smoothstep(off_axis, 0.6, 1.0))[:, None]
    ring = iris * (1.25 - 0.9 * smoothstep(off_axis, 0.34, 0.46))[:, None]
    colour = mix(ring, white, smoothstep(off_axis, 0.44, 0.52))
    return mix(np.full(3, 0.008), colour, smoothstep(off_axis, 0.17, 0.24))


def paint(
    part: np.ndarray,
    rest: np.ndarray,
    masks: dict[str, np.ndarray],
    looks: Looks,
    strengths: dict[str, float],
    eye_centres: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours pixels of all parts.

    `part` is int[n] into `PARTS`, -1 inside the head; the rest as in `paint_skin` and `paint_eyes`.
    """
    colour, relief, gloss = np.full((len(part), 3), 0.012), np.zeros(len(part)), np.zeros(len(part))
    skin, eye = part == PARTS.index("skin"), part == PARTS.index("eye")
    skin_masks = {name: values[skin] for name, values in masks.items()}
    colour[skin], relief[skin], gloss[skin] = paint_skin(rest[skin], skin_masks, looks, strengths)
    colour[eye], gloss[eye] = paint_eyes(rest[eye], eye_centres, looks.iris), 1.0
    hair = part == PARTS.index("long_hair")
    strands = noise(rest[hair], looks.lattice, (34, 1.5, 34))
    colour[hair], gloss[hair] = looks.hair * (0.45 + 1.1 * strands[:, None]), 0.08
    relief[hair] = 0.02 * strands
    for name, tint in (
        ("upper_teeth", (0.85, 0.80, 0.70)),
        ("lower_teeth", (0.72, 0.67, 0.58)),
        ("tongue", (0.24, 0.08, 0.07)),
    ):
        here = part == PARTS.index(name)
        # Teeth and tongue lie in the shade of the lips; the farther back, the darker.
        shade = smoothstep(rest[here, 2], 0.75, 1.42)
        colour[here], gloss[here] = np.array(tint) * (0.12 + 0.88 * shade)[:, None], 0.4
    return colour, relief, gloss
