import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from expressnet import images

# What must be refused in the shared photographs, and the reason that is given.
REFUSED = {
    "truncated_jpeg.jpg": "damaged image",
    "broken_data_stream.png": "damaged image",
    "bomb_50000x50000.png": "too many pixels",
    "empty.jpg": "the file is empty",
    "text.jpg": "no image of a known format",
}

# A process of its own, because the peak of the memory is counted from a process's start.
INSPECT = """
import json, resource, sys, time
from pathlib import Path
from expressnet import images

data = [Path(name).read_bytes() for name in sys.argv[1:]]
before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.perf_counter()
problems = [images.inspect(one).problem for one in data]
seconds = time.perf_counter() - started
after_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"problems": problems, "seconds": seconds, "grown_mib": (after_kib - before_kib) / 1024}))
"""

# How the pixels as stored become upright, by the EXIF standard's eight orientations.
UPRIGHT = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).swapaxes(0, 1),
    8: lambda stored: np.rot90(stored, 1),
}


def _encoded(image, image_format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format=image_format, **options)
    return buffer.getvalue()


def _noise(height=5, width=7, channels=3):
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("image_format", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_a_lossless_format_gives_its_pixels(image_format):
    options = {"lossless": True} if image_format == "WEBP" else {}
    data = _encoded(Image.fromarray(_noise()), image_format, **options)
    np.testing.assert_array_equal(images.decode_rgb(data), _noise())
    assert images.inspect(data) == images.Facts(image_format, 7, 5, "")


@pytest.mark.parametrize("image_format", ["JPEG", "GIF"])
def test_a_lossy_format_gives_about_its_pixels(image_format):
    smooth = np.full((16, 24, 3), (200, 100, 50), np.uint8)
    data = _encoded(Image.fromarray(smooth), image_format)
    np.testing.assert_allclose(images.decode_rgb(data), smooth, atol=4)
    assert images.inspect(data) == images.Facts(image_format, 24, 16, "")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("RGBA", (1, 1), (255, 0, 100, 51)), (51, 0, 20)),  # a fifth of the colour over black
        (Image.new("RGBA", (1, 1), (255, 255, 255, 0)), (0, 0, 0)),
        (Image.new("LA", (1, 1), (250, 51)), (50, 50, 50)),
        (Image.new("L", (1, 1), 7), (7, 7, 7)),
        (Image.new("1", (1, 1), 1), (255, 255, 255)),
        (Image.new("P", (1, 1), 0), (0, 0, 0)),
        (Image.fromarray(np.array([[65535]], np.uint16)), (255, 255, 255)),
        (Image.fromarray(np.array([[257 * 9]], np.uint16)), (9, 9, 9)),  # 65535 = 257 * 255
    ],
    ids=["RGBA", "transparent", "LA", "L", "1", "P", "16 bit white", "16 bit dark"],
)
def test_every_mode_becomes_8_bit_rgb(image, expected):
    pixels = images.decode_rgb(_encoded(image))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, [[expected]])


def test_cmyk_becomes_rgb():
    data = _encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100)  # no cyan: red
    np.testing.assert_allclose(images.decode_rgb(data), np.full((16, 16, 3), (255, 0, 0)), atol=3)


