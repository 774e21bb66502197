import errno
import os

import pytest

from expressnet.runtime import console, journal, storage


def _journal(folder, name="crop"):
    return storage.read_json(folder / "journal" / f"{name}.json")


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    """The folder of the run that the test belongs to."""
    monkeypatch.setenv(journal.RUN_DIR_VARIABLE, str(tmp_path))
    return tmp_path


def test_a_stage_marks_every_line_and_says_what_it_does_and_that_it_is_done(capsys):
    with journal.stage("crop", "Cutting out faces"):
        console.say("one\ntwo")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["[crop] Cutting out faces", "[crop] one", "[crop] two"]
    assert lines[3:] == ["[crop] done in 0.0 s"]


def test_a_stage_that_succeeds_leaves_its_report_in_the_journal(run_dir):
    with journal.stage("crop", "Cutting out faces") as entry:
        entry.update({"num_examples": 3, "face_rate": 0.5})
    found = _journal(run_dir)
    assert 0 <= found.pop("seconds") < 1
    assert found == {"stage": "crop", "status": "succeeded", "report": {"num_examples": 3, "face_rate": 0.5}}


def test_a_stage_that_fails_says_why_once_leaves_the_reason_in_the_journal_and_goes_on_failing(run_dir, capsys):
    with pytest.raises(ValueError, match="no such class"), journal.stage("crop", "Cutting out faces"):
        raise ValueError("no such class: 'smile'")
    assert _journal(run_dir)["status"] == "failed"
    assert _journal(run_dir)["error"] == "no such class: 'smile'"
    assert "report" not in _journal(run_dir)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["[crop] Cutting out faces", "[crop] error: no such class: 'smile'"]


def test_a_stage_that_is_interrupted_is_a_failed_one(run_dir):
    with pytest.raises(KeyboardInterrupt, match="by hand"), journal.stage("crop", "Cutting out faces"):
        raise KeyboardInterrupt("by hand")
    assert _journal(run_dir)["status"] == "failed"


def test_every_stage_of_a_run_has_its_own_entry(run_dir):
    for name in ("ingest", "validate"):
        with journal.stage(name, "…"):
            pass
    assert sorted(path.name for path in (run_dir / "journal").iterdir()) == ["ingest.json", "validate.json"]


def test_the_folder_of_a_run_on_a_cluster_holds_an_id_that_only_the_pod_knows(monkeypatch):
    monkeypatch.setenv(journal.RUN_DIR_VARIABLE, "/workspace/runs/${EXPRESSNET_RUN_ID}")
    monkeypatch.setenv("EXPRESSNET_RUN_ID", "0f3c")
    assert str(journal.run_dir()) == "/workspace/runs/0f3c"


def test_outside_a_run_no_journal_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv(journal.RUN_DIR_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    with journal.stage("crop", "Cutting out faces"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_journal_that_cannot_be_written_does_not_hide_the_stages_own_error(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(journal.RUN_DIR_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(ValueError, match="the real reason"), journal.stage("crop", "Cutting out faces"):
        raise ValueError("the real reason")


def _caused_by(cause):
    try:
        try:
            raise cause
        except Exception as error:
            raise RuntimeError("the library gave up") from error
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/data/x.tar"), "The disk is full (/data/x.tar)."),
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full (while writing)."),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/data/x.tar"), "The disk is full (/data/x.tar)."),
        (_caused_by(OSError(errno.ENOSPC, "No space left on device", "/a")), "The disk is full (/a)."),
        (RuntimeError("UNKNOWN: No space left on device; /a"), "The disk is full (UNKNOWN: No space left"),
        (RuntimeError("database or disk is full"), "The disk is full (database or disk is full)."),
        (OSError(errno.EROFS, "Read-only file system", "/out"), "No permission for /out (Read-only file system)."),
        (PermissionError(errno.EACCES, "Permission denied", "/out"), "No permission for /out (Permission denied)."),
        (ValueError("label must be known"), "label must be known"),
        (FileNotFoundError("no labels.csv"), "no labels.csv"),
        (storage.ConflictError("was changed"), "was changed"),
        (KeyError("label"), "unexpected KeyError: 'label' (the log has the details)"),
        (_caused_by(ValueError("inner")), "unexpected RuntimeError: the library gave up (the log has the details)"),
    ],
)
def test_an_error_is_told_in_one_message(error, told):
    assert journal.explain(error).startswith(told)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_what_a_full_or_locked_disk_needs_is_another_folder(number):
    assert "OUT=" in journal.explain(OSError(number, os.strerror(number), "/out"))


def test_quick_work_shows_no_bar(capsys):
    assert list(console.progress(iter("abc"), total=3, unit="letters")) == ["a", "b", "c"]
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_bar_is_made_of_marked_lines(capsys, monkeypatch):
    monkeypatch.setattr(console, "_PROGRESS_AFTER_S", 0.0)
    with journal.stage("crop", "Cutting out faces"):
        list(console.progress(iter("abc"), total=3, unit="letters"))
    bars = capsys.readouterr().out.splitlines()[1:-1]
    assert bars
    assert all(line.startswith("[crop] … ") for line in bars)
    assert "0/3" in bars[0]
    assert "letters/s" in bars[0]


def test_work_that_fails_under_a_bar_fails_with_its_own_error():
    def failing():
        yield "a"
        raise ValueError("torn row")

    with pytest.raises(ValueError, match="torn row"):
        list(console.progress(failing(), total=2, unit="rows"))
