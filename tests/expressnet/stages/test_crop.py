import csv
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

from expressnet.artifacts.crops_info import CropsInfo
from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.config.base import chosen
from expressnet.config.crop import CropConfig
from expressnet.config.ingest import IngestConfig
from expressnet.data import manifest, shards
from expressnet.faces import alignment
from expressnet.imaging import codec
from expressnet.report import crop_page
from expressnet.runtime import storage
from expressnet.stages import crop, ingest

SIZE_PX = 64
NUM_EXAMPLES = 100  # as many as two processes share

CROP = """
import sys
from expressnet.stages import crop
from expressnet.config.crop import CropConfig

if __name__ == "__main__":
    print(crop.run(sys.argv[1], sys.argv[2], CropConfig(num_workers=1)).plain())
"""

DETECT = """
import sys
import numpy as np
from expressnet.faces import blazeface
from expressnet.stages import crop

detector = blazeface.Detector(blazeface.model_path("short_range"), 0.5)
detector.detect(np.zeros((64, 64, 3), np.uint8))
print(sorted({name.split(".")[0] for name, module in sys.modules.items() if module is not None}))
"""


def _ingest(tree, store):
    return ingest.run(str(tree), store, IngestConfig(dataset="folder")).plain()["path"]


@pytest.fixture(scope="module")
def portraits(tmp_path_factory):
    """Data set of one real face (an astronaut's), the same mirrored, a cat and plain colours."""
    tree = tmp_path_factory.mktemp("portraits") / "tree"
    for name in ("happy", "neutral"):
        (tree / name).mkdir(parents=True)
    for number in range(NUM_EXAMPLES - 3):
        Image.new("RGB", (40, 40), (2 * number, 100, 50)).save(tree / "neutral" / f"{number}.png")
    Image.fromarray(pictures.astronaut()).save(tree / "happy" / "astronaut.png")
    Image.fromarray(pictures.astronaut()[:, ::-1]).save(tree / "happy" / "mirrored.png")
    Image.fromarray(pictures.chelsea()).save(tree / "neutral" / "cat.png")
    return _ingest(tree, tree.parent / "store")


@pytest.fixture(scope="module")
def cropped(portraits, tmp_path_factory):
    """The crops of `portraits`, cut by one process: report, folder and rows by source."""
    report = crop.run(portraits, tmp_path_factory.mktemp("cropped"), CropConfig(size_px=SIZE_PX, num_workers=1)).plain()
    out_dir = Path(report["path"])
    return report, out_dir, manifest.read(out_dir).set_index("source_uri")


def _pixels(folder, row):
    place = shards.Location(row["shard"], int(row["offset"]), int(row["size"]))
    return np.asarray(Image.open(io.BytesIO(shards.Reader(folder).read(place))))


def test_the_face_is_found_and_nothing_else_is_one(cropped):
    report, _, rows = cropped
    assert sorted(rows.index[rows["face_found"]]) == ["happy/astronaut.png", "happy/mirrored.png"]
    assert (report["num_examples"], report["num_faces_found"], report["face_rate"]) == (NUM_EXAMPLES, 2, 0.02)
    assert (rows["score"] > 0.5).eq(rows["face_found"]).all()


def test_the_eyes_of_the_astronaut_lie_at_two_fifths_of_the_square(cropped):
    # Measured by hand in the photograph: the middle between the eyes is at about x = 225, y = 113.
    left, top, right, bottom = cropped[2].loc["happy/astronaut.png", "box_xyxy"]
    assert right - left == bottom - top
    assert (left + right) / 2 == pytest.approx(225, abs=8)
    assert top + 0.4 * (bottom - top) == pytest.approx(113, abs=8)
    assert 80 < right - left < 160


def test_a_mirrored_photograph_gives_the_mirrored_box(cropped):
    astronaut, mirrored = (cropped[2].loc[f"happy/{name}.png", "box_xyxy"] for name in ("astronaut", "mirrored"))
    np.testing.assert_allclose(mirrored, [512 - astronaut[2], astronaut[1], 512 - astronaut[0], astronaut[3]], atol=6)


def test_every_crop_is_a_square_of_the_wanted_size_that_can_be_cut_again(cropped, portraits):
    _, out_dir, rows = cropped
    photos = manifest.read(portraits).set_index("source_uri")
    reader = shards.Reader(portraits)
    for uri, row in rows.iterrows():
        (place,) = shards.locate(photos.loc[[uri]])
        rgb, pixels = codec.decode_rgb(reader.read(place)), _pixels(out_dir, row)
        assert pixels.shape[:2] == (SIZE_PX, SIZE_PX)
        if not row["face_found"]:
            np.testing.assert_array_equal(pixels, alignment.whole(rgb, SIZE_PX))
            continue
        left, top, right, bottom = row["box_xyxy"]
        square = alignment.Square(((left + right) / 2, (top + bottom) / 2), right - left, row["angle_deg"])
        # The box is rounded to whole pixels of the photograph.
        assert np.abs(alignment.cut(rgb, square, SIZE_PX).astype(int) - pixels).mean() < 4


