import re
from pathlib import Path

import pytest

from expressnet.config.ingest import IngestConfig
from expressnet.config.validate import ValidateConfig
from expressnet.data import manifest, shards
from expressnet.runtime import storage
from expressnet.stages import ingest, validate
from tests.made import planted_defects
from tests.made.planted_defects import INFO, PLANTED, clean_rows, in_parts

EVIL = "<script>alert(1)</script>"


def _with(column, value, places=(3,)):
    rows = clean_rows()
    rows.loc[list(places), column] = value
    return rows


def _found(rows, config=None, info=INFO):
    """Findings by check, of those that did not pass, and what they do."""
    checks = validate.check(in_parts(rows, 13), info, config or ValidateConfig(min_per_class=5))
    return {one.id: (one.result, one.finding) for one in checks if one.result != "passed"}


def _failed(rows, config=None):
    return {check: finding for check, (result, finding) in _found(rows, config).items() if result == "stop"}


@pytest.fixture
def clean(tmp_path, write_tree):
    """Output of ingest that passes."""
    tree = write_tree(tmp_path / "tree", {"happy": 10, "sad": 10})
    return Path(ingest.run(str(tree), tmp_path / "store", IngestConfig(dataset="folder")).plain()["path"])


def test_clean_data_pass_and_leave_the_checks_and_a_page(tmp_path, clean):
    report = validate.run(str(clean), str(tmp_path / "out"), ValidateConfig()).plain()
    result = storage.read_json(tmp_path / "out" / validate.Validation.FILE)
    num_checks = len(result["checks"])
    assert report == {
        "num_checks": num_checks,
        "num_failed": 0,
        "num_warnings": 0,
        "dataset_digest": clean.name,
    }
    assert result["dataset_digest"] == clean.name
    assert num_checks >= 20
    assert {one["result"] for one in result["checks"]} == {"passed"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "validation.json"]
    page = (tmp_path / "out" / validate.REPORT_FILE).read_text()
    assert clean.name in page
    assert page.count("<td>passed</td>") == num_checks
    assert page.count("<img") == page.count('src="data:image/png;base64,') == 4
    without_pictures = re.sub(r"base64,[^\"]*", "", page)
    assert not re.search(r"https?:|//|@import|<link|<script", without_pictures)


@pytest.mark.parametrize(
    ("rows", "title", "finding"),
    [
        (_with("width", 15), "width", r"1 against it: happy/3\.png \(15\)"),
        (_with("height", 12001), "height", r"1 against it: happy/3\.png \(12001\)"),
        (_with("bytes", 2**26 + 1), "bytes", r"happy/3\.png \(67108865\)"),
        (_with("label", "smile"), "labels_known", r"1 against it: happy/3\.png \(smile\)"),
        (_with("source_split", "val"), "splits_known", r"happy/3\.png \(val\)"),
        (_with("problem", "the file is empty"), "unreadable_share", r"happy/3\.png \(the file is"),
        (_with("sha256", "0" * 64, (3, 4)), "sha256_unique", r"2 against it: happy/3\.png .*; sad/4\.png"),
        (_with("sha256", "ABC"), "sha256_form", r"happy/3\.png \(ABC\)"),
        (_with("width", 1, range(7)), "width", r"7 against it: (.*; ){4}.* and 2 more"),
        (clean_rows().iloc[:9], "examples_per_class", r"1 against it: happy \(4\)"),
        (_with("label", "sad", range(20)), "examples_per_class", r"1 against it: happy \(0\)"),
    ],
    ids=[
        "narrow",
        "tall",
        "large",
        "unknown class",
        "unknown split",
        "unreadable",
        "twice",
        "no sha256",
        "many culprits",
        "too few",
        "a class without any",
    ],
)
def test_what_is_wrong_is_named_with_its_culprits_and_nothing_else_is(rows, title, finding):
    failed = _failed(rows)
    assert list(failed) == [title]
    assert re.search(finding, failed[title])


def test_an_unreadable_file_does_not_count_as_an_example_of_its_class():
    failed = _failed(_with("problem", "damaged image", (1, 3, 5, 7, 9, 11)))
    assert failed["examples_per_class"] == "1 against it: happy (4)"
    assert failed["unreadable_share"].startswith("6 against it: happy/1.png (damaged image)")


