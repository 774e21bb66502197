import csv
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.config.ingest import IngestConfig
from expressnet.data import deduplicate, forgotten, manifest, shards
from expressnet.runtime import storage
from expressnet.stages import ingest

# Ingests, and kills itself with SIGKILL right before it opens or renames a file for the n-th time.
INGEST_UNTIL_KILLED = """
import os, signal, sys
from expressnet.data import shards
from expressnet.stages import ingest
from expressnet.config.ingest import IngestConfig

shards.MAX_SHARD_BYTES = int(sys.argv.pop())
source, store, event, ending, count = sys.argv[1:]
remaining = int(count)

def kill(name, arguments):
    global remaining
    if name == event and str(arguments[0]).endswith(ending):
        remaining -= 1
        if remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    sys.addaudithook(kill)
    ingest.run(source, store, IngestConfig(dataset="folder"))
"""


def _ingest(source, store, dataset="folder", limit=0):
    return ingest.run(str(source), store, IngestConfig(dataset=dataset, limit=limit, licence_accepted=True)).plain()


def _files(folder):
    """Bytes of every file below a folder, by relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def tree(tmp_path, write_tree):
    """Twelve pictures of two classes."""
    return write_tree(tmp_path / "tree", {"happy": 7, "sad": 5})


def test_every_picture_is_stored_as_it_was_and_described(tmp_path, tree):
    report = _ingest(tree, tmp_path / "store")
    rows = manifest.read(report["path"])
    reader = shards.Reader(report["path"])
    assert len(rows) == 12
    for row in rows.itertuples():
        original = (tree / row.source_uri).read_bytes()
        assert reader.read(shards.Location(row.shard, row.offset, row.size)) == original
        assert row.sha256 == storage.bytes_sha256(original)
        assert (row.label, row.source_split, row.subject) == (row.source_uri.split("/")[0], "none", "")
        assert (row.format, row.width, row.height, row.problem) == ("PNG", 24, 24, "")
        assert (row.bytes, row.copies) == (len(original), 1)


def test_the_report_is_plain_and_names_the_folder(tmp_path, tree):
    report = _ingest(tree, tmp_path / "store")
    assert Path(report["path"]) == tmp_path / "store" / report["dataset_digest"]
    assert {type(value) for value in report.values()} <= {int, float, str, bool}
    assert report["class_counts"] == "happy 7, sad 5"
    assert report["classes"] == "sad, happy"
    assert (report["num_records"], report["num_examples"], report["num_duplicates"]) == (12, 12, 0)


def test_the_same_content_elsewhere_under_other_names_is_the_same_data_set(tmp_path, tree):
    for number, path in enumerate(sorted(tree.rglob("*.png"), reverse=True)):
        other = tmp_path / "other" / {"happy": "Happiness", "sad": "sad"}[path.parent.name] / f"x{number:02d}.jpg"
        other.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, other)
    first, second = _ingest(tree, tmp_path / "a"), _ingest(tmp_path / "other", tmp_path / "b")
    assert first["dataset_digest"] == second["dataset_digest"]
    assert _files(Path(first["path"]) / shards.FOLDER) == _files(Path(second["path"]) / shards.FOLDER)


def test_both_column_orders_of_fer2013_are_the_same_data_set(tmp_path, write_fer2013):
    rows = [(code, "Training", [code] * 48**2) for code in range(7)]
    digests = [
        _ingest(write_fer2013(tmp_path / f"{place}.csv", order, header), tmp_path / "store", "fer2013")[
            "dataset_digest"
        ]
        for place, (order, header) in enumerate(
            [(rows, "emotion,pixels,Usage"), (rows[::-1], "emotion, Usage, pixels")]
        )
    ]
    assert digests[0] == digests[1]


@pytest.mark.parametrize("change", ["another picture", "another class", "another published split", "a second copy"])
def test_other_content_is_another_data_set(tmp_path, tree, change):
    before = _ingest(tree, tmp_path / "store")["dataset_digest"]
    if change == "another picture":
        (tree / "happy" / "000.png").unlink()
    elif change == "another class":
        (tree / "happy" / "000.png").rename(tree / "sad" / "new.png")
    elif change == "a second copy":
        shutil.copyfile(tree / "happy" / "000.png", tree / "happy" / "copy.png")
    else:
        (tmp_path / "above").mkdir()
        tree = tree.rename(tmp_path / "above" / "test").parent
    assert _ingest(tree, tmp_path / "store")["dataset_digest"] != before


def test_the_same_bytes_become_one_row_with_two_copies(tmp_path, tree):
    shutil.copyfile(tree / "happy" / "000.png", tree / "happy" / "copy.png")
    report = _ingest(tree, tmp_path / "store")
    rows = manifest.read(report["path"]).set_index("source_uri")
    assert rows.loc["happy/000.png", "copies"] == 2
    assert rows["copies"].sum() == 13
    assert "happy/copy.png" not in rows.index
    assert (report["num_records"], report["num_examples"], report["num_duplicates"]) == (13, 12, 1)


def test_the_same_bytes_under_two_labels_are_left_out_and_listed(tmp_path, tree):
    shutil.copyfile(tree / "happy" / "000.png", tree / "sad" / "copy.png")
    report = _ingest(tree, tmp_path / "store")
    assert (report["num_examples"], report["num_conflicting"]) == (11, 2)
    assert not {"happy/000.png", "sad/copy.png"} & set(manifest.read(report["path"])["source_uri"])
    with (Path(report["path"]) / deduplicate.CONFLICTS_FILE).open(newline="") as file:
        listed = [(row["source_uri"], row["label"]) for row in csv.DictReader(file)]
    assert listed == [("happy/000.png", "happy"), ("sad/copy.png", "sad")]


def test_a_source_of_which_nothing_remains_is_refused_with_the_reason(tmp_path, write_tree):
    tree = write_tree(tmp_path / "tree", {"happy": 1})
    shutil.copytree(tree / "happy", tree / "sad")
    with pytest.raises(ValueError, match="label"):
        _ingest(tree, tmp_path / "store")


def test_the_test_copy_wins_over_the_train_copy(tmp_path, write_tree):
    tree = write_tree(tmp_path / "tree", {"train/happy": 2, "test/happy": 1})
    shutil.copyfile(tree / "train" / "happy" / "000.png", tree / "test" / "happy" / "twin.png")
    rows = manifest.read(_ingest(tree, tmp_path / "store")["path"]).set_index("source_uri")
    assert sorted(rows["source_split"]) == ["test", "test", "train"]
    assert rows.loc["test/happy/twin.png", "copies"] == 2


def test_a_limit_takes_so_many_and_the_same_ones_again(tmp_path, tree):
    first, second = _ingest(tree, tmp_path / "a", limit=6), _ingest(tree, tmp_path / "b", limit=6)
    assert first["num_examples"] == 6
    assert first["dataset_digest"] == second["dataset_digest"]
    assert _ingest(tree, tmp_path / "a", limit=100)["num_examples"] == 12


def test_ingesting_again_writes_nothing(tmp_path, tree):
    def stamps(report):
        paths = [Path(report["path"]), *sorted(Path(report["path"]).rglob("*"))]
        return [(path, path.stat().st_ino, path.stat().st_mtime_ns) for path in paths]

    first = _ingest(tree, tmp_path / "store")
    before = stamps(first)
    assert _ingest(tree, tmp_path / "store") == first
    assert stamps(first) == before


def test_four_at_once_store_the_data_set_once(tmp_path, tree):
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(_ingest, [tree] * 4, [tmp_path / "store"] * 4))
    assert all(report == reports[0] for report in reports)
    assert len(manifest.read(reports[0]["path"])) == 12
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == [
        reports[0]["dataset_digest"],
        f"{reports[0]['dataset_digest']}.lock",
    ]


@pytest.fixture(scope="module")
def large_tree(tmp_path_factory, write_tree):
    """Pictures for sixteen shards of the size that `small_shards` makes them."""
    return write_tree(tmp_path_factory.mktemp("large"), {"happy": 200, "sad": 200}, side_px=16)


@pytest.fixture
def small_shards(monkeypatch):
    """So few bytes a shard that 400 pictures fill sixteen."""
    monkeypatch.setattr(shards, "MAX_SHARD_BYTES", 60_000)
    return shards.MAX_SHARD_BYTES


@pytest.fixture
def undisturbed(tmp_path_factory, large_tree, small_shards):
    """Digest and files of a run that nobody killed."""
    report = _ingest(large_tree, tmp_path_factory.mktemp("undisturbed"))
    return report["dataset_digest"], _files(Path(report["path"]))


@pytest.mark.parametrize(
    ("event", "ending", "count", "num_shards"),
    [
        ("open", ".tar.partial", 1, 0),
        ("os.rename", ".tar.partial", 1, 0),
        ("os.rename", ".tar.partial", 9, 8),
        ("open", ".png", 200, 7),  # the workers look at all; this process stores the half
        ("open", "label_conflicts.csv", 1, 16),
        ("os.rename", ".partial", 33, 16),  # sixteen shards and their indices, and now dataset.json
        ("os.rename", ".partial", 34, 16),  # and now the whole folder
    ],
    ids=[
        "before the first shard",
        "after the first shard, before it has its name",
        "after eight shards",
        "in the middle of a shard",
        "after the manifest",
        "before dataset.json has its name",
        "before the last rename",
    ],
)
def test_a_killed_run_shows_nothing_and_is_completed_by_the_next(
    tmp_path, large_tree, undisturbed, small_shards, event, ending, count, num_shards
):
    digest, expected = undisturbed
    command = [sys.executable, "-c", INGEST_UNTIL_KILLED, large_tree, tmp_path, event, ending, count, small_shards]
    killed = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / digest).exists()
    left = sorted((tmp_path / f"{digest}.partial" / shards.FOLDER).glob("*.tar"))
    assert abs(len(left) - num_shards) <= 1
    kept = {path.name: path.stat().st_ino for path in left}

    assert _ingest(large_tree, tmp_path)["dataset_digest"] == digest
    assert _files(tmp_path / digest) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == [digest, f"{digest}.lock"]
    again = {name: (tmp_path / digest / shards.FOLDER / name).stat().st_ino for name in kept}
    assert again == kept  # a finished shard is not written a second time


def test_a_shard_that_was_damaged_after_a_kill_is_written_again(tmp_path, tree):
    report = _ingest(tree, tmp_path / "store")
    whole = _files(Path(report["path"]))
    partial = Path(report["path"]).rename(Path(report["path"] + storage.PARTIAL_SUFFIX))
    (partial / DatasetInfo.FILE).unlink()
    for shard in (partial / shards.FOLDER).iterdir():
        shard.write_bytes(bytes(10240))  # an empty tar
    _ingest(tree, tmp_path / "store")
    assert _files(Path(report["path"])) == whole


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda data: b"", "the file is empty"),
        (lambda data: b"%PDF-1.7 a document", "no image of a known format"),
        (lambda data: data[: len(data) // 2], "damaged image"),
    ],
    ids=["empty", "no image", "truncated"],
)
def test_a_file_that_is_no_image_is_stored_with_its_problem(tmp_path, tree, damage, problem):
    path = tree / "happy" / "000.png"
    data = damage(path.read_bytes())
    path.write_bytes(data)
    report = _ingest(tree, tmp_path / "store")
    row = manifest.read(report["path"]).set_index("source_uri").loc["happy/000.png"]
    assert row["problem"].startswith(problem)
    assert (row["format"], row["width"], row["height"], row["bytes"]) == ("", 0, 0, len(data))
    place = shards.Location(row["shard"], int(row["offset"]), int(row["size"]))
    assert shards.Reader(report["path"]).read(place) == data


INGEST_A_CHANGING_SOURCE = """
import sys
from pathlib import Path
from expressnet.stages import ingest
from expressnet.config.ingest import IngestConfig

