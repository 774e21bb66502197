"""Damages image files in many ways and counts what becomes of them: `python -m benchmarks.drill_images`.

Every mutant is decoded twice, in two runs of the worker processes that ingest uses. Then come the files of
`tests.made.hostile_images`, each in a process of its own. The exit code is 1 if a figure is not what it must be.
"""

from __future__ import annotations

import argparse
import os
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from expressnet.imaging import codec, orientation
from expressnet.runtime import storage, workers
from tests.made.hostile_images import BOMBS, LARGEST, encode, png

PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "data" / "photos"
_SEED = 3
_HANG_S = 2.0
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_ABORT = -1  # the task whose process dies


class Verdict(NamedTuple):
    """What came out of one file."""

    problem: str
    pixel_sha256: str
    seconds: float


def seeds() -> list[bytes]:
    """Returns sound files of every format and kind, small ones; those of the shared photographs that lie beside us."""
    noise = np.random.default_rng(_SEED)
    smooth = Image.fromarray(noise.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize((96, 72))
    frames = {"save_all": True, "append_images": [smooth.rotate(180)]}
    exif = Image.Exif()
    exif[orientation.TAG] = 6
    gray, alpha = smooth.convert("L"), smooth.copy()
    alpha.putalpha(gray)
    wide = noise.integers(0, 256, (72, 96 * 6 + 1), dtype=np.uint8)
    wide[:, 0] = 0  # the filter byte
    files = [
        encode(smooth, "JPEG", exif=exif),
        encode(smooth, "JPEG", progressive=True),
        encode(gray, "JPEG"),
        encode(smooth.convert("CMYK"), "JPEG"),
        encode(smooth, "PNG", exif=exif),
        encode(alpha, "PNG"),
        encode(smooth.quantize(), "PNG"),
        encode(smooth.convert("1"), "PNG"),
        encode(smooth, "PNG", **frames),
        png(96, 72, depth=16, pixels=wide.tobytes()),
        encode(smooth, "WEBP", exif=exif),
        encode(alpha, "WEBP", lossless=True),
        encode(smooth, "WEBP", **frames),
        encode(smooth, "BMP"),
        encode(smooth.quantize(), "BMP"),
        encode(smooth, "TIFF"),
        encode(smooth.convert("CMYK"), "TIFF", exif=exif),
        *(encode(smooth, "TIFF", compression=name) for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits")),
        encode(smooth.convert("1"), "TIFF", compression="group4"),
        encode(smooth, "TIFF", **frames),
        encode(smooth, "GIF"),
        encode(smooth, "GIF", **frames),
        encode(smooth, "PPM"),
        encode(gray, "PPM"),
    ]
    photos = [path.read_bytes() for path in sorted(PHOTOS.glob("*"))] if PHOTOS.is_dir() else []
    return files + [photo for photo in photos if 0 < len(photo) < 100_000]


def mutate(data: bytes, other: bytes, noise: np.random.Generator) -> bytes:
    """Damages a file in one of the ways in which files are damaged, by accident or by somebody."""
    changed = bytearray(data)
    place = int(noise.integers(len(data)))
    near_start = int(noise.integers(min(len(data), 128)))
    size = int(noise.integers(1, 64))
    match noise.integers(8):
        case 0:
            for bit in noise.integers(len(data) * 8, size=noise.integers(1, 9)):
                changed[bit // 8] ^= 1 << bit % 8
        case 1:
            del changed[place:]
        case 2:
            changed[place:] = other[int(noise.integers(len(other))) :]
        case 3:
            changed[near_start] = noise.integers(256)
        case 4:
            width = int(noise.choice([1, 2, 4]))
            value = int(noise.choice(_EXTREMES)) % 256**width
            changed[near_start : near_start + width] = value.to_bytes(width, "big" if noise.integers(2) else "little")
        case 5:
            del changed[place : place + size]
        case 6:
            changed[place:place] = changed[place : place + size] * int(noise.integers(1, 20))
        case _:
            changed[place : place + size] = noise.bytes(size) if noise.integers(2) else bytes(size)
    # Without right checksums a damaged PNG would never reach the decoder.
    is_png = changed.startswith(b"\x89PNG") and noise.integers(2)
    return _with_checksums(bytes(changed)) if is_png else bytes(changed)


def _with_checksums(data: bytes) -> bytes:
    parts, start = [data[:8]], 8
    while start + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, start)
        body = data[start + 4 : start + 8 + length]
        parts += [data[start : start + 4], body, struct.pack(">I", zlib.crc32(body))]
        start += 12 + length
    return b"".join(parts)


_seeds: list[bytes]


def start() -> None:
    """Makes the sound files, once per process; what the decoders' C code says about damaged ones goes nowhere."""
    global _seeds
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    _seeds = seeds()


def judge(number: int) -> Verdict:
    """Makes and decodes one mutant, which is a function of its number alone."""
    if number == _ABORT:
        os.abort()
    noise = np.random.default_rng([_SEED, number])
    first, second = noise.integers(len(_seeds), size=2)
    data = mutate(_seeds[first], _seeds[second], noise)
    started = time.perf_counter()
    facts, rgb = codec.examine(data)
    seconds = time.perf_counter() - started
    return Verdict(facts.problem, "" if rgb is None else storage.bytes_sha256(rgb.tobytes()), seconds)


def run(numbers: list[int]) -> list[Verdict | workers.Failure]:
    """Judges mutants in worker processes."""
    return list(workers.run(judge, numbers, start=start, timeout_s=10, memory_bytes=2 * 2**30))


def main() -> int:
    """Prints the figures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="mutants")
    count = parser.parse_args().count
    checks = [*drill_mutants(count), *drill_hostile()]
    missed = [text for text, good in checks if not good]
    print(f"\n{len(checks) - len(missed)} of {len(checks)} figures as they must be")
    return 1 if missed else 0


def drill_mutants(count: int) -> Iterator[tuple[str, bool]]:
    """Prints the figures of `count` mutants; yields each with whether it is as it must be."""
    begun = time.monotonic()
    first, second = run(list(range(count))), run(list(range(count)))
    verdicts = [verdict for verdict in [*first, *second] if isinstance(verdict, Verdict)]
    failures = Counter(verdict.reason for verdict in [*first, *second] if isinstance(verdict, workers.Failure))
    slow = sum(verdict.seconds > _HANG_S for verdict in verdicts) + failures[workers.TOOK_TOO_LONG]
    print(f"{count:,} mutants of {len(seeds())} files, decoded twice in {time.monotonic() - begun:.0f} s:")
    for problem, number in Counter(getattr(verdict, "problem", "worker failed") for verdict in first).most_common():
        print(f"{number:8,}  {problem or 'accepted'}")
    yield _figure("processes that died", len(first) + len(second) - len(verdicts) - failures[workers.TOOK_TOO_LONG], 0)
    yield _figure(f"hangs of more than {_HANG_S:.0f} s", slow, 0)
    known = {"", *codec.PROBLEMS}
    yield _figure("problems outside the list", sum(verdict.problem not in known for verdict in verdicts), 0)
    differing = sum(one[:2] != two[:2] for one, two in zip(first, second, strict=True))
    yield _figure("verdicts or pixels that differ between the two runs", differing, 0)

    planted = list(range(min(count, 100)))
    planted.insert(len(planted) // 2, _ABORT)
    lost = [
        number for number, verdict in zip(planted, run(planted), strict=True) if isinstance(verdict, workers.Failure)
    ]
    yield _figure("images lost to a planted one that ends its process, itself among them", len(lost), 1)


def _figure(what: str, value: int, expected: int) -> tuple[str, bool]:
    print(f"{value:8,}  {what}{'' if value == expected else f'  MISSED: must be {expected}'}")
    return what, value == expected


# The peak is a process's own from its start on, so that each file has one.
_MEASURE = """
import sys, time
from benchmarks import steps
from expressnet.imaging import codec as images

data = sys.stdin.buffer.read()
before_gib, started = steps.peak_gib(), time.process_time()
problem = images.inspect(data).problem
print(time.process_time() - started, 1024 * (steps.peak_gib() - before_gib), problem, sep="|")
"""


def measure(data: bytes) -> tuple[float, float, str]:
    """Returns the seconds of CPU and the MiB that examining a file takes, and the problem that was found."""
    done = subprocess.run([sys.executable, "-c", _MEASURE], input=data, capture_output=True, check=True)
    seconds, mib, problem = done.stdout.decode().strip("\n").split("|")
    return float(seconds), float(mib), problem


def drill_hostile() -> Iterator[tuple[str, bool]]:
    """Prints what hostile and largest files cost; yields each with whether it is as it must be."""
    print("\n   CPU s     MiB  hostile and largest files")
    for name, (make, expected) in {**BOMBS, **LARGEST}.items():
        seconds, mib, problem = measure(make())
        # What is refused must cost less than what is decoded.
        limits = (1.0, 256) if expected else (_HANG_S, 1024)
        good = problem == expected and seconds < limits[0] and mib < limits[1]
        print(f"{seconds:8.2f}{mib:8.0f}  {name}: {problem or 'accepted'}{'' if good else '  MISSED'}")
        yield name, good


if __name__ == "__main__":
    sys.exit(main())
