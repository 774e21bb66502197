"""Commands on registered models: promote, rollback, champion, history, reproduce."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from expressnet import config
from expressnet.runtime import storage
from pipelines import local


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Adds the commands to the parser of `python -m pipelines`."""
    promote = _add(commands, "promote", _promote, "let a registered model through the gate, or say why not")
    promote.add_argument("--version", required=True, help="such as 20260101-0123abcd; `history` and runs name them")
    promote.add_argument(
        "--intended-use",
        default=config.PromoteConfig.intended_use,
        help="what the model is for; recorded, and asked for where faces are real",
    )
    promote.add_argument(
        "--jurisdiction",
        choices=config.JURISDICTIONS,
        default=config.PromoteConfig.jurisdiction,
        help="whose prohibitions the use is compared with; default: %(default)s",
    )
    rollback = _add(commands, "rollback", _rollback, "make an earlier champion the champion again")
    rollback.add_argument("--to", default="", metavar="VERSION", help="default: the one that the champion replaced")
    rollback.add_argument("--reason", required=True, help="why, in words; recorded")
    _add(commands, "champion", _champion, "say who is champion, for what, on which evidence")
    _add(commands, "history", _history, "list the champions and check that nobody changed the list; 1 if somebody did")
    reproduce = _add(commands, "reproduce", _reproduce, "print what makes a version again, and check what is here")
    reproduce.add_argument("--version", required=True)


def _add(
    commands: argparse._SubParsersAction, name: str, command: Callable[[argparse.Namespace], int], about: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=about)
    parser.add_argument(
        "--name", default="", metavar="MODEL", help="such as expressnet-demo; not needed where one model is meant"
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="workspace; default: %(default)s")
    parser.set_defaults(command=lambda options: _guarded(command, options))
    return parser


def _guarded(command: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Runs a command; what people can mend is told in one message."""
    try:
        options.out = options.out.expanduser().absolute()
        if not options.out.is_dir():
            raise FileNotFoundError(f"There is no workspace at {options.out}. Is OUT= the folder of the runs?")
        return command(options)
    except (ValueError, OSError, storage.ConflictError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _promote(options: argparse.Namespace) -> int:
    arguments = {
        "version": options.version,
        "model_name": options.name,
        "intended_use": options.intended_use,
        "jurisdiction": options.jurisdiction,
    }
    local.run("promote", arguments, options.out)
    return 0


def _rollback(options: argparse.Namespace) -> int:
    from expressnet.commands import rollback

    rollback.run(options.out, options.reason, to=options.to, model_name=options.name)
    return 0


def _champion(options: argparse.Namespace) -> int:
    from expressnet.registry import registry

    models = registry.Registry(options.out)
    champion = models.champion(models.model_name(options.name))
    if champion is None:
        raise FileNotFoundError("champion.json is lost; `make history` says more.")
    use = champion["settings"]["intended_use"] or "not stated"
    told = {
        "champion": f"{champion['model_name']} {champion['version']}",
        "since": champion["promoted_at"],
        "because": champion["reason"],
        "intended use": use,
        "before it": champion["previous"] or "nobody",
        "files": models.champion_dir(options.name),
    }
    _tell(told)
    return 0


def _history(options: argparse.Namespace) -> int:
    from expressnet.registry import registry

    models = registry.Registry(options.out)
    champions = models.champions(models.model_name(options.name))
    for number, entry in enumerate(champions.entries(), start=1):
        print(f"{number:>4}  {_line(entry)}")
    found = champions.problems()
    for problem in found:
        print(f"error: {problem}", file=sys.stderr)
    print("the history was changed since it was written" if found else "the history is whole")
    return 1 if found else 0


def _line(entry: dict[str, Any]) -> str:
    try:
        by = " in the run ".join(filter(None, (entry["by"]["user"], entry["by"]["run"])))
        return f"{entry['at']}  {entry['action']} {entry['champion']['version']} by {by}: {entry['champion']['reason']}"
    except (KeyError, TypeError):
        return "can't be read"


def _reproduce(options: argparse.Namespace) -> int:
    from expressnet.commands import reproduce

    found = reproduce.run(options.out, options.version, options.name)
    print("\n".join(found["commands"]))
    _tell(found["checks"])
    return 0 if found["is_same"] else 1


def _tell(told: dict[str, Any]) -> None:
    for topic, text in told.items():
        print(f"{topic:<14}{text}")
