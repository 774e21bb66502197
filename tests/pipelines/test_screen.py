"""What of the noise reaches people."""

import io

from rich.console import Console

from pipelines.screen import Screen


def _screen(**terminal):
    shown, log, hits = io.StringIO(), io.StringIO(), []
    screen = Screen(log, Console(file=shown, width=100, **terminal), lambda task, key: hits.append((task, key)))
    return screen, shown, log, hits


def test_only_marked_lines_are_shown_and_all_are_logged():
    screen, shown, log, _ = _screen()
    text = "12:00:00 - INFO - Executing task\n    [crop] faces found in 9 of 10\n{'inputs': 3}\n"
    screen.write(text)
    assert shown.getvalue() == "crop      faces found in 9 of 10\n"
    assert log.getvalue() == text


def test_a_line_that_comes_in_pieces_is_shown_once_whole():
    screen, shown, *_ = _screen()
    for piece in ("    ", "[crop] fa", "ces", "\n"):
        screen.write(piece)
    assert shown.getvalue() == "crop      faces\n"


def test_a_progress_bar_does_not_fill_a_file():
    screen, shown, *_ = _screen()
    for step in range(100):
        screen.write(f"[train] … {step}%\n")
    assert shown.getvalue() == ""


def test_a_progress_bar_overwrites_itself_on_a_terminal():
    screen, shown, *_ = _screen(force_terminal=True, color_system=None)
    screen.write("[train] … 1%\n[train] … 2%\n[train] done\n")
    assert shown.getvalue().count("\n") == 1
    assert shown.getvalue().count("\r\x1b[2K") == 2
    assert shown.getvalue().endswith("done\n")


def test_no_color_is_respected(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    screen, shown, *_ = _screen(force_terminal=True)
    screen.write("[train] error: no\n")
    assert "\x1b[31m" not in shown.getvalue()
    assert "error: no" in shown.getvalue()


def test_markup_in_a_message_stays_text():
    screen, shown, *_ = _screen()
    screen.write("[ingest] folder [red]x[/red]\n")
    assert "[red]x[/red]" in shown.getvalue()


def test_a_cache_hit_is_reported_with_its_key():
    screen, *_, hits = _screen()
    screen.write("12:00:00.1 - INFO - Task crop cache hit (key=0123456789ab); skipping execution.\n")
    assert hits == [("crop", "0123456789ab")]