def test_a_transparent_palette_colour_is_black():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    np.testing.assert_array_equal(images.decode_rgb(_encoded(image, transparency=0)), [[(0, 0, 0), (0, 255, 0)]])


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime")]
    data = _encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(images.decode_rgb(data)[0, 0], (255, 0, 0))


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = _encoded(Image.fromarray(_noise()), exif=exif)
    upright = UPRIGHT[orientation](_noise())
    np.testing.assert_array_equal(images.decode_rgb(data), upright)
    assert (images.inspect(data).height, images.inspect(data).width) == upright.shape[:2]


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3]))))
def test_a_png_gives_back_the_pixels_and_a_gray_one_has_one_channel(pixels):
    rgb = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    data = images.encode_png(rgb)
    np.testing.assert_array_equal(images.decode_rgb(data), rgb)
    is_gray = (rgb == rgb[..., :1]).all()
    assert Image.open(io.BytesIO(data)).mode == ("L" if is_gray else "RGB")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the file is empty"),
        (b"not an image\n", "no image of a known format"),
        (_encoded(Image.fromarray(_noise(64, 64)), "JPEG")[:-600], "damaged image"),
        (_encoded(Image.fromarray(_noise(64, 64)))[:-600], "damaged image"),
        (_encoded(Image.new("1", (8001, 8000))), "too many pixels"),
        (_encoded(Image.new("RGB", (4, 4)), "PDF"), "no image of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image of a known format"),
    ],
    ids=["empty", "text", "truncated JPEG", "truncated PNG", "too many pixels", "PDF", "PostScript"],
)
def test_what_is_no_complete_image_has_a_problem_and_no_size(data, problem):
    found = images.inspect(data)
    assert found[:3] == ("", 0, 0)
    assert found.problem == problem


def test_every_shared_photograph_is_read_or_refused_as_its_list_says(shared_data):
    photos = shared_data / "photos"
    with (photos / "MANIFEST.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) >= 35
    for row in rows:
        data = (photos / row["file"]).read_bytes()
        facts = images.inspect(data)
        if row["file"] in REFUSED:
            assert facts.problem == REFUSED[row["file"]], row["file"]
        else:
            pixels = images.decode_rgb(data)
            assert facts[1:4] == (pixels.shape[1], pixels.shape[0], ""), row["file"]
            assert (pixels.dtype, pixels.shape[2]) == (np.uint8, 3), row["file"]


@pytest.mark.parametrize(
    ("file", "facts"),
    [
        ("png_named.jpg", ("PNG", 512, 600)),
        ("UPPER.JPG", ("JPEG", 512, 600)),
        ("hopper.gif", ("GIF", 128, 128)),
        ("hopper.webp", ("WEBP", 128, 128)),
        ("hopper_16bit.pgm", ("PPM", 128, 128)),
        ("cmyk.jpg", ("JPEG", 512, 600)),
        ("gray_alpha.png", ("PNG", 512, 600)),
        ("rgb16.png", ("PNG", 256, 300)),
        ("face48_gray.png", ("PNG", 48, 56)),
        ("one_pixel.png", ("PNG", 1, 1)),
    ],
)
def test_the_content_and_not_the_name_says_what_a_file_is(shared_data, file, facts):
    assert images.inspect((shared_data / "photos" / file).read_bytes())[:4] == (*facts, "")


@pytest.mark.parametrize(
    ("pattern", "count", "image_hw"), [("exif_?.jpg", 5, (600, 512)), ("hopper_orientation_?.jpg", 7, (128, 128))]
)
def test_photographs_of_every_orientation_come_out_upright_and_alike(shared_data, pattern, count, image_hw):
    files = sorted((shared_data / "photos").glob(pattern))
    upright = [images.decode_rgb(file.read_bytes()).astype(int) for file in files]
    assert [pixels.shape for pixels in upright] == [(*image_hw, 3)] * count
    for pixels in upright[1:]:
        assert np.abs(pixels - upright[0]).mean() < 4  # JPEG stored them one by one


def test_16_bit_photographs_keep_their_brightness(shared_data):
    photos = shared_data / "photos"
    wide, narrow = (images.decode_rgb((photos / name).read_bytes()) for name in ("hopper_16bit.pgm", "hopper_gray.jpg"))
    assert abs(wide.mean() - narrow.mean()) < 3


def test_refusing_a_file_takes_little_time_and_memory(shared_data):
    files = [str(shared_data / "photos" / name) for name in REFUSED]
    done = subprocess.run([sys.executable, "-c", INSPECT, *files], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert all(found["problems"])
    assert found["seconds"] < 2
    assert found["grown_mib"] < 64
