import struct

import numpy as np
import pytest
from PIL import Image

from expressnet.imaging import orientation

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


def _exif(order, *tags, num_tags=None):
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    count = len(tags) if num_tags is None else num_tags
    entries = b"".join(struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    return b"Exif\0\0" + mark + struct.pack(f"{order}IH", 8, count) + entries


@pytest.mark.parametrize("number", UPRIGHT)
def test_an_image_is_turned_as_the_standard_says(number):
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3)
    upright = orientation.turn_image(Image.fromarray(stored), number)
    np.testing.assert_array_equal(np.asarray(upright), UPRIGHT[number](stored))


@pytest.mark.parametrize("number", UPRIGHT)
def test_a_box_is_turned_as_its_pixels_are(number):
    stored = np.zeros((7, 11), np.uint8)
    stored[1:3, 4:9] = 1
    upright = UPRIGHT[number](stored)
    height, width = upright.shape
    left, top, right, bottom = orientation.turn_box((4, 1, 9, 3), number, width, height)
    expected = np.zeros_like(upright)
    expected[top:bottom, left:right] = 1
    np.testing.assert_array_equal(upright, expected)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("number", UPRIGHT)
def test_exif_says_how_an_image_is_stored_in_either_byte_order(order, number):
    assert orientation.from_exif(_exif(order, (0x010F, 9), (orientation.TAG, number))) == number


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"nonsense",
        _exif("<"),
        _exif("<", (0x010F, 6)),
        _exif("<", (orientation.TAG, 0)),
        _exif("<", (orientation.TAG, 9)),
        _exif("<", num_tags=65_535),
        _exif("<", (orientation.TAG, 6))[:-6],
        b"II*\0" + struct.pack("<I", 2**32 - 1),
    ],
)
def test_broken_exif_means_upright(exif):
    assert orientation.from_exif(exif) == 1
