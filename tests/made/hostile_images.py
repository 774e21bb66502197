"""Image files that are made to cost time or memory, and those that cost most of all that is allowed."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

from PIL import Image

from expressnet.imaging import decoders

_MIB = 2**20
_SIDE = 8000  # its square is decoders.MAX_PIXELS


def encode(image: Image.Image, image_format: str, **options: Any) -> bytes:
    """Returns the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    """Returns a PNG chunk with its length and its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, extra: bytes = b"", pixels: bytes = b"") -> bytes:
    """Builds a PNG.

    Args:
        width: pixels.
        height: pixels.
        depth: bits of a sample.
        colour: type by the PNG standard: 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGBA.
        extra: chunks before the pixels.
        pixels: the rows, each behind its filter byte; all zero if there are none.
    """
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    rows = pixels or bytes(((width * samples * depth + 7) // 8 + 1) * height)
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    packed = png_chunk(b"IDAT", zlib.compress(rows, 1))
    return b"\x89PNG\r\n\x1a\n" + header + extra + packed + png_chunk(b"IEND", b"")


def jpeg_segment(marker: int, data: bytes) -> bytes:
    """Returns a JPEG segment with its length."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def _jpeg_with(segments: bytes) -> bytes:
    plain = encode(Image.new("RGB", (8, 8)), "JPEG")
    return plain[:2] + segments + plain[2:]


def _jpeg_scans(side: int, num_scans: int) -> bytes:
    """A progressive JPEG whose last scan, of a few bytes, comes again and again."""
    plain = encode(Image.new("RGB", (side, side)), "JPEG", progressive=True)
    return plain[:-2] + plain[plain.rfind(b"\xff\xda") : -2] * num_scans + plain[-2:]


def _gif_with(blocks: bytes) -> bytes:
    plain = encode(Image.new("L", (8, 8)), "GIF")
    start = 13 + 3 * (2 << (plain[10] & 7))  # behind the palette
    return plain[:start] + blocks + plain[start:]


def _gif_canvas(side: int) -> bytes:
    plain = encode(Image.new("L", (8, 8)), "GIF")
    return plain[:6] + struct.pack("<HH", side, side) + plain[10:]


def _webp_canvas(side: int) -> bytes:
    """An animation of one frame of 8x8 on a canvas of `side`."""
    frame = encode(Image.new("RGB", (8, 8)), "WEBP")[12:]
    size = struct.pack("<I", side - 1)[:3] * 2
    still = bytes(6) + struct.pack("<I", 7)[:3] * 2 + bytes(4) + frame
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + size
    body += b"ANIM" + struct.pack("<I", 6) + bytes(6) + b"ANMF" + struct.pack("<I", len(still)) + still
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _tiff_tags(num_tags: int, size: int) -> bytes:
    """A TIFF of 8x8 with many tags, all of whose values are the same `size` bytes."""
    entries = [
        (256, 3, 1, 8),
        (257, 3, 1, 8),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 3, 1, 8),
        (279, 4, 1, 64),
    ]
    entries += [(1000 + place, 7, size, 8) for place in range(num_tags)]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8 + size) + bytes(size) + directory + bytes(4)


def _bmp_size(side: int) -> bytes:
    plain = encode(Image.new("RGB", (8, 8)), "BMP")
    return plain[:18] + struct.pack("<ii", side, side) + plain[26:]


def _all_of(mode: str, image_format: str, **options: Any) -> bytes:
    return encode(Image.new(mode, (_SIDE, _SIDE)), image_format, **options)


_TEXT = png_chunk(b"tEXt", b"a\0b")

