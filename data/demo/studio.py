"""Sets up camera, light and background at random, within what a portrait would use."""

import numpy as np
from camera import Shot


def linear(display_rgb: np.ndarray) -> np.ndarray:
    """Display RGB (0 to 255) to linear RGB (0 to 1)."""
    return (np.asarray(display_rgb, float) / 255) ** 2.2


def draw_light(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Direction, key colour and ambient colour of the light."""
    azimuth, elevation = rng.uniform(-1.0, 1.0), rng.uniform(0.15, 0.85)
    direction = np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
    warmth = rng.normal(0, 0.09)
    key = rng.uniform(0.62, 0.98) * np.array([1 + warmth, 1.0, 1 - 1.3 * warmth])
    tint = rng.normal(0, 0.05)
    ambient = rng.uniform(0.22, 0.42) * np.array([1 + tint, 1.0, 1 - tint])
    return direction, key, ambient


def draw_shot(rng: np.random.Generator, size_px: int) -> Shot:
    """Camera, light and background of one picture."""
    light_from, key, ambient = draw_light(rng)
    base = rng.uniform(40, 190) + rng.normal(0, rng.choice([5, 12, 22]), 3)
    corners = np.clip(base + rng.normal(0, 26, (4, 1)) + rng.normal(0, 7, (4, 3)), 8, 235)
    return Shot(
        yaw=float(np.radians(np.clip(rng.normal(0, 11), -25, 25))),
        pitch=float(np.radians(np.clip(rng.normal(1, 4), -9, 9))),
        roll=float(np.radians(np.clip(rng.normal(0, 3), -7, 7))),
        distance_dm=float(rng.uniform(9, 16)),
        span_dm=float(rng.uniform(2.9, 3.25)),
        shift=(float(rng.uniform(-0.045, 0.045)), float(rng.uniform(-0.03, 0.03))),
        light_from=light_from,
        key=key,
        ambient=ambient,
        backdrop=linear(corners),
        backdrop_noise=rng.normal(0, 0.10, (6, 6)),
        grain=rng.normal(0, rng.uniform(0.002, 0.010), (size_px, size_px, 3)),
    )
