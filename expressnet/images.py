"""Image bytes to pixels: what is accepted, and how every kind becomes upright 8-bit RGB."""

from __future__ import annotations

import io
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
MAX_PIXELS = 64_000_000


class Facts(NamedTuple):
    """Format, upright size in pixels, and why the image can't be used ("" if it can)."""

    format: str
    width: int
    height: int
    problem: str


def inspect(data: bytes) -> Facts:
    """Decodes an image once and says what it is."""
    try:
        image = _open(data)
        pixels = decode_rgb(data)
    except Exception as error:  # Pillow's decoders raise nearly everything on damaged files
        return Facts("", 0, 0, _reason(data, error))
    height, width = pixels.shape[:2]
    return Facts(image.format or "", width, height, "")


def _reason(data: bytes, error: Exception) -> str:
    if not data:
        return "the file is empty"
    if isinstance(error, Image.UnidentifiedImageError):
        return f"no image of a known format ({', '.join(FORMATS)})"
    return f"damaged image ({str(error).splitlines()[0] if str(error) else type(error).__name__})"


def _open(data: bytes) -> Image.Image:
    with warnings.catch_warnings():
        # Our own limit below is stricter than the size at which Pillow warns.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ValueError(f"{width}x{height} pixels; at most {MAX_PIXELS:,} are accepted")
    return image


def decode_rgb(data: bytes) -> np.ndarray:
    """Decodes the first frame of an image.

    EXIF orientation is applied, 16-bit values are scaled to 8 bits, transparency is laid over black.

    Returns:
        uint8[height, width, 3], RGB.

    Raises:
        OSError, ValueError, Image.UnidentifiedImageError: the bytes are no complete image.
    """
    image = _open(data)
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        wide = np.asarray(image, dtype=np.float64)
        scale = 255 / 65535 if wide.max() > 255 else 1.0
        gray = np.clip(wide * scale, 0, 255).round().astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2)
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, (0, 0, 0, 255)), over)
    return np.asarray(image.convert("RGB"))


def encode_png(rgb: np.ndarray) -> bytes:
    """Encodes uint8[height, width, 3] losslessly; a gray image is stored with one channel."""
    is_gray = (rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 1] == rgb[..., 2]).all()
    buffer = io.BytesIO()
    Image.fromarray(rgb[..., 0] if is_gray else rgb).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()
