"""Who is champion: a hash-chained history, one file an entry, and the pointer that mirrors its end.

The entry is written first, whole or not at all, and with it the decision has fallen. The pointer `champion.json` and
what else mirrors it (an alias in MLflow) follow, and are healed by the next call if we are killed in between. Every
entry holds the SHA-256 of the one before, and the pointer that of the last, so that neither can change alone.
"""

from __future__ import annotations

import contextlib
import datetime
import getpass
import os
from pathlib import Path
from typing import Any, Protocol

from expressnet.runtime import journal, storage

POINTER_FILE, HISTORY_FOLDER = "champion.json", "history"
_NOTHING_BEFORE = "0" * 64
_Record = dict[str, Any]


class HistoryError(ValueError):
    """The history was changed behind our back."""


class Mirror(Protocol):
    """What says elsewhere who is champion; `follow` is called under the lock and right after `anchor`."""

    def anchor(self) -> str:
        """Returns what it was told last: number and SHA-256 of an entry, `3:ab12...`; "" if nothing ever."""

    def follow(self, pointer: _Record, anchor: str) -> None:
        """Returns what the pointer says."""


class Champions:
    """The champions of one model name, in a folder of their own."""

    def __init__(self, folder: Path, mirror: Mirror):
        self._folder, self._mirror = folder, mirror
        self._pointer, self._history = folder / POINTER_FILE, folder / HISTORY_FOLDER

    def current(self) -> _Record | None:
        """Returns what the pointer says, or will say when it is healed; None before the first promotion.

        A pointer of a version that kept no history counts as none.
        """
        pointer, last = self._read_pointer(), self._last_number()
        if last == (pointer["entry"] if pointer else 0) + 1:
            return _pointer_to(storage.read_json(self._path(last)))
        return pointer

    def swap(self, *, expected: _Record | None, new: _Record, action: str, evidence: _Record) -> _Record:
        """Makes `new` the champion if `expected` still is.

        Args:
            expected: what `current` said when the decision was made.
            new: the version, its digests, why and for what it is champion.
            action: promoted or rolled back.
            evidence: what the decision rests on.

        Returns:
            The pointer.

        Raises:
            storage.ConflictError: somebody else was first; nothing was written.
            HistoryError: the history was changed; nothing was written.
        """
        with self._locked():
            if (pointer := self.current()) != expected:
                raise storage.ConflictError(_conflict(expected, pointer))
            self._require_whole()
            entries = self.entries()
            number = len(entries) + 1
            entry = {
                "number": number,
                "previous": storage.json_digest(entries[-1]) if entries else _NOTHING_BEFORE,
                "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "action": action,
                "by": _who(),
                "before": expected["version"] if expected else "",
                "champion": new,
                "evidence": evidence,
            }
            storage.write_json(self._path(number), entry)
            return self._follow()

    def heal(self) -> None:
        """Lets the pointer and its mirror follow the history, where a killed call left them behind.

        Raises:
            HistoryError: the history was changed.
        """
        with self._locked():
            self._require_whole()
            storage.remove_partials(self._folder)
            if self.current():
                self._follow()

    def entries(self) -> list[_Record]:
        """Returns the history as far as it goes without a gap; an entry that is no JSON is one without a content."""
        found: list[_Record] = []
        while (path := self._path(len(found) + 1)).exists():
            try:
                entry = storage.read_json(path)
            except ValueError:
                entry = None
            is_entry = isinstance(entry, dict) and isinstance(entry.get("champion"), dict)
            found.append(entry if is_entry else {})
        return found

    def problems(self) -> list[str]:
        """Returns what of the history was changed since it was written, in words; nothing if nothing was.

        Found are changed, swapped, missing and inserted entries, and a shortened history. Not found are an entry that
        somebody added at the end by the rules, and a history that was written anew together with pointer and mirror:
        entries carry digests, no signatures.
        """
        entries, pointer = self.entries(), self._read_pointer()
        found = _problems(entries, pointer)
        if self._last_number() != len(entries):
            found.append(f"entry {len(entries) + 1} is missing")
        anchor = self._mirror.anchor()
        number, _, digest = anchor.partition(":")
        if anchor and (int(number) > len(entries) or storage.json_digest(entries[int(number) - 1]) != digest):
            found.append(f"entry {number} is not the one that the registry was told of")
        return found

    def _locked(self) -> contextlib.AbstractContextManager[None]:
        return storage.lock(self._folder / ".lock", wait=True)

    def _require_whole(self) -> None:
        if found := self.problems():
            raise HistoryError(
                f"The history in {self._history} was changed: {'; '.join(found)}. Nobody is promoted on top of that. "
                "Restore it from a backup; `make history` shows it. Do two workspaces share one MLflow server? Each "
                "needs its own."
            )

    def _path(self, number: int) -> Path:
        return self._history / f"{number:06d}.json"

    def _last_number(self) -> int:
        return max((int(path.stem) for path in self._history.glob("[0-9]*.json")), default=0)

    def _read_pointer(self) -> _Record | None:
        pointer = storage.read_json(self._pointer) if self._pointer.exists() else None
        return pointer if pointer and "entry" in pointer else None

    def _follow(self) -> _Record:
        pointer = self.current()
        assert pointer is not None
        on_disk = storage.read_json(self._pointer) if self._pointer.exists() else None
        if on_disk != pointer:
            storage.compare_and_set(self._pointer, expected=on_disk, new=pointer)
        self._mirror.follow(pointer, f"{pointer['entry']}:{pointer['entry_sha256']}")
        return pointer


def _problems(entries: list[_Record], pointer: _Record | None) -> list[str]:
    """Returns what does not fit together in a history and its pointer."""
    found, previous = [], _NOTHING_BEFORE
    for number, entry in enumerate(entries, start=1):
        if entry.get("number") != number:
            found.append(f"entry {number} says that it is entry {entry.get('number')}")
        if entry.get("previous") != previous:
            found.append(f"entry {number} does not follow on entry {number - 1} as it is now")
        previous = storage.json_digest(entry)
    last = pointer["entry"] if pointer else 0
    if last > len(entries):
        found.append(f"the history ends with entry {len(entries)}, but {POINTER_FILE} names entry {last}")
    elif len(entries) > last + 1:
        found.append(f"the history has {len(entries)} entries, but {POINTER_FILE} knows {last} of them")
    elif pointer and pointer != _pointer_to(entries[last - 1]):
        found.append(f"entry {last} and {POINTER_FILE} say different things")
    return found


def _pointer_to(entry: _Record) -> _Record:
    return {
        **entry.get("champion", {}),
        "promoted_at": entry.get("at"),
        "previous": entry.get("before"),
        "entry": entry.get("number"),
        "entry_sha256": storage.json_digest(entry),
    }


def _conflict(expected: _Record | None, found: _Record | None) -> str:
    before, now = (record["version"] if record else "nobody" for record in (expected, found))
    return (
        f"Somebody else was first: {before} was champion when the decision was made, {now} is champion since "
        f"{found['promoted_at'] if found else 'then'}. Nothing was changed; run it again, so that it compares with "
        f"{now}."
    )


def _who() -> dict[str, str]:
    """Returns the user and, within a run, the run's name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in many containers
        user = f"uid {os.getuid()}"
    folder = journal.run_dir()
    return {"user": user, "run": folder.name if folder else ""}
