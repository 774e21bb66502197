import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expressnet import faces
from expressnet.blazeface import Face

SMALL = Face(box_xyxy=(0, 0, 10, 10), eyes_xy=((3, 4), (7, 4)), score=0.9)
LARGE = Face(box_xyxy=(20, 20, 60, 50), eyes_xy=((30, 30), (50, 30)), score=0.6)


@pytest.mark.parametrize(
    ("found", "choice", "chosen"),
    [
        ([], "largest", None),
        ([], "first", None),
        ([SMALL, LARGE], "largest", LARGE),
        ([LARGE, SMALL], "largest", LARGE),
        ([SMALL, LARGE], "first", SMALL),
    ],
)
def test_one_face_is_chosen(found, choice, chosen):
    assert faces.choose_face(found, choice) is chosen


@pytest.mark.parametrize(
    ("box_xyxy", "eyes_xy", "margin", "expected"),
    [
        # Side 100, the eyes' middle at (50, 40): 40 px above it, 60 px below.
        ((0, 0, 100, 100), ((30, 40), (70, 40)), 0.0, (0, 0, 100, 100)),
        # 10 % more on every side: side 120, from 50 - 60 and from 40 - 48.
        ((0, 0, 100, 100), ((30, 40), (70, 40)), 0.1, (-10, -8, 110, 112)),
        # The longer side of the box is the square's, wherever the box lies.
        ((0, 0, 50, 100), ((80, 95), (120, 105)), 0.0, (50, 60, 150, 160)),
        ((0, 0, 0.2, 0.2), ((5, 5), (5, 5)), 0.0, (4, 5, 5, 6)),
    ],
    ids=["eye line at 40 %", "margin", "longer side", "at least one pixel"],
)
def test_the_square_is_placed_by_the_eyes(box_xyxy, eyes_xy, margin, expected):
    assert faces.face_square(Face(box_xyxy, eyes_xy, 0.9), margin) == expected


coordinate = st.floats(-50, 500)


@given(st.tuples(*[coordinate] * 4), st.tuples(*[coordinate] * 4), st.floats(0, 0.9))
def test_it_is_a_square_of_whole_pixels_about_the_eyes(corners, eyes, margin):
    left, top, right, bottom = corners
    box_xyxy = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
    square = faces.face_square(Face(box_xyxy, (eyes[:2], eyes[2:]), 0.9), margin)
    assert all(type(side) is int for side in square)
    side = square[2] - square[0]
    assert side == square[3] - square[1] >= 1
    assert square[0] + side / 2 == pytest.approx((eyes[0] + eyes[2]) / 2, abs=0.51)
    assert square[1] + 0.4 * side == pytest.approx((eyes[1] + eyes[3]) / 2, abs=0.51)


def _numbered(height=4, width=4):
    """Pixel (row, column) is 10 * row + column, in all three channels."""
    numbers = 10 * np.arange(height)[:, None] + np.arange(width)
    return np.repeat(numbers.astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("box_xyxy", "expected"),
    [
        ((1, 2, 3, 4), [[21, 22], [31, 32]]),
        ((-1, 0, 1, 2), [[0, 0], [10, 10]]),
        ((3, 0, 5, 2), [[3, 3], [13, 13]]),
        ((0, -1, 2, 1), [[0, 1], [0, 1]]),
        ((0, 3, 2, 5), [[30, 31], [30, 31]]),
        ((-1, -1, 1, 1), [[0, 0], [0, 0]]),
        ((3, 3, 5, 5), [[33, 33], [33, 33]]),
        # Nothing of the box is inside: the nearest border pixels fill it.
        ((-4, 1, -2, 3), [[10, 10], [20, 20]]),
        ((6, 1, 8, 3), [[13, 13], [23, 23]]),
        ((1, -4, 3, -2), [[1, 2], [1, 2]]),
        ((1, 6, 3, 8), [[31, 32], [31, 32]]),
    ],
    ids=["inside", "left", "right", "top", "bottom", "top left", "bottom right",
         "left of it", "right of it", "above it", "below it"],
)  # fmt: skip
def test_outside_the_image_its_border_goes_on(box_xyxy, expected):
    np.testing.assert_array_equal(faces.cut(_numbered(), box_xyxy, 2)[..., 0], expected)


def test_a_whole_image_is_scaled_to_the_square():
    halves = np.zeros((40, 20, 3), np.uint8)
    halves[:20] = 200
    square = faces.cut(halves, (0, 0, 20, 40), 10)
    assert (square.shape, square.dtype) == ((10, 10, 3), np.uint8)
    assert (square[:4] == 200).all()
    assert (square[6:] == 0).all()