def test_where_no_face_is_found_the_whole_image_is_taken(cropped):
    row = cropped[2].loc["neutral/cat.png"]
    assert (bool(row["face_found"]), row["num_faces"], row["score"]) == (False, 0, 0)
    assert list(row["box_xyxy"]) == [0, 0, 451, 300]  # width and height of the photograph


def test_what_was_run_is_written_beside_the_crops(cropped, portraits):
    report, out_dir, _ = cropped
    info = storage.read_json(out_dir / CropsInfo.FILE)
    where = {"path": str(out_dir), "crops": out_dir.name}
    assert {name: info[name] for name in report if name not in where} | where == report
    assert info["dataset"] == DatasetInfo.read(portraits).as_dict()
    assert info["face_rate_by_class"] == {"happy": 1.0, "neutral": 0.0}
    assert info["config"] == {
        "mode": "aligned",
        "size_px": SIZE_PX,
        "margin": 0.1,
        "detector": "auto",
        "min_score": 0.5,
        "face_choice": "largest",
    }


def test_the_page_shows_rates_by_class_and_how_far_both_models_agree(cropped):
    report, out_dir, rows = cropped
    compared = rows[rows["sha256"].map(lambda key: int(key[-4:], 16) % 16 == 0)]
    assert report["num_compared"] == len(compared) > 0
    assert report["short_range_rate"] == compared["face_found"].mean()
    assert 0 <= report["agreement"] <= 1
    page = (out_dir / crop_page.FILE_NAME).read_text()
    assert "<td>happy</td><td>2</td><td>1.000</td><td>0.000</td>" in page
    assert "<img" not in page  # no photograph, no crop


def test_the_page_shows_crops_where_the_licence_allows_it_and_somebody_asks(tmp_path, capsys):
    demo = ingest.run("", tmp_path / "datasets", IngestConfig(dataset="demo", limit=28)).plain()["path"]
    page = Path(crop.run(demo, tmp_path, CropConfig(size_px=SIZE_PX)).plain()["path"]) / crop_page.FILE_NAME
    assert "<img" not in page.read_text()
    crop.run(demo, tmp_path, CropConfig(size_px=SIZE_PX, pictures=True))
    assert "cropped before" in capsys.readouterr().out
    alternative_texts = re.findall(r'<img [^>]*alt="([^"]*)"', page.read_text())
    assert alternative_texts == ["Surest faces: 24 crops", "Least sure faces: 24 crops"]
    crop.run(demo, tmp_path, CropConfig(size_px=SIZE_PX))
    assert "<img" not in page.read_text()


def test_the_page_says_why_it_shows_no_crops(portraits, tmp_path, capsys):
    dataset = shutil.copytree(portraits, tmp_path / "dataset")
    info = storage.read_json(dataset / DatasetInfo.FILE)
    storage.write_json(dataset / DatasetInfo.FILE, info | {"pictures_allowed": False})
    report = crop.run(str(dataset), tmp_path, CropConfig(size_px=SIZE_PX, pictures=True)).plain()
    page = (Path(report["path"]) / crop_page.FILE_NAME).read_text()
    for told in (page, capsys.readouterr().out):
        assert "the licence of folder does not allow them here" in told
    assert "<img" not in page


def test_the_mode_of_a_run_is_that_of_its_protocol_unless_it_says_otherwise():
    modes = [
        CropConfig.of_run(protocol=protocol, **chosen(CropConfig, {"crop_mode": mode})).mode
        for mode, protocol in (
            ("auto", "honest"),
            ("auto", "paper"),
            ("aligned", "paper"),
            ("paper", "honest"),
            ("whole", "honest"),
        )
    ]
    assert modes == ["aligned", "paper", "aligned", "paper", "whole"]


def test_the_mode_whole_keeps_the_image_and_says_whether_it_has_a_face(portraits, cropped, tmp_path):
    report = crop.run(portraits, tmp_path, CropConfig(mode="whole", size_px=SIZE_PX, num_workers=1)).plain()
    rows = manifest.read(report["path"]).set_index("source_uri")
    aligned = manifest.read(cropped[0]["path"]).set_index("source_uri")
    astronaut = rows.loc["happy/astronaut.png"]
    assert (list(astronaut["box_xyxy"]), astronaut["angle_deg"]) == ([0, 0, 512, 512], 0.0)
    reader = shards.Reader(report["path"])
    stored = reader.read(shards.Location(astronaut["shard"], astronaut["offset"], astronaut["size"]))
    reader.close()
    assert (codec.decode_rgb(stored) == alignment.whole(pictures.astronaut(), SIZE_PX)).all()
    for name in ("face_found", "num_faces", "score", "face_width", "yaw"):
        assert (rows[name] == aligned[name]).all()