# What it is called, how it is made, and which problem `images.examine` must find ("" if it must take it).
BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "PNG of 50,000 x 1,300": (lambda: png(50_000, 1_300, depth=1, colour=0), decoders.TOO_MANY_PIXELS),
    "PNG with a side of 70,000": (lambda: png(70_000, 2, colour=0), decoders.TOO_MANY_PIXELS),
    "PNG, 100 MiB of text": (
        lambda: png(8, 8, extra=png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100 * _MIB)))),
        decoders.DAMAGED,
    ),
    "PNG, 100 MiB of colour profile": (
        lambda: png(8, 8, extra=png_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(100 * _MIB)))),
        decoders.DAMAGED,
    ),
    "PNG, a million texts": (lambda: png(8, 8, extra=_TEXT * 1_000_000), decoders.TOO_MANY_PARTS),
    "PNG, as many texts as it may have": (lambda: png(8, 8, extra=_TEXT * 24_000), ""),
    "PNG, a million empty pixel blocks": (
        lambda: png(8, 8, extra=png_chunk(b"IDAT", b"") * 1_000_000),
        decoders.TOO_MANY_PARTS,
    ),
    "JPEG, 2,000 scans": (lambda: _jpeg_scans(2000, 2000), decoders.TOO_MANY_PARTS),
    "JPEG, as many scans as it may have": (lambda: _jpeg_scans(1000, 750), ""),
    "JPEG, 1,000 EXIF blocks": (
        lambda: _jpeg_with(jpeg_segment(0xE1, b"Exif\0\0" + bytes(60_000)) * 1000),
        decoders.TOO_MANY_PARTS,
    ),
    "JPEG, millions of empty segments": (
        lambda: _jpeg_with(jpeg_segment(0xE3, b"") * 4_000_000),
        decoders.TOO_MANY_PARTS,
    ),
    "JPEG, millions of Photoshop entries": (
        lambda: _jpeg_with(jpeg_segment(0xED, b"Photoshop 3.0\0" + (b"8BIM" + bytes(8)) * 5000) * 400),
        decoders.TOO_MANY_PARTS,
    ),
    "JPEG, 60 MiB of filling": (lambda: _jpeg_with(b"\xff" * 60 * _MIB), decoders.TOO_MANY_PARTS),
    "GIF, canvas of 65,535": (lambda: _gif_canvas(65_535), decoders.TOO_MANY_PIXELS),
    "GIF, millions of empty comments": (lambda: _gif_with(b"\x21\xfe\0" * 10_000_000), decoders.TOO_MANY_PARTS),
    "WebP, canvas of 16,383": (lambda: _webp_canvas(16_383), decoders.TOO_MANY_PIXELS),
    "WebP, canvas of 9,000": (lambda: _webp_canvas(9_000), decoders.TOO_MANY_PIXELS),
    "TIFF, 60,000 tags of 20 MiB": (lambda: _tiff_tags(60_000, 20 * _MIB), decoders.TOO_MANY_PARTS),
    "BMP of 60,000 x 60,000": (lambda: _bmp_size(60_000), decoders.TOO_MANY_PIXELS),
    "PPM of 60,000 x 60,000": (lambda: b"P6 60000 60000 255\n", decoders.TOO_MANY_PIXELS),
    "PPM, 60 MiB of comment": (
        lambda: b"P6 #" + b"a" * 60 * _MIB + b"\n8 8 255\n" + bytes(192),
        decoders.TOO_MANY_PARTS,
    ),
    "65 MiB of anything": (lambda: bytes(65 * _MIB), decoders.TOO_LARGE),
}
# As many pixels as are taken. Each costs about a second.
LARGEST: dict[str, tuple[Callable[[], bytes], str]] = {
    "PNG": (lambda: png(_SIDE, _SIDE), ""),
    "PNG of 64 bits": (lambda: png(_SIDE, _SIDE, depth=16, colour=6), ""),
    "JPEG": (lambda: _all_of("RGB", "JPEG", subsampling=0), ""),
    "JPEG, progressive": (lambda: _all_of("RGB", "JPEG", subsampling=0, progressive=True), ""),
    "JPEG, CMYK": (lambda: _all_of("CMYK", "JPEG"), ""),
    "GIF": (lambda: _all_of("L", "GIF"), ""),
    "WebP": (lambda: _all_of("RGB", "WEBP", method=0), ""),
    "WebP, lossless": (lambda: _all_of("RGBA", "WEBP", lossless=True, method=0), ""),
    "WebP, canvas": (lambda: _webp_canvas(_SIDE), ""),
    "TIFF, LZW": (lambda: _all_of("RGBA", "TIFF", compression="tiff_lzw"), ""),
    "TIFF, deflate": (lambda: _all_of("CMYK", "TIFF", compression="tiff_adobe_deflate"), ""),
}