@pytest.mark.parametrize(
    "rows", [clean_rows().iloc[:0], clean_rows().assign(problem="damaged image")], ids=["none", "damaged"]
)
def test_data_of_which_nothing_can_be_used_fail(rows):
    assert "examples_per_class" in _failed(rows)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (
            "empty.jpg",
            b"",
            r"at most 1.0% of the files are no image: 1 against it: happy/empty\.jpg \(the file is empty\)",
        ),
        ("notes.txt", b"no image", r"happy/notes\.txt \(no image of a known format"),
    ],
)
def test_bad_files_stop_the_run_by_name_and_leave_a_page(tmp_path, clean, name, data, message):
    (tmp_path / "tree" / "happy" / name).write_bytes(data)
    path = ingest.run(str(tmp_path / "tree"), tmp_path / "store", IngestConfig(dataset="folder")).plain()["path"]
    with pytest.raises(ValueError, match=rf"The data did not pass validation:\n- .*{message}"):
        validate.run(path, str(tmp_path / "out"), ValidateConfig())
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.failed"]
    assert "FAILED" in (tmp_path / "out.failed" / validate.REPORT_FILE).read_text()


def test_a_data_set_that_lost_a_shard_is_refused(tmp_path, clean):
    name = manifest.read(clean)["shard"][0]
    (clean / shards.FOLDER / name).unlink()
    with pytest.raises(ValueError, match=rf"lost the shards \['{name}'\]\. Delete the folder and run again"):
        validate.run(str(clean), str(tmp_path / "out"), ValidateConfig())


@pytest.fixture
def store(tmp_path, write_tree):
    """A workspace's data sets: one of bright pictures, one of any colours."""
    for name, side_px in (("any", 24), ("other", 40)):
        tree = write_tree(tmp_path / name, {"happy": 10, "sad": 10}, side_px)
        ingest.run(str(tree), tmp_path / "store", IngestConfig(dataset="folder"))
    return tmp_path / "store"


def test_the_colours_of_another_data_set_are_shown_beside(tmp_path, store):
    one, other = sorted(path.parent for path in store.glob("*/dataset.json"))
    validate.run(str(one), str(tmp_path / "out"), ValidateConfig(compare_with=other.name[:6]))
    page = (tmp_path / "out" / validate.REPORT_FILE).read_text()
    assert f"<td>folder {one.name[:8]}</td>" in page
    assert f"<td>folder {other.name[:8]}</td>" in page


def test_only_a_data_set_of_the_workspace_can_be_shown_beside(tmp_path, store):
    one = min(path.parent for path in store.glob("*/dataset.json"))
    with pytest.raises(ValueError, match=rf"compare_with=zz .*; 0 begin so. .* are: {one.name[:8]} \(folder\), "):
        validate.run(str(one), str(tmp_path / "out"), ValidateConfig(compare_with="zz"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_per_class": 2}, "min_per_class must be at least 3; got 2"),
        ({"min_side_px": 0}, r"min_side_px must be positive; got 0"),
        ({"min_side_px": 9, "max_side_px": 8}, r"min_side_px must be in 1\.\.max_side_px; got 9"),
        ({"max_bytes": 0}, "max_bytes must be positive; got 0"),
    ],
)
def test_nonsense_is_no_gate(settings, message):
    with pytest.raises(ValueError, match=message):
        ValidateConfig(**settings)


@pytest.mark.parametrize("check", PLANTED)
def test_a_planted_defect_is_caught_and_named_by_its_own_check_alone(check):
    rows, facts, finding = PLANTED[check]
    found = _found(rows, info=INFO.model_copy(update=facts))
    assert list(found) == [check]
    assert re.search(finding, found[check][1])


def test_only_what_would_spoil_the_result_stops_the_run():
    results = {
        check: _found(rows, info=INFO.model_copy(update=facts))[check][0] for check, (rows, facts, _) in PLANTED.items()
    }
    assert {check for check, result in results.items() if result == "stop"} == {"classes_of_splits"}


@pytest.mark.parametrize("severity", ["stop", "warn"])
def test_the_user_may_change_what_a_failed_check_does(severity):
    rows, facts, _ = PLANTED["copies"]
    assert _found(rows, ValidateConfig(min_per_class=5, severities=f"copies={severity}"))["copies"][0] == severity
    assert _found(rows, ValidateConfig(min_per_class=5, severities="copies=off,exposure=stop")) == {}


@pytest.mark.parametrize(
    ("severities", "message"),
    [
        ("copys=off", "severities names the unknown check 'copys'; known are sha256_unique"),
        ("copies=no", "severities must"),
    ],
)
def test_a_mistyped_severity_is_refused(severities, message):
    with pytest.raises(ValueError, match=message):
        validate.check(in_parts(clean_rows(), 20), INFO, ValidateConfig(severities=severities))


def test_clean_data_raise_no_alarm():
    for draw in range(20):
        assert _found(planted_defects.clean_draw(draw)) == {}
