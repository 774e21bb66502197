import json

import pytest

from expressnet import console, summary


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    monkeypatch.setenv(console.RUN_DIR_VARIABLE, str(tmp_path))
    return tmp_path


def test_a_failure_is_told_with_its_stage_and_reason(run_dir):
    with pytest.raises(ValueError, match="no faces"), console.stage("crop", "Cutting"):
        raise ValueError("no faces | at all")
    found = summary.run(str(run_dir / "view.md"), "FAILED", "exit code 1")
    assert (found["failed_stage"], found["error"]) == ("crop", "no faces | at all")
    assert json.loads((run_dir / "run_summary.json").read_text()) == found
    assert "| failed | crop: no faces \\| at all |" in (run_dir / "view.md").read_text()


def test_without_a_journal_the_orchestrators_word_stands(tmp_path, monkeypatch):
    monkeypatch.delenv(console.RUN_DIR_VARIABLE, raising=False)
    found = summary.run(str(tmp_path / "view.md"), "FAILED", "the pod vanished")
    assert found["error"] == "the pod vanished"
    assert "# Run failed" in (tmp_path / "view.md").read_text()


def test_the_prohibition_is_part_of_every_summary(run_dir):
    summary.run(str(run_dir / "view.md"), "SUCCEEDED", "")
    assert "Art. 5(1)(f)" in (run_dir / "view.md").read_text()


def test_parts_of_a_stage_are_one_line_and_one_that_failed_is_the_stages_failure(run_dir):
    for part in (2, 0, 1):
        if part == 1:
            with pytest.raises(ValueError, match="no disk"), console.stage("cut", "Cutting", part=part):
                raise ValueError("no disk")
        else:
            with console.stage("cut", "Cutting", part=part) as journal:
                journal["num_photos"] = 10
    found = summary.run(str(run_dir / "view.md"), "FAILED", "exit code 1")
    assert found["failed_stage"] == "cut"
    assert found["error"] == "1 of 3 parts failed; cut-001: no disk"
    assert "| cut | failed, 3 parts |" in (run_dir / "view.md").read_text()


def test_a_part_that_succeeded_at_its_second_attempt_did_not_fail(run_dir):
    with pytest.raises(ValueError, match="no disk"), console.stage("cut", "Cutting", part=12):
        raise ValueError("no disk")
    with console.stage("cut", "Cutting", part=12):
        pass
    found = summary.run(str(run_dir / "view.md"), "SUCCEEDED", "")
    assert (found["failed_stage"], found["stages"]["cut"]["num_parts"]) == ("", 1)
