import json

import pytest

from expressnet.runtime import journal
from expressnet.stages import summary


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    monkeypatch.setenv(journal.RUN_DIR_VARIABLE, str(tmp_path))
    return tmp_path


def test_a_failure_is_told_with_its_stage_and_reason(run_dir):
    with pytest.raises(ValueError, match="no faces"), journal.stage("crop", "Cutting"):
        raise ValueError("no faces | at all")
    found = summary.run(str(run_dir / "view.md"), "FAILED", "exit code 1")
    assert (found["failed_stage"], found["error"]) == ("crop", "no faces | at all")
    assert json.loads((run_dir / "run_summary.json").read_text()) == found
    assert "| failed | crop: no faces \\| at all |" in (run_dir / "view.md").read_text()


def test_without_a_journal_the_orchestrators_word_stands(tmp_path, monkeypatch):
    monkeypatch.delenv(journal.RUN_DIR_VARIABLE, raising=False)
    found = summary.run(str(tmp_path / "view.md"), "FAILED", "the pod vanished")
    assert found["error"] == "the pod vanished"
    assert "# Run failed" in (tmp_path / "view.md").read_text()


def test_the_prohibition_is_part_of_every_summary(run_dir):
    summary.run(str(run_dir / "view.md"), "SUCCEEDED", "")
    assert "Art. 5(1)(f)" in (run_dir / "view.md").read_text()


def test_parts_of_a_stage_are_one_line_and_one_that_failed_is_the_stages_failure(run_dir):
    for part in (2, 0, 1):
        if part == 1:
            with pytest.raises(ValueError, match="no disk"), journal.stage("cut", "Cutting", part=part):
                raise ValueError("no disk")
        else:
            with journal.stage("cut", "Cutting", part=part) as entry:
                entry["num_photos"] = 10
    found = summary.run(str(run_dir / "view.md"), "FAILED", "exit code 1")
    assert found["failed_stage"] == "cut"
    assert found["error"] == "1 of 3 parts failed; cut-001: no disk"
    assert "| cut | failed, 3 parts |" in (run_dir / "view.md").read_text()


def test_a_part_that_succeeded_at_its_second_attempt_did_not_fail(run_dir):
    with pytest.raises(ValueError, match="no disk"), journal.stage("cut", "Cutting", part=12):
        raise ValueError("no disk")
    with journal.stage("cut", "Cutting", part=12):
        pass
    found = summary.run(str(run_dir / "view.md"), "SUCCEEDED", "")
    assert (found["failed_stage"], found["stages"]["cut"]["num_parts"]) == ("", 1)


def _outcomes(run_dir, state):
    summary.run(str(run_dir / "view.md"), state, "")
    rows = [line.split(" | ") for line in (run_dir / "view.md").read_text().splitlines() if line.count(" | ") == 2]
    return {name.strip("| "): outcome for name, outcome, _ in rows if name != "| stage"}


@pytest.mark.parametrize(
    ("state", "retrain", "expected"),
    [("SUCCEEDED", True, "reused"), ("SUCCEEDED", False, "not needed"), ("FAILED", True, "reused or not reached")],
)
def test_a_stage_of_the_graph_that_left_no_entry_is_said_to_be_what_can_be_known(
    run_dir, monkeypatch, state, retrain, expected
):
    monkeypatch.setenv(summary.STAGES_VARIABLE, "decide,ingest,summary,train,validate")
    with journal.stage("decide", "Comparing") as entry:
        entry.update(retrain=retrain, reason="")
    assert _outcomes(run_dir, state) == {
        "decide": "succeeded",
        "ingest": expected,
        "validate": expected,
        "train": expected,
    }


def test_a_run_without_a_word_about_its_graph_names_what_left_an_entry_only(run_dir):
    with journal.stage("crop", "Cutting"):
        pass
    assert _outcomes(run_dir, "SUCCEEDED") == {"crop": "succeeded"}
