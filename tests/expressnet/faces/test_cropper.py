import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expressnet.faces import alignment, cropper, tiled_detection
from expressnet.faces.blazeface import Face


def _face(box_xyxy, eyes_xy=((0, 0), (1, 0)), nose_xy=(0.5, 1), score=0.9):
    return Face(box_xyxy, eyes_xy, nose_xy, score)


SMALL = _face((0, 0, 10, 10))
LARGE = _face((20, 20, 60, 50), score=0.6)
MIDDLE = _face((40, 45, 60, 55), score=0.5)


@pytest.mark.parametrize(
    ("found", "choice", "given_box_xyxy", "chosen"),
    [
        ([], "largest", (), None),
        ([], "central", (), None),
        ([SMALL, LARGE, MIDDLE], "largest", (), LARGE),
        ([SMALL, LARGE, MIDDLE], "central", (), MIDDLE),
        ([SMALL, LARGE], "largest", (0, 0, 12, 9), SMALL),
        ([SMALL, LARGE], "largest", (90, 90, 99, 99), None),
        ([], "largest", (0, 0, 10, 10), None),
    ],
)
def test_one_face_is_chosen(found, choice, given_box_xyxy, chosen):
    assert cropper.choose(found, choice, (100, 100), given_box_xyxy) is chosen


@pytest.mark.parametrize(
    ("eyes_xy", "nose_xy", "expected"),
    [
        (((0, 0), (10, 0)), (5, 6), 0.0),
        (((0, 0), (10, 0)), (8, 6), 0.3),
        (((0, 0), (10, 0)), (2, 6), -0.3),
        (((0, 0), (0, 10)), (-6, 8), 0.3),  # lying on the side
        (((0, 0), (10, 0)), (90, 6), 1.0),
        (((5, 5), (5, 5)), (6, 6), 0.0),
    ],
)
def test_yaw_is_where_the_nose_lies_between_the_eyes(eyes_xy, nose_xy, expected):
    assert cropper.yaw(_face((0, 0, 1, 1), eyes_xy, nose_xy)) == pytest.approx(expected)


def test_faces_that_lie_on_each_other_are_one():
    assert tiled_detection.each_once([_face((1, 0, 11, 10), score=0.5), SMALL, LARGE]) == [SMALL, LARGE]


@pytest.mark.parametrize(
    ("second", "expected"), [((0, 0, 10, 10), 1.0), ((5, 0, 15, 10), 1 / 3), ((10, 0, 20, 10), 0), ((3, 3, 3, 3), 0)]
)
def test_overlap_is_the_intersection_over_the_union(second, expected):
    assert tiled_detection.overlap((0, 0, 10, 10), second) == pytest.approx(expected)


def test_a_large_image_without_a_large_face_gets_a_second_look():
    assert tiled_detection.needed([], (700, 900))
    assert tiled_detection.needed([SMALL], (700, 900))
    assert not tiled_detection.needed([_face((0, 0, 200, 200))], (700, 900))
    assert not tiled_detection.needed([], (500, 900))


@pytest.mark.parametrize(
    ("box_xyxy", "eyes_xy", "margin", "expected"),
    [
        # Side 100, the eyes' middle at (50, 40): 40 px above it, 60 px below.
        ((0, 0, 100, 100), ((30, 40), (70, 40)), 0.0, (0, 0, 100, 100)),
        # 10 % more on every side: side 120, from 50 - 60 and from 40 - 48.
        ((0, 0, 100, 100), ((30, 40), (70, 40)), 0.1, (-10, -8, 110, 112)),
        # The longer side of the box is the square's, wherever the box lies.
        ((0, 0, 50, 100), ((80, 100), (120, 100)), 0.0, (50, 60, 150, 160)),
    ],
    ids=["eye line at 40 %", "margin", "longer side"],
)
def test_the_square_is_placed_by_the_eyes(box_xyxy, eyes_xy, margin, expected):
    assert alignment.aligned(_face(box_xyxy, eyes_xy), margin).box_xyxy == expected


