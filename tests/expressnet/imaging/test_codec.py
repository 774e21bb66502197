import csv
import io
import re
import struct
import time

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from benchmarks import drill_images
from expressnet.imaging import codec, decoders, orientation
from tests.made import hostile_images

# What must be refused in the shared photographs, and the reason that is given.
REFUSED = {
    "truncated_jpeg.jpg": decoders.DAMAGED,
    "broken_data_stream.png": decoders.DAMAGED,
    "bomb_50000x50000.png": decoders.TOO_MANY_PIXELS,
    "empty.jpg": decoders.EMPTY,
    "text.jpg": decoders.UNKNOWN,
}


LOSSLESS = {"WEBP": {"lossless": True}}


def _encoded(image, image_format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format=image_format, **options)
    return buffer.getvalue()


def _correlation(one, other):
    return np.corrcoef(one.ravel().astype(float), other.ravel().astype(float))[0, 1]


def _noise(height=5, width=7, channels=3):
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("image_format", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_a_lossless_format_gives_its_pixels(image_format):
    data = _encoded(Image.fromarray(_noise()), image_format, **LOSSLESS.get(image_format, {}))
    np.testing.assert_array_equal(codec.decode_rgb(data), _noise())
    assert codec.inspect(data) == codec.Facts(image_format, 7, 5, "")


@pytest.mark.parametrize("image_format", ["JPEG", "GIF"])
def test_a_lossy_format_gives_about_its_pixels(image_format):
    smooth = np.full((16, 24, 3), (200, 100, 50), np.uint8)
    data = _encoded(Image.fromarray(smooth), image_format)
    np.testing.assert_allclose(codec.decode_rgb(data), smooth, atol=4)
    assert codec.inspect(data) == codec.Facts(image_format, 24, 16, "")


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
        (Image.fromarray(np.array([[256 * 9 + 255]], np.uint16)), (9, 9, 9)),  # the upper 8 of 16 bits
    ],
    ids=["RGBA", "transparent", "LA", "L", "1", "P", "16 bit white", "16 bit dark"],
)
def test_every_mode_becomes_8_bit_rgb(image, expected):
    pixels = codec.decode_rgb(_encoded(image))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, [[expected]])


JPEGS = [
    {"mode": mode, "quality": quality, "subsampling": subsampling, "progressive": progressive}
    for mode in ("RGB", "L")
    for quality in (30, 95)
    for subsampling in (0, 1, 2)
    for progressive in (False, True)
]


@pytest.mark.parametrize("options", JPEGS, ids=str)
def test_a_stored_jpeg_gives_the_same_pixels(options):
    image = Image.fromarray(cv2.GaussianBlur(_noise(61, 83), (0, 0), 2)).convert(options["mode"])
    data = _encoded(image, "JPEG", **{name: value for name, value in options.items() if name != "mode"})
    assert decoders.is_plain(data)
    np.testing.assert_array_equal(codec.decode_stored(data), codec.decode_rgb(data))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "1", "I;16"])
@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_stored_images_of_any_kind_give_the_same_pixels(image_format, mode):
    pixels = _noise(9, 11)
    image = (
        Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
        if mode == "I;16"
        else (Image.fromarray(pixels).convert(mode))
    )
    try:
        data = _encoded(image, image_format, **LOSSLESS.get(image_format, {}))
    except OSError:
        pytest.skip(f"{image_format} has no {mode}")
    np.testing.assert_array_equal(codec.decode_stored(data), codec.decode_rgb(data))


def test_the_shared_photographs_give_the_same_pixels_when_they_are_stored(shared_data):
    paths = [path for path in sorted((shared_data / "photos").iterdir()) if path.is_file()]
    plain = 0
    for path in paths:
        data = path.read_bytes()
        try:
            expected = codec.decode_rgb(data)
        except decoders.Refused:
            continue
        np.testing.assert_array_equal(codec.decode_stored(data), expected)
        plain += decoders.is_plain(data)
    assert plain >= 5


def test_a_stored_crop_that_was_damaged_is_refused_or_the_same():
    pixels = cv2.GaussianBlur(_noise(32, 32), (0, 0), 2)
    data = codec.encode_png(pixels)
    num_refused = 0
    for place in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[place] ^= 16
        try:
            np.testing.assert_array_equal(codec.decode_stored(bytes(damaged)), pixels)
        except decoders.Refused:
            num_refused += 1
    assert num_refused > 0.9 * len(data) / 3