def test_cropping_again_cuts_nothing(portraits, cropped):
    stamps = {path: path.stat().st_mtime_ns for path in cropped[1].rglob("*")}
    again = crop.run(portraits, cropped[1].parent, CropConfig(size_px=SIZE_PX)).plain()
    assert again == cropped[0]
    assert {path: path.stat().st_mtime_ns for path in cropped[1].rglob("*")} == stamps


def test_two_processes_write_what_one_writes(portraits, cropped, tmp_path):
    report = crop.run(portraits, tmp_path, CropConfig(size_px=SIZE_PX, num_workers=2)).plain()
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (cropped[1], Path(report["path"]))
    )
    assert first == second


def test_the_mode_of_the_paper_takes_the_first_face_of_the_full_range_model(portraits, tmp_path):
    report = crop.run(portraits, tmp_path, CropConfig(size_px=SIZE_PX, mode="paper")).plain()
    rows = manifest.read(report["path"]).set_index("source_uri")
    assert report["detector"] == "full_range"
    assert rows.loc["happy/astronaut.png", "face_found"]
    assert rows["angle_deg"].eq(0).all()


MONTAGE = ("grace_hopper.jpg", "astronaut.png", "hopper_gray.jpg", "hopper.webp", "UPPER.JPG")


def test_small_faces_in_a_large_photograph_are_found(shared_data, tmp_path):
    """Five portraits, scaled so that the faces are 60 to 100 px wide, on a background of 1,600 x 1,200 px."""
    (tmp_path / "tree" / "happy").mkdir(parents=True)
    montage = Image.new("RGB", (1600, 1200), (120, 140, 110))
    for place, name in enumerate(MONTAGE):
        portrait = Image.open(shared_data / "photos" / name).convert("RGB")
        portrait.thumbnail((220, 220))
        montage.paste(portrait, (60 + 300 * place, 80 + 200 * place))
    montage.save(tmp_path / "tree" / "happy" / "montage.png")
    report = crop.run(
        _ingest(tmp_path / "tree", tmp_path / "store"), tmp_path / "crops", CropConfig(size_px=SIZE_PX)
    ).plain()
    (num_faces,) = manifest.read(report["path"])["num_faces"]
    assert 4 <= num_faces <= 5


@pytest.fixture(scope="module")
def photos(shared_data, tmp_path_factory):
    """The crops of the shared photographs that can be read: folder, rows by name, and how many faces each shows."""
    root = tmp_path_factory.mktemp("photos")
    (root / "tree" / "happy").mkdir(parents=True)
    num_faces = {}
    with (shared_data / "photos" / "MANIFEST.tsv").open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            photo = shared_data / "photos" / row["file"]
            if not codec.inspect(photo.read_bytes()).problem:
                shutil.copyfile(photo, root / "tree" / "happy" / row["file"])
                num_faces[row["file"]] = int(row["faces"])
    report = crop.run(_ingest(root / "tree", root / "store"), root / "crops", CropConfig(size_px=SIZE_PX)).plain()
    rows = manifest.read(report["path"])
    return Path(report["path"]), rows.set_index(rows["source_uri"].str.removeprefix("happy/")), num_faces


def test_the_faces_of_the_shared_photographs_are_found_and_nothing_else_is_one(photos):
    _, rows, num_faces = photos
    assert len(rows) == len(num_faces) >= 30
    assert set(rows.index[rows["face_found"]]) == {name for name, count in num_faces.items() if count}


def test_a_face_stored_in_any_orientation_is_cut_out_alike(photos):
    folder, rows, _ = photos
    crops = [_pixels(folder, rows.loc[f"exif_{number}.jpg"]).astype(int) for number in (1, 2, 4, 6, 8)]
    for pixels in crops[1:]:
        assert np.abs(pixels - crops[0]).mean() < 8


def test_the_process_that_detects_imports_no_tensorflow():
    done = subprocess.run([sys.executable, "-c", DETECT], capture_output=True, text=True, check=True)
    assert "'mediapipe'" in done.stdout
    assert "'tensorflow'" not in done.stdout
    assert "'keras'" not in done.stdout


@pytest.mark.needs_tool("strace")
def test_cropping_opens_no_connection(portraits, tmp_path):
    script, trace = tmp_path / "crop_once.py", tmp_path / "trace"
    script.write_text(CROP)
    calls = "trace=connect,sendto,sendmsg,sendmmsg,execve"
    watched = ["strace", "-f", "-qq", "-s", "80", "-e", calls, "-o", str(trace)]
    command = [*watched, sys.executable, str(script), portraits, str(tmp_path / "faces")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "'num_faces_found': 2" in done.stdout, done.stderr
    made = trace.read_text().splitlines()
    assert any("execve(" in call and "multiprocessing.spawn" in call for call in made)  # the worker is watched too
    assert [call for call in made if "AF_INET" in call] == []