source, store = sys.argv[1:]
changing = Path(source) / "happy" / "000.png"

def change(name, arguments):  # the workers have looked at it; now this process opens it to store it
    if name == "open" and str(arguments[0]) == str(changing) and arguments[1] == "r":
        changing.write_bytes(b"something else")

if __name__ == "__main__":
    sys.addaudithook(change)
    ingest.run(source, store, IngestConfig(dataset="folder"))
"""


def test_a_source_that_changes_while_it_is_read_is_refused(tmp_path, tree):
    command = [sys.executable, "-c", INGEST_A_CHANGING_SOURCE, str(tree), str(tmp_path / "store")]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert "happy/000.png changed while it was read. Run again when nobody writes to the source." in ended.stderr
    assert ended.returncode == 1
    assert not [path for path in (tmp_path / "store").iterdir() if len(path.name) == 64]


def test_a_bad_row_of_a_csv_stops_the_run_by_its_number(tmp_path, write_fer2013):
    rows = [(3, "Training", [0] * 48**2), (3, "Training", [300] * 48**2)]
    with pytest.raises(ValueError, match=r"row 2 \(line 3\): pixels must be in 0\.\.255; got 300\.\.300"):
        _ingest(write_fer2013(tmp_path / "fer2013.csv", rows), tmp_path / "store", "fer2013")
    assert not (tmp_path / "store").exists()


def test_a_file_name_of_another_age_does_not_stop_the_run(tmp_path, tree):
    (tree / "happy" / "000.png").rename(tree / "happy" / os.fsdecode(b"Zo\xeb.png"))  # Latin-1
    assert _ingest(tree, tmp_path / "store")["num_examples"] == 12


def test_examples_that_are_to_be_forgotten_are_left_out_and_counted(tmp_path, tree):
    sha256 = storage.bytes_sha256((tree / "sad" / "000.png").read_bytes())
    forgotten.add(tmp_path, [sha256])
    report = _ingest(tree, tmp_path / "store")
    assert (report["num_examples"], report["num_forgotten"]) == (11, 1)
    assert sha256 not in set(manifest.read(report["path"])["sha256"])
