"""Turns what the camera sees into a picture: light, shadow, background, tone."""

import numpy as np
import raster
from assets import PARTS, Head
from camera import Shot, Surface, look_at
from paint import Looks, paint
from scipy import ndimage

SUPERSAMPLING = 2
SHADOW_MAP_PX = 256
SHADOW_SPAN_DM = 4.4
SHADOW_BIAS_DM = 0.05
# Red light travels farther in skin than blue, so it creeps past the shadow line.
SKIN_WRAP = np.array([0.34, 0.20, 0.14])


def cast_shadow(points: np.ndarray, triangles: np.ndarray, positions: np.ndarray, light_from: np.ndarray) -> np.ndarray:
    """Share of the key light that reaches positions[n, 3]: 0 in shadow, 1 lit, soft between.

    Args:
        points: float[v, 3], decimetres, around the origin.
        triangles: int[t, 3].
        positions: float[n, 3], where to look.
        light_from: float[3], unit vector towards the light.
    """
    side = raster.normalise(np.cross([0.0, 1.0, 0.0], light_from))
    frame = np.stack([side, np.cross(light_from, side), light_from])
    scale, middle = SHADOW_MAP_PX / SHADOW_SPAN_DM, (SHADOW_MAP_PX / 2, SHADOW_MAP_PX / 2)
    projected = raster.project(points @ frame.T, np.inf, scale, middle)
    image, weights = raster.rasterise(projected, triangles, SHADOW_MAP_PX)
    nearest = raster.interpolate(projected[triangles][..., 2:], image, weights)[..., 0]
    nearest = np.where(image >= 0, nearest, np.inf)
    x, y, depth = raster.project(positions @ frame.T, np.inf, scale, middle).T
    lit = np.zeros(len(positions))
    for dx in (-2, 0, 2):
        for dy in (-2, 0, 2):
            row = np.clip((y + dy).astype(int), 0, SHADOW_MAP_PX - 1)
            column = np.clip((x + dx).astype(int), 0, SHADOW_MAP_PX - 1)
            lit += depth - SHADOW_BIAS_DM < nearest[row, column]
    return lit / 9


def blur_seen(values: np.ndarray, seen: np.ndarray, sigma_px: float) -> np.ndarray:
    """Gaussian blur of values[size, size] that ignores pixels not `seen`."""
    weight = ndimage.gaussian_filter(seen.astype(float), sigma_px)
    return ndimage.gaussian_filter(np.where(seen, values, 0), sigma_px) / np.maximum(weight, 1e-6)


def soft_shadow(
    surface: Surface, points: np.ndarray, triangles: np.ndarray, light_from: np.ndarray, px_per_dm: float
) -> np.ndarray:
    """The shadow of a light of some size, float[n]; teeth and hair let through half of it."""
    lit = np.zeros(surface.seen.shape)
    lit[surface.seen] = cast_shadow(points, triangles, surface.position, light_from)
    lit = blur_seen(lit, surface.seen, 0.018 * px_per_dm)[surface.seen]
    is_bright = np.isin(surface.part, [PARTS.index(name) for name in ("upper_teeth", "lower_teeth", "long_hair")])
    return np.where(is_bright, np.clip(lit, 0.5, 1), np.clip(lit, 0, 1))


def openness(surface: Surface, px_per_dm: float) -> np.ndarray:
    """Ambient occlusion from the depth picture: float[n], 1 in the open, less in hollows."""
    height = np.zeros(surface.seen.shape)
    height[surface.seen] = surface.position[:, 2]
    closed = np.zeros(surface.seen.shape)
    for radius_dm, strength in ((0.05, 3.2), (0.16, 1.5)):
        hollow = blur_seen(height, surface.seen, radius_dm * px_per_dm) - height
        closed = closed + strength * np.clip(hollow, 0, 0.25)
    is_hair = surface.part == PARTS.index("long_hair")
    return np.exp(np.where(is_hair, -0.6, -2.2) * closed[surface.seen])


def bend_normals(surface: Surface, relief: np.ndarray, px_per_dm: float) -> np.ndarray:
    """Tilts the normals by the slope of a relief float[n] (decimetres), measured in the picture."""
    height = np.zeros(surface.seen.shape)
    height[surface.seen] = relief
    down, right = np.gradient(blur_seen(height, surface.seen, 0.7))
    tilt = np.stack([-right, down, np.zeros_like(down)], axis=-1)[surface.seen] * px_per_dm
    # Near the outline one pixel spans much skin, and the slope measured in the picture is not the relief's.
    return raster.normalise(surface.normal + tilt * np.clip(surface.normal[:, 2:], 0, 1) ** 2)


