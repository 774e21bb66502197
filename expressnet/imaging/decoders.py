"""Which bytes reach which of Pillow's decoders, and what is refused before that.

The bytes may come from anywhere: seven formats reach a decoder, each its own one, and nothing is decoded before the
header said that it is small enough. The second line of defence are worker processes with limits
(expressnet.runtime.workers). Colour profiles are ignored: their effect on a face is small and would change with the
version of the colour engine.
"""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from expressnet.imaging import orientation

# The manifest's digest includes these words: no numbers, and nothing that a decoder says, for that changes.
EMPTY = "the file is empty"
TOO_LARGE = "the file is too large"
UNKNOWN = "no image of a known format"
TOO_MANY_PIXELS = "too many pixels"
TOO_MANY_PARTS = "an image of too many parts"
UNSUPPORTED = "an unsupported kind of its format"
DAMAGED = "damaged image"
PROBLEMS = (EMPTY, TOO_LARGE, UNKNOWN, TOO_MANY_PIXELS, TOO_MANY_PARTS, UNSUPPORTED, DAMAGED)

MAX_BYTES = 64 * 2**20
MAX_PIXELS = 64_000_000
MAX_SIDE_PX = 65_535
# Reads that a decoder may ask for. A file of a million empty parts costs Pillow's parsers seconds.
_MAX_READS = 100_000
# Pillow joins EXIF blocks one by one (a thousand full ones take 17 s) and walks through Photoshop's.
_MAX_BLOCKS = {b"Exif\0\0": 64, b"8BIM": 100_000}
# A progressive JPEG of a few bytes per scan makes the decoder go over all pixels for each of them.
_MAX_SCANNED_PIXELS = 800_000_000
_BAND_PIXELS = 2**20
# Pillow looks at this before it allocates a canvas, and gives up at twice the number.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2


class _Jpeg(JpegImageFile):
    def _read_dpi_from_exif(self) -> None:
        """Does nothing: of no use to us, and Pillow refuses the image where the resolution is odd."""


_JPEG_START = b"\xff\xd8\xff"
_PNG_START = b"\x89PNG\r\n\x1a\n"
# WebP and PPM need more than a prefix.
_MAGICS = {
    _JPEG_START: "JPEG",
    _PNG_START: "PNG",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
}
_DECODERS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "JPEG": _Jpeg,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "GIF": GifImageFile,
    "PPM": PpmImageFile,
}
# Not JPEG, in which a TIFF may hide as many scans as it likes; not fax, which is never a photograph.
_TIFF_COMPRESSIONS = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate")
# Of 32 bits, integer or float, nothing says which value is white.
_MODES = ("1", "L", "P", "LA", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "I;16", "I;16B", "I;16L", "I;16N")


class Refused(ValueError):
    """The bytes are no image that we take; the message is one of PROBLEMS."""