coordinate = st.floats(-50, 500)


@given(st.tuples(*[coordinate] * 4), st.tuples(*[coordinate] * 4), st.floats(0, 0.9))
def test_the_eyes_lie_level_at_two_fifths_of_the_square(corners, eyes, margin):
    left, top, right, bottom = corners
    box_xyxy = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
    square = alignment.aligned(_face(box_xyxy, (eyes[:2], eyes[2:])), margin)
    angle = np.deg2rad(square.angle_deg)
    for x, y in (eyes[:2], eyes[2:]):  # turned back, both lie a tenth of the side above the centre
        beside, below = x - square.centre_xy[0], y - square.centre_xy[1]
        assert -np.sin(angle) * beside + np.cos(angle) * below == pytest.approx(-0.1 * square.side, abs=1e-6)


def _numbered(height=4, width=4):
    """Pixel (row, column) is 10 * row + column, in all three channels."""
    numbers = 10 * np.arange(height)[:, None] + np.arange(width)
    return np.repeat(numbers.astype(np.uint8)[..., None], 3, axis=2)


def _upright(box_xyxy):
    left, top, right, bottom = box_xyxy
    return alignment.Square(((left + right) / 2, (top + bottom) / 2), right - left, 0.0)


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
    ids=[
        "inside",
        "left",
        "right",
        "top",
        "bottom",
        "top left",
        "bottom right",
        "left of it",
        "right of it",
        "above it",
        "below it",
    ],
)
def test_outside_the_image_its_border_goes_on(box_xyxy, expected):
    np.testing.assert_array_equal(alignment.cut(_numbered(), _upright(box_xyxy), 2)[..., 0], expected)


def test_a_whole_image_is_scaled_to_the_square():
    halves = np.zeros((40, 20, 3), np.uint8)
    halves[:20] = 200
    square = alignment.whole(halves, 10)
    assert (square.shape, square.dtype) == ((10, 10, 3), np.uint8)
    assert (square[:4] == 200).all()
    assert (square[6:] == 0).all()


def test_a_turned_face_is_turned_back():
    rng = np.random.default_rng(0)
    upright = cv2.GaussianBlur(rng.integers(0, 256, (200, 200, 3), dtype=np.uint8), (0, 0), 5)
    straight = alignment.cut(upright, alignment.Square((100, 100), 80, 0), 40)
    turn = cv2.getRotationMatrix2D((99.5, 99.5), -30, 1)  # clockwise, about the image's centre
    turned = cv2.warpAffine(upright, turn, (200, 200))
    back = alignment.cut(turned, alignment.Square((100, 100), 80, 30), 40)
    assert np.abs(back.astype(int) - straight).mean() < 1


def test_a_large_square_is_averaged_down():
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 200  # finer than the output can show
    square = alignment.cut(stripes, alignment.Square((200, 200), 320, 0), 32)
    assert np.abs(square.astype(int) - 100).max() <= 2


def _authors_crop(image, x, y, w, h, size_px):
    """The authors' own lines, as far as they publish them."""
    ih, iw = image.shape[:2]
    x, y = max(0, x - w // 10), max(0, y - h // 10)
    w, h = min(iw, w + w // 5), min(ih, h + h // 5)
    return cv2.resize(image[y : y + h, x : x + w], (size_px, size_px))


@given(st.integers(-20, 90), st.integers(-20, 70), st.integers(4, 120), st.integers(4, 120))
def test_paper_mode_cuts_what_the_authors_cut(x, y, width, height):
    image = np.random.default_rng(1).integers(0, 256, (80, 100, 3), dtype=np.uint8)
    box_xyxy = alignment.paper_box(_face((x, y, x + width, y + height)), (80, 100))
    expected = _authors_crop(image[..., ::-1], x, y, width, height, 24)  # they work in BGR
    np.testing.assert_array_equal(alignment.cut_paper(image, box_xyxy, 24)[..., ::-1], expected)