def test_cmyk_becomes_rgb():
    data = _encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100)  # no cyan: red
    np.testing.assert_allclose(codec.decode_rgb(data), np.full((16, 16, 3), (255, 0, 0)), atol=3)


def test_a_transparent_palette_colour_is_black():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    np.testing.assert_array_equal(codec.decode_rgb(_encoded(image, transparency=0)), [[(0, 0, 0), (0, 255, 0)]])


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_gives_its_first_frame(image_format):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime")]
    options = LOSSLESS.get(image_format, {})
    data = _encoded(frames[0], image_format, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(codec.decode_rgb(data), np.full((4, 4, 3), (255, 0, 0)))


def test_a_given_box_is_turned_with_its_image_and_none_stays_none():
    exif = Image.Exif()
    exif[orientation.TAG] = 6  # the first stored row is the last column
    facts = codec.inspect(_encoded(Image.fromarray(_noise(height=5, width=7)), exif=exif))
    assert codec.upright_box((0, 0, 7, 1), facts) == (4, 0, 5, 7)
    assert codec.upright_box(None, facts) is None


def test_48_bit_png_keeps_the_upper_8_bits_of_every_channel():
    samples = struct.pack(">6H", 0, 256 * 9 + 255, 65535, 255, 256, 128 * 256)
    data = hostile_images.png(2, 1, depth=16, pixels=b"\0" + samples)
    np.testing.assert_array_equal(codec.decode_rgb(data), [[(0, 9, 255), (0, 1, 128)]])


def test_a_large_image_comes_out_the_same_though_it_is_converted_band_by_band():
    small = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    for stored in (small.repeat(150, 0).repeat(150, 1), small.astype(np.uint16).repeat(150, 0).repeat(150, 1) * 256):
        rgb = codec.decode_rgb(_encoded(Image.fromarray(stored)))
        np.testing.assert_array_equal(rgb[::150, ::150], np.repeat(small[..., None], 3, axis=2))
        assert rgb.shape == (1200, 1200, 3)


def test_odd_metadata_is_no_reason_to_refuse_a_photograph():
    jpeg = _encoded(Image.fromarray(_noise(16, 16)), "JPEG")
    broken = struct.pack("<HHII", 0x011A, 2, 1, 0)  # a resolution that is an empty text
    segment = hostile_images.jpeg_segment(0xE1, b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + broken)
    np.testing.assert_array_equal(codec.decode_rgb(jpeg[:2] + segment + jpeg[2:]), codec.decode_rgb(jpeg))


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied_once_and_told(image_format, number):
    stored = Image.fromarray(_noise())
    exif = Image.Exif()
    exif[orientation.TAG] = number
    facts, rgb = codec.examine(_encoded(stored, image_format, exif=exif, **LOSSLESS.get(image_format, {})))
    np.testing.assert_array_equal(rgb, np.asarray(orientation.turn_image(stored, number)))
    assert facts == codec.Facts(image_format, rgb.shape[1], rgb.shape[0], "", number)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3]))))
def test_a_png_gives_back_the_pixels_and_a_gray_one_has_one_channel(pixels):
    rgb = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    data = codec.encode_png(rgb)
    np.testing.assert_array_equal(codec.decode_rgb(data), rgb)
    is_gray = (rgb == rgb[..., :1]).all()
    assert Image.open(io.BytesIO(data)).mode == ("L" if is_gray else "RGB")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", decoders.EMPTY),
        (b"not an image\n", decoders.UNKNOWN),
        (_encoded(Image.new("RGB", (4, 4)), "PDF"), decoders.UNKNOWN),
        (_encoded(Image.new("RGB", (4, 4)), "ICO"), decoders.UNKNOWN),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", decoders.UNKNOWN),
        (b"P2 2 1 255\n0 255\n", decoders.UNKNOWN),
        (_encoded(Image.new("1", (8001, 8000))), decoders.TOO_MANY_PIXELS),
        (_encoded(Image.new("F", (4, 4)), "TIFF"), decoders.UNSUPPORTED),
        (_encoded(Image.new("RGB", (8, 8)), "TIFF", compression="jpeg"), decoders.UNSUPPORTED),
        (b"P5 2 1 1000\n" + bytes(4), decoders.UNSUPPORTED),
    ],
    ids=[
        "empty",
        "text",
        "PDF",
        "ICO",
        "PostScript",
        "plain PGM",
        "too many pixels",
        "float TIFF",
        "JPEG in TIFF",
        "PGM of 10 bits",
    ],
)
def test_what_is_not_taken_has_a_problem_and_no_size(data, problem):
    assert codec.examine(data) == (codec.Facts("", 0, 0, problem), None)
    assert problem in codec.PROBLEMS
    with pytest.raises(decoders.Refused, match=problem):
        codec.decode_rgb(data)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_damaged(image_format, share):
    data = _encoded(Image.fromarray(_noise(64, 64)), image_format)
    assert codec.inspect(data[: int(len(data) * share)]).problem == decoders.DAMAGED


