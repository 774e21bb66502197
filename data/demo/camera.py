"""What the camera sees: turns a morphed head into surface buffers, one value per visible pixel."""

import dataclasses

import numpy as np
import raster
from assets import PARTS, Head

MASKS = ("lips", "inside-mouth", "eyelids")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shot:
    """Camera, light and background of one picture. Angles in radians, colours linear RGB.

    Attributes:
        yaw, pitch, roll: how the head is turned.
        distance_dm: camera to head.
        span_dm: what the side of the picture covers at the head.
        shift: where the head's middle lands, as fractions of the side from the picture's middle, y down.
        light_from: float[3], unit vector towards the key light, camera's frame.
        key, ambient: colours of the key light and of the light from everywhere.
        backdrop: float[4, 3], colours of the background's corners: two above, two below.
        backdrop_noise: float[n, n], soft pattern in [-1, 1].
        grain: float[size, size, 3], sensor noise as a standard deviation of display values.
    """

    yaw: float
    pitch: float
    roll: float
    distance_dm: float
    span_dm: float
    shift: tuple[float, float]
    light_from: np.ndarray
    key: np.ndarray
    ambient: np.ndarray
    backdrop: np.ndarray
    backdrop_noise: np.ndarray
    grain: np.ndarray


@dataclasses.dataclass(frozen=True)
class Surface:
    """What the camera sees, per pixel of the supersampled picture, and at the n `seen` pixels.

    Attributes:
        seen: bool[size, size], pixels showing the head.
        part: int[n] into `PARTS`, -1 for the inside of the head.
        position, normal, rest: float[n, 3]; camera's frame, camera's frame, base mesh.
        masks: float[n] per name.
    """

    seen: np.ndarray
    part: np.ndarray
    position: np.ndarray
    normal: np.ndarray
    rest: np.ndarray
    masks: dict[str, np.ndarray]


def sample_mask(mask: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Reads mask[h, w] (row 0 at v = 1) at uv[n, 2], nearest texel."""
    height, width = mask.shape
    row = np.clip(((1 - uv[:, 1]) * height).astype(int), 0, height - 1)
    column = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    return mask[row, column]


def reverse_sides(head: Head) -> tuple[np.ndarray, np.ndarray]:
    """Triangles that are seen from behind too, turned inside out: int[m, 3] and their part, int[m].

    Long hair is one sheet thick. And the mesh has no throat: without the skin's inside (part -1) one would
    look through the open mouth at the background.
    """
    middle = head.vertices[head.triangles].mean(axis=1)
    around = (middle[:, 1] > 5.9) & (middle[:, 1] < 7.6) & (np.abs(middle[:, 0]) < 0.8)
    is_hair = head.triangle_part == PARTS.index("long_hair")
    chosen = is_hair | (around & (head.triangle_part == PARTS.index("skin")))
    return head.triangles[chosen][:, ::-1], np.where(is_hair, head.triangle_part, -1)[chosen]


def look_at(head: Head, points: np.ndarray, shot: Shot, size_px: int) -> Surface:
    """Rasterises the head.

    Args:
        head: the base mesh.
        points: float[v, 3], morphed, camera's frame.
        shot: camera.
        size_px: side of the supersampled picture.
    """
    reverse, reverse_part = reverse_sides(head)
    triangles = np.concatenate([head.triangles, reverse])
    part = np.concatenate([head.triangle_part, reverse_part])
    centre = ((0.5 + shot.shift[0]) * size_px, (0.5 + shot.shift[1]) * size_px)
    projected = raster.project(points, shot.distance_dm, size_px / shot.span_dm, centre)
    image, weights = raster.rasterise(projected, triangles, size_px)
    seen = image >= 0
    image, weights = image[seen], weights[seen]
    per_vertex = np.concatenate([points, raster.vertex_normals(points, head.triangles), head.vertices], axis=1)
    blended = raster.interpolate(per_vertex[triangles], image, weights)
    corner_uv = np.concatenate([head.corner_uv, np.zeros((len(reverse), 3, 2))])
    uv = raster.interpolate(corner_uv, image, weights)
    masks = {name: sample_mask(head.mask(name), uv) for name in MASKS}
    normal = raster.normalise(blended[:, 3:6])
    turned_away = (part[image] == PARTS.index("long_hair")) & (normal[:, 2] < 0)
    normal[turned_away] *= -1
    return Surface(seen, part[image], blended[:, :3], normal, blended[:, 6:], masks)
