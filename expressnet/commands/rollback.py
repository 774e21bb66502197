"""Makes an earlier champion the champion again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from expressnet.registry import registry
from expressnet.runtime import console


def run(workspace: str | Path, reason: str, *, to: str = "", model_name: str = "") -> dict[str, Any]:
    """Swaps the pointer back, after the earlier champion's files were checked, and records who did it and why.

    Args:
        workspace: where the registry is.
        reason: why, in words; recorded.
        to: version that was champion before; "" for the one that the present champion replaced when it was promoted.
        model_name: needed only where several models have a champion.

    Returns:
        The new pointer.

    Raises:
        ValueError: no reason was given.
        FileNotFoundError: there is no such champion, or its files are gone.
        sealed.DamagedError: its files are damaged.
        storage.ConflictError: somebody else promoted in between.
    """
    if not reason.strip():
        raise ValueError('A rollback needs a reason, which is recorded: REASON="..."; got none.')
    models = registry.Registry(workspace)
    name = models.model_name(model_name)
    champions = models.champions(name)
    champions.heal()
    present, entries = champions.current(), champions.entries()
    assert present is not None
    target = _target(entries, present["version"], to)
    models.model_dir(target["run_id"], target["files_digest"])
    pointer = champions.swap(
        expected=present,
        new={**target, "reason": reason},
        action="rolled back",
        evidence={"from": present["version"], "reason": reason},
    )
    console.say(f"{name}: {pointer['version']} is champion again, instead of {present['version']}: {reason}")
    return pointer


def _target(entries: list[dict[str, Any]], present: str, to: str) -> dict[str, Any]:
    """Returns the record with which the wanted version was promoted."""
    promotions = {entry["champion"]["version"]: entry for entry in entries if entry["action"] == "promoted"}
    wanted = to or promotions[present]["before"]
    others = ", ".join(version for version in promotions if version != present) or "(none)"
    if wanted == present or wanted not in promotions:
        raise FileNotFoundError(
            f"TO={wanted or '(none)'} must name another version that was champion; there are {others}. The champion "
            f"{present} has {promotions[present]['before'] or 'nobody'} before it."
        )
    return dict(promotions[wanted]["champion"])
