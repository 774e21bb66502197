import json
import shutil
import subprocess
import sys

import pytest

from expressnet.registry.champions import Champions, HistoryError
from expressnet.runtime import storage

# Swaps in copies of a folder, killed right before the n-th line of the module, for n = 1, 2, ...; then heals.
SWAP_UNTIL_KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from expressnet.registry import champions
from expressnet.runtime import storage
from tests.expressnet.registry.test_champions import Notes

source, left = Path(sys.argv[1]), 0

def kill(frame, event, argument):
    global left
    if frame.f_code.co_filename not in (champions.__file__, storage.__file__):
        return None
    if event == "line":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return kill

def swap(folder, number):
    global left
    entries = champions.Champions(folder, Notes(folder))
    before, left = entries.current(), number
    sys.settrace(kill)
    entries.swap(expected=before, new={"version": "c"}, action="promoted", evidence={})
    sys.settrace(None)

for number in range(1, 10_000):
    folder = source.with_name(f"{source.name}-{number}")
    shutil.copytree(source, folder)
    pid = os.fork()
    if not pid:
        swap(folder, number)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    if code == 0:
        break
"""


class Notes:
    """A mirror that keeps what it is told in a file."""

    def __init__(self, folder):
        self._path = folder / "told.txt"

    def anchor(self):
        return self._path.read_text() if self._path.exists() else ""

    def follow(self, pointer, anchor):
        storage.write_bytes(self._path, anchor.encode())


def _swap(champions, version):
    return champions.swap(
        expected=champions.current(), new={"version": version}, action="promoted", evidence={"gain": 0.1}
    )


def _pointer(folder):
    return json.loads((folder / "champion.json").read_text())


@pytest.fixture
def champions(tmp_path):
    """Champions a, b and c, one after the other."""
    found = Champions(tmp_path, Notes(tmp_path))
    for version in "abc":
        _swap(found, version)
    return found


def test_an_entry_says_who_what_when_instead_of_whom_and_on_which_evidence(champions, tmp_path):
    entry = champions.entries()[1]
    assert (entry["number"], entry["action"], entry["champion"], entry["before"], entry["evidence"]) == (
        2,
        "promoted",
        {"version": "b"},
        "a",
        {"gain": 0.1},
    )
    assert entry["by"]["user"]
    assert entry["at"] <= champions.entries()[2]["at"]
    assert entry["previous"] == storage.json_digest(champions.entries()[0])
    assert champions.current() == _pointer(tmp_path)
    assert champions.problems() == []


def test_the_loser_of_a_race_is_told_who_won_and_nothing_is_written(champions):
    before = champions.current()
    won = _swap(champions, "d")
    with pytest.raises(storage.ConflictError, match="c was champion when the decision was made, d is champion since"):
        champions.swap(expected=before, new={"version": "e"}, action="promoted", evidence={})
    assert champions.current() == won
    assert len(champions.entries()) == 4


def test_before_the_first_there_is_none(tmp_path):
    champions = Champions(tmp_path, Notes(tmp_path))
    champions.heal()
    assert champions.current() is None
    assert champions.problems() == []


def test_a_pointer_without_a_history_is_none_and_is_replaced(tmp_path):
    storage.write_json(tmp_path / "champion.json", {"version": "old", "run_id": "r"})
    champions = Champions(tmp_path, Notes(tmp_path))
    assert champions.current() is None
    assert _swap(champions, "a") == _pointer(tmp_path)


def _edit(folder):
    path = folder / "history/000002.json"
    path.write_text(path.read_text().replace('"gain": 0.1', '"gain": 0.9'))


def _edit_last(folder):
    path = folder / "history/000003.json"
    path.write_text(path.read_text().replace('"gain": 0.1', '"gain": 0.9'))


def _remove(folder):
    (folder / "history/000002.json").unlink()


def _reorder(folder):
    one, other = (folder / f"history/00000{number}.json" for number in (1, 2))
    texts = one.read_text(), other.read_text()
    one.write_text(texts[1])
    other.write_text(texts[0])


def _close_the_gap(folder):
    _remove(folder)
    (folder / "history/000003.json").rename(folder / "history/000002.json")


def _shorten(folder):
    (folder / "history/000003.json").unlink()


def _shorten_with_the_pointer(folder):
    two = json.loads((folder / "history/000002.json").read_text())
    _shorten(folder)
    pointer = {
        **two["champion"],
        "promoted_at": two["at"],
        "previous": two["before"],
        "entry": 2,
        "entry_sha256": storage.json_digest(two),
    }
    storage.write_json(folder / "champion.json", pointer)


def _edit_the_pointer(folder):
    storage.write_json(folder / "champion.json", {**_pointer(folder), "version": "mine"})


def _remove_the_pointer(folder):
    (folder / "champion.json").unlink()


def _no_json(folder):
    (folder / "history/000001.json").write_text("{")


def _remove_all(folder):
    shutil.rmtree(folder / "history")
    _remove_the_pointer(folder)


@pytest.mark.parametrize(
    ("tamper", "problem"),
    [
        (_edit, "entry 3 does not follow on entry 2"),
        (_edit_last, "entry 3 and champion.json say different things"),
        (_remove, "entry 2 is missing"),
        (_reorder, "entry 1 says that it is entry 2"),
        (_close_the_gap, "entry 2 says that it is entry 3"),
        (_shorten, "ends with entry 2, but champion.json names entry 3"),
        (_shorten_with_the_pointer, "entry 3 is not the one that the registry was told of"),
        (_edit_the_pointer, "entry 3 and champion.json say different things"),
        (_remove_the_pointer, "has 3 entries, but champion.json knows 0"),
        (_no_json, "entry 2 does not follow on entry 1"),
        (_remove_all, "entry 3 is not the one that the registry was told of"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_tampering_is_found_and_nobody_is_promoted_on_top_of_it(champions, tmp_path, tamper, problem):
    tamper(tmp_path)
    assert problem in "; ".join(champions.problems())
    told = (tmp_path / "told.txt").read_text()
    for act in (champions.heal, lambda: _swap(champions, "d")):
        with pytest.raises(HistoryError, match="was changed: .*Nobody is promoted on top"):
            act()
    assert (tmp_path / "told.txt").read_text() == told


def test_a_swap_killed_at_any_line_is_healed_by_the_next_call(tmp_path):
    source = tmp_path / "champions"
    before = _swap(Champions(source, Notes(source)), "a")
    command = [sys.executable, "-c", SWAP_UNTIL_KILLED, str(source)]
    subprocess.run(command, check=True, timeout=300)
    folders = sorted(tmp_path.glob("champions-*"), key=lambda path: int(path.name.partition("-")[2]))
    assert len(folders) > 50
    versions = []
    for folder in folders:
        found = Champions(folder, Notes(folder))
        seen = found.current()
        found.heal()
        assert found.problems() == []
        assert found.current() == seen == _pointer(folder)
        assert Notes(folder).anchor() == f"{seen['entry']}:{seen['entry_sha256']}"
        assert not list(folder.rglob("*.partial"))
        versions.append(seen["version"])
        if seen["version"] == "a":
            assert seen == before
    # Either all of it happened or nothing: from the line on that wrote the entry, the new one is champion.
    assert versions == sorted(versions)
    assert set(versions) == {"a", "c"}