def lid_shade(surface: Surface, size_px: int) -> np.ndarray:
    """Darkening by lashes and upper lid, float[n]: 1 none. Lashes line the eye, the lid shades the ball."""
    eye = np.zeros(surface.seen.shape)
    eye[surface.seen] = surface.part == PARTS.index("eye")
    reach = max(1, round(size_px / 110))
    below = np.max([np.roll(eye, -step, axis=0) for step in range(1, reach + 1)], axis=0)
    above = np.mean([np.roll(eye, step, axis=0) for step in range(1, 2 * reach + 1)], axis=0)
    lashes, lid_shadow = (1 - eye) * below, eye * (1 - above)
    return (1 - 0.75 * lashes - 0.62 * lid_shadow)[surface.seen]


def light(
    surface: Surface, colour: np.ndarray, normal: np.ndarray, gloss: np.ndarray, lit: np.ndarray, shot: Shot
) -> np.ndarray:
    """Adds up ambient, key and highlight: linear RGB float[n, 3].

    Args:
        surface: what is seen.
        colour: float[n, 3], linear RGB of the surface.
        normal: float[n, 3].
        gloss: float[n] in [0, 1].
        lit: float[n], share of the key light that arrives.
        shot: lights.
    """
    facing = normal @ shot.light_from
    wrapped = np.clip((facing[:, None] + SKIN_WRAP) / (1 + SKIN_WRAP), 0, 1)
    sky = (0.72 + 0.28 * normal[:, 1])[:, None] * shot.ambient
    view = raster.normalise(np.array([0, 0, shot.distance_dm]) - surface.position)
    half = np.clip((raster.normalise(view + shot.light_from) * normal).sum(axis=1), 0, 1)
    is_eye = surface.part == PARTS.index("eye")
    highlight = np.where(is_eye, 2.5 * half**90, gloss * (0.16 * half**10 + 0.22 * half**34))
    softened = np.stack([np.sqrt(lit), lit**0.8, lit], axis=1)
    return colour * (sky + wrapped * softened * shot.key) + (highlight * np.sqrt(lit))[:, None] * shot.key


def backdrop(shot: Shot, size_px: int) -> np.ndarray:
    """The background: a gradient between four colours with a soft pattern, linear RGB."""
    t = np.linspace(0, 1, size_px)
    top = shot.backdrop[0] + (shot.backdrop[1] - shot.backdrop[0]) * t[:, None]
    bottom = shot.backdrop[2] + (shot.backdrop[3] - shot.backdrop[2]) * t[:, None]
    gradient = top[None] + (bottom - top)[None] * t[:, None, None]
    grid = np.linspace(0, len(shot.backdrop_noise) - 1, size_px)
    pattern = ndimage.map_coordinates(
        shot.backdrop_noise, np.meshgrid(grid, grid, indexing="ij"), order=3, mode="nearest"
    )
    return np.clip(gradient * (1 + pattern[..., None]), 0.004, 1)


def develop(linear: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """Averages the supersamples, applies a film-like shoulder and gamma, adds grain: uint8[h, w, 3]."""
    height, width = linear.shape[0] // SUPERSAMPLING, linear.shape[1] // SUPERSAMPLING
    averaged = linear.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING, 3).mean(axis=(1, 3))
    toned = 1 - np.exp(-1.35 * averaged)
    display = np.clip(toned / (1 - np.exp(-1.35)), 0, 1) ** (1 / 2.2) + grain
    return (np.clip(display, 0, 1) * 255 + 0.5).astype(np.uint8)


def photograph(
    head: Head, points: np.ndarray, looks: Looks, creases: dict[str, float], shot: Shot, size_px: int
) -> np.ndarray:
    """Renders one picture.

    Args:
        head: the base mesh.
        points: float[v, 3], morphed and with the head's middle at the origin, before turning.
        looks: the person's surface.
        creases: strength of the expression lines.
        shot: camera, light, background.
        size_px: side of the picture.

    Returns:
        uint8[size, size, 3], RGB.
    """
    head = head if looks.has_long_hair else head.short_haired
    size_px = size_px * SUPERSAMPLING
    px_per_dm = size_px / shot.span_dm
    turned = points @ raster.rotation(shot.yaw, shot.pitch, shot.roll).T
    surface = look_at(head, turned, shot, size_px)
    colour, relief, gloss = paint(surface.part, surface.rest, surface.masks, looks, creases, head.eye_centres)
    normal = bend_normals(surface, relief, px_per_dm)
    lit = soft_shadow(surface, turned, head.triangles, shot.light_from, px_per_dm)
    colour = colour * lid_shade(surface, size_px)[:, None]
    open_sky = openness(surface, px_per_dm)[:, None]
    # Hollows of skin glow a little red instead of turning grey.
    colour = colour * open_sky ** np.array([0.8, 1.0, 1.05])
    picture = backdrop(shot, size_px)
    picture[surface.seen] = light(surface, colour, normal, gloss, lit, shot)
    return develop(picture, shot.grain)