def decode(data: bytes) -> tuple[str, int, np.ndarray]:
    """Decodes the first frame of an image.

    Returns:
        The format, the orientation as it is stored (see expressnet.imaging.orientation), and the upright pixels,
        uint8[height, width, 3], RGB.

    Raises:
        Refused: the bytes are no image that we take.
    """
    image_format = _format(data)
    if any(data.count(name) > most for name, most in _MAX_BLOCKS.items()):
        raise Refused(TOO_MANY_PARTS)
    # Pillow warns about odd metadata. The switch is one for all threads, and PNGs, our own crops, are read in several.
    quiet = contextlib.nullcontext() if image_format == "PNG" else warnings.catch_warnings(action="ignore")
    try:
        with quiet:
            if image_format == "PNG":
                _check_png(data)
            image, stored_as = _load(image_format, data)
            return image_format, stored_as, _to_rgb(image)
    except (Refused, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise Refused(TOO_MANY_PIXELS) from error
    except Exception as error:  # Pillow's decoders raise nearly everything on damaged files
        raise Refused(DAMAGED) from error


def is_plain(data: bytes) -> bool:
    """Returns whether OpenCV gives the pixels that `decode` gives, which has taken these bytes before.

    So it is with gray and RGB of 8 bits, stored upright, in a JPEG or in a PNG without colours of its own.
    """
    if data.startswith(_PNG_START):
        # The first part (IHDR) says 8 bits, gray or RGB; the pixels (IDAT) come next; nothing says how it is turned.
        return data[24:26] in (b"\x08\x00", b"\x08\x02") and data[37:41] == b"IDAT" and b"eXIf" not in data
    if not data.startswith(_JPEG_START):
        return False
    try:
        with warnings.catch_warnings(action="ignore"):
            header = _Jpeg(_BoundedFile(data))
    except Exception:  # `decode` says what is wrong
        return False
    return header.mode in ("L", "RGB") and orientation.from_exif(header.info.get("exif", b"")) == 1


def _load(image_format: str, data: bytes) -> tuple[Image.Image, int]:
    """Returns the first frame, upright, and how it was stored."""
    file = _DECODERS[image_format](_BoundedFile(data))
    _check_header(file, data)
    if isinstance(file, TiffImageFile):
        stored_as = orientation.valid(file.tag_v2.get(orientation.TAG))
        file.load()  # Pillow turns it here, and forgets the tag
        return file, stored_as
    file.load()
    stored_as = orientation.from_exif(file.info.get("exif", b""))  # a PNG may say it behind the pixels
    return orientation.turn_image(file, stored_as), stored_as


def _format(data: bytes) -> str:
    if not data:
        raise Refused(EMPTY)
    if len(data) > MAX_BYTES:
        raise Refused(TOO_LARGE)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] in (b"P5", b"P6") and data[2:3].isspace():
        return "PPM"
    for magic, image_format in _MAGICS.items():
        if data.startswith(magic):
            return image_format
    raise Refused(UNKNOWN)


class _BoundedFile(io.BytesIO):
    """Bytes that may be read from so many times and no more."""

    reads_left = _MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise Refused(TOO_MANY_PARTS)
        return super().read(size)


def _check_png(data: bytes) -> None:
    """Compares the checksum of every chunk, which Pillow does only for the first ones."""
    start = 8
    for _ in range(_MAX_READS // 4):
        length, name = struct.unpack_from(">I4s", data, start)
        end = start + 8 + length
        (checksum,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(memoryview(data)[start + 4 : end]) != checksum:
            raise Refused(DAMAGED)
        if name == b"IEND":
            return
        start = end + 4
    raise Refused(TOO_MANY_PARTS)


def _check_header(image: ImageFile.ImageFile, data: bytes) -> None:
    """Refuses what would cost too much to decode, before anything of it is decoded."""
    width, height = image.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE_PX:
        raise Refused(TOO_MANY_PIXELS)
    if image.format == "JPEG" and data.count(b"\xff\xda") * width * height > _MAX_SCANNED_PIXELS:
        raise Refused(TOO_MANY_PARTS)
    if image.format == "PPM":  # Pillow reads other maxima than 255 and 65,535 pixel by pixel in Python
        is_supported = image.tile[0][0] == "raw"
    else:
        compression = image.info["compression"] if image.format == "TIFF" else "raw"
        is_supported = image.mode in _MODES and compression in _TIFF_COMPRESSIONS
    if not is_supported:
        raise Refused(UNSUPPORTED)


def _to_rgb(image: Image.Image) -> np.ndarray:
    """Converts band by band, so that a large image does not stand in memory in several forms."""
    width, height = image.size
    rgb = np.empty((height, width, 3), np.uint8)
    num_rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height, num_rows):
        band = image if num_rows >= height else image.crop((0, top, width, min(height, top + num_rows)))
        rgb[top : top + num_rows] = _band_to_rgb(band)
    return rgb


def _band_to_rgb(band: Image.Image) -> np.ndarray:
    if band.mode.startswith("I"):
        return (np.asarray(band) >> 8)[..., None].astype(np.uint8)  # as Pillow does with three channels of 16 bits
    if band.mode in ("LA", "PA", "RGBA") or "transparency" in band.info:
        over = band.convert("RGBA")
        band = Image.new("RGB", over.size)
        band.paste(over, mask=over)
    return np.asarray(band.convert("RGB"))
