import re
from pathlib import Path

import pandas as pd
import pytest

from expressnet import html, ingest, manifest, shards, storage, validate
from expressnet.config import IngestConfig, ValidateConfig

CLASSES = ["sad", "happy"]
EVIL = "<script>alert(1)</script>"


def _rows(count=20):
    """A manifest that passes: so many pictures, half of them sad and half of them happy."""
    return pd.DataFrame(
        {
            "sha256": [storage.bytes_sha256(b"%d" % number) for number in range(count)],
            "label": [CLASSES[number % 2] for number in range(count)],
            "source_split": "none",
            "source_uri": [f"{CLASSES[number % 2]}/{number}.png" for number in range(count)],
            "bytes": 1000,
            "width": 48,
            "height": 48,
            "problem": "",
        }
    )


def _with(column, value, places=(3,)):
    rows = _rows()
    rows.loc[list(places), column] = value
    return rows


def _failed(rows, config=None):
    checks = validate.check(rows, CLASSES, config or ValidateConfig(min_per_class=5))
    return {one["title"]: one["finding"] for one in checks if not one["success"]}


@pytest.fixture
def clean(tmp_path, write_tree):
    """Output of ingest that passes."""
    tree = write_tree(tmp_path / "tree", {"happy": 10, "sad": 10})
    return Path(ingest.run(str(tree), tmp_path / "store", IngestConfig(dataset="folder"))["path"])


def test_clean_data_pass_and_leave_the_checks_and_a_page(tmp_path, clean):
    report = validate.run(str(clean), str(tmp_path / "out"), ValidateConfig())
    result = storage.read_json(tmp_path / "out" / validate.RESULT_FILE)
    assert report == {"num_checks": 10, "num_failed": 0, "dataset_digest": clean.name}
    assert result["dataset_digest"] == clean.name
    assert [one["success"] for one in result["checks"]] == [True] * 10
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "validation.json"]
    page = (tmp_path / "out" / validate.REPORT_FILE).read_text()
    assert clean.name in page
    assert page.count("<td>passed</td>") == 10
    assert not re.search(r"https?:|//|@import|<link|<script|<img", page)


@pytest.mark.parametrize(
    ("rows", "title", "finding"),
    [
        (_with("width", 15), "width is 16 to 12000 px", r"1 do not: happy/3\.png \(15\)"),
        (_with("height", 12001), "height is 16 to 12000 px", r"1 do not: happy/3\.png \(12001\)"),
        (_with("bytes", 2**26 + 1), "a file has 1 to 67,108,864 bytes", r"happy/3\.png \(67108865\)"),
        (_with("label", "smile"), "labels are known classes", r"1 do not: happy/3\.png \(smile\)"),
        (_with("source_split", "val"), "published splits are known", r"happy/3\.png \(val\)"),
        (_with("problem", "the file is empty"), "every file is a readable image", r"happy/3\.png \(the file is"),
        (_with("sha256", "0" * 64, (3, 4)), "sha256 is unique", r"2 do not: happy/3\.png .*; sad/4\.png"),
        (_with("sha256", "ABC"), "sha256 is a SHA-256", r"happy/3\.png \(ABC\)"),
        (_with("width", 1, range(7)), "width is 16 to 12000 px", r"7 do not: (.*; ){4}.* and 2 more"),
        (_rows().iloc[:9], "every class has at least 5 examples", r"1 do not: happy \(4\)"),
        (_with("label", "sad", range(20)), "every class has at least 5 examples", r"1 do not: happy \(0\)"),
    ],
    ids=["narrow", "tall", "large", "unknown class", "unknown split", "unreadable", "twice", "no sha256",
         "many culprits", "too few", "a class without any"],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_culprits_and_nothing_else_is(rows, title, finding):
    failed = _failed(rows)
    assert list(failed) == [title]
    assert re.search(finding, failed[title])


def test_an_unreadable_file_does_not_count_as_an_example_of_its_class():
    failed = _failed(_with("problem", "damaged image", (1, 3, 5, 7, 9, 11)))
    assert failed["every class has at least 5 examples"] == "1 do not: happy (4)"
    assert failed["every file is a readable image"].startswith("6 do not: happy/1.png (damaged image)")


@pytest.mark.parametrize("rows", [_rows().iloc[:0], _rows().assign(problem="damaged image")], ids=["none", "damaged"])
def test_data_of_which_nothing_can_be_used_fail(rows):
    assert "every class has at least 5 examples" in _failed(rows)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.jpg", b"", r"every file is a readable image: 1 do not: happy/empty\.jpg \(the file is empty\)"),
        ("notes.txt", b"no image", r"happy/notes\.txt \(no image of a known format"),
    ],
)
def test_bad_files_stop_the_run_by_name_and_nothing_is_written(tmp_path, clean, name, data, message):
    (tmp_path / "tree" / "happy" / name).write_bytes(data)
    path = ingest.run(str(tmp_path / "tree"), tmp_path / "store", IngestConfig(dataset="folder"))["path"]
    with pytest.raises(ValueError, match=rf"The data did not pass validation:\n- .*{message}"):
        validate.run(path, str(tmp_path / "out"), ValidateConfig())
    assert not list(tmp_path.glob("out*"))


def test_a_data_set_that_lost_a_shard_is_refused(tmp_path, clean):
    name = manifest.read(clean)["shard"][0]
    (clean / shards.FOLDER / name).unlink()
    with pytest.raises(ValueError, match=rf"lost the shards \['{name}'\]\. Delete the folder and run again"):
        validate.run(str(clean), str(tmp_path / "out"), ValidateConfig())


def test_the_page_escapes_what_came_from_the_data(clean):
    info = storage.read_json(clean / ingest.INFO_FILE) | {"class_counts": {EVIL: 3}, "layout": EVIL, "dataset": EVIL}
    page = validate.render(info, [{"title": "t", "success": False, "finding": f"1 do not: {EVIL}"}])
    assert "<script" not in page
    assert page.count(html.escape(EVIL)) == 5  # title, heading, layout, class and finding
    assert "<td>FAILED</td>" in page


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_per_class": 2}, r"min_per_class must be at least 3 \(train, val, test\); got 2"),
        ({"min_side_px": 0}, r"min_side_px must be in 1\.\.max_side_px; got 0"),
        ({"min_side_px": 9, "max_side_px": 8}, r"min_side_px must be in 1\.\.max_side_px; got 9"),
        ({"max_bytes": 0}, "max_bytes must be positive; got 0"),
    ],
)
def test_nonsense_is_no_gate(settings, message):
    with pytest.raises(ValueError, match=message):
        ValidateConfig(**settings)