def test_a_png_with_one_wrong_bit_is_damaged_wherever_the_bit_is():
    data = _encoded(Image.fromarray(_noise(8, 8)))
    for place in range(8, len(data)):
        wrong = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        assert codec.inspect(wrong).problem == decoders.DAMAGED, place


@pytest.mark.parametrize("name", hostile_images.BOMBS)
def test_a_hostile_file_costs_less_than_two_seconds_and_is_refused_with_its_reason(name):
    make, problem = hostile_images.BOMBS[name]
    data = make()
    started = time.process_time()
    assert codec.inspect(data).problem == problem
    assert time.process_time() - started < 2


def test_mutants_get_a_known_verdict_and_the_same_one_twice(capsys):
    checks = list(drill_images.drill_mutants(200))
    assert all(good for _, good in checks), capsys.readouterr().out
    assert len(checks) == 5


def test_every_shared_photograph_is_read_or_refused_as_its_list_says(shared_data):
    photos = shared_data / "photos"
    with (photos / "MANIFEST.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) >= 35
    for row in rows:
        data = (photos / row["file"]).read_bytes()
        facts, rgb = codec.examine(data)
        assert facts.problem == REFUSED.get(row["file"], ""), row["file"]
        if rgb is not None:
            assert (rgb.dtype, rgb.shape) == (np.uint8, (facts.height, facts.width, 3)), row["file"]
            assert facts.orientation == int((re.search(r"orientation (\d)", row["note"], re.I) or "11")[1]), row["file"]


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
    assert codec.inspect((shared_data / "photos" / file).read_bytes()) == codec.Facts(*facts, "")


@pytest.mark.parametrize(
    ("pattern", "count", "image_hw"), [("exif_?.jpg", 5, (600, 512)), ("hopper_orientation_?.jpg", 7, (128, 128))]
)
def test_photographs_of_every_orientation_come_out_upright_and_alike(shared_data, pattern, count, image_hw):
    files = sorted((shared_data / "photos").glob(pattern))
    upright = [codec.decode_rgb(file.read_bytes()).astype(int) for file in files]
    assert [pixels.shape for pixels in upright] == [(*image_hw, 3)] * count
    for pixels in upright[1:]:
        assert _correlation(pixels, upright[0]) > 0.99  # JPEG stored them one by one


@pytest.mark.parametrize(
    ("file", "reference"),
    [
        ("exif_6.jpg", "grace_hopper.jpg"),
        ("cmyk.jpg", "grace_hopper.jpg"),
        ("gray_alpha.png", "grace_hopper.jpg"),
        ("rgb16.png", "grace_hopper.jpg"),
        ("face48_gray.png", "grace_hopper.jpg"),
        ("png_named.jpg", "UPPER.JPG"),
        ("hopper_orientation_7.jpg", "hopper.gif"),
        ("hopper_16bit.pgm", "hopper_gray.jpg"),
        ("hopper.webp", "hopper.gif"),
    ],
)
def test_the_same_picture_in_another_form_has_the_same_pixels(shared_data, file, reference):
    ours, theirs = (codec.decode_rgb((shared_data / "photos" / name).read_bytes()) for name in (file, reference))
    theirs = np.asarray(Image.fromarray(theirs).resize(ours.shape[1::-1], Image.Resampling.BOX))
    is_gray = (ours == ours[..., :1]).all()
    assert _correlation(*((ours.mean(2), theirs.mean(2)) if is_gray else (ours, theirs))) > 0.95
    assert abs(ours.mean() - theirs.mean()) < 12


def test_refusing_a_bomb_takes_little_time_and_memory(shared_data):
    seconds, mib, problem = drill_images.measure((shared_data / "photos/bomb_50000x50000.png").read_bytes())
    assert problem == decoders.TOO_MANY_PIXELS
    assert seconds < 1
    assert mib < 256
