"""Turns the variables of `make run SEED=7` into the flags of `expressnet run train --seed=7`.

The values come through the environment, so that none is ever taken for shell code. Which variables somebody wrote on
the command line of make, the Makefile says in EXPRESSNET_GIVEN: a misspelt one is refused instead of ignored.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Mapping

import cyclopts

FLAG = "--make"
GIVEN = "EXPRESSNET_GIVEN"
# Read by the Makefile itself, or from the environment by what a command starts.
_OTHERS = ("PIPELINE", "EXTRA", "ALLOW_TAGS")
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def arguments(app: cyclopts.App, command: list[str], environment: Mapping[str, str]) -> list[str]:
    """Returns the words of the command line.

    Args:
        app: the program.
        command: the words that name the command, such as `run train`.
        environment: of this process.

    Raises:
        CycloptsError: a variable is unknown, or a switch is neither 1 nor 0.
    """
    family, target = app, app
    for word in command:
        if word not in _names(target):
            raise cyclopts.CycloptsError(msg=f"PIPELINE must be one of {', '.join(_names(target))}; got {word!r}.")
        family, target = target, target[word]
    variables = _variables(target)
    for name in environment.get(GIVEN, "").split():
        if name not in variables and name not in _OTHERS:
            others = [other for other in _names(family) if name in _variables(family[other])] if command[1:] else []
            raise cyclopts.CycloptsError(msg=_unknown(name, command, sorted(variables), others))
    given = {id(each): (name, each) for name, each in variables.items() if environment.get(name)}
    return [*command, *(word for name, each in given.values() for word in _words(name, each, environment[name]))]


def _names(app: cyclopts.App) -> list[str]:
    return sorted(name for name in app.resolved_commands() if not name.startswith("-"))


def _variables(command: cyclopts.App) -> dict[str, cyclopts.Argument]:
    return {_variable(name): each for each in command.assemble_argument_collection() for name in each.names}


def _variable(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_").upper()


def _unknown(name: str, command: list[str], known: list[str], others: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"It takes {', '.join(known)}."
    if others:
        hint = f"It belongs to PIPELINE={' or '.join(others)}."
    return f"`make {command[0]}`{f' of {command[1]}' if command[1:] else ''} has no variable {name}. {hint}"


def _words(name: str, argument: cyclopts.Argument, value: str) -> list[str]:
    """Returns the words for one variable; a list's values are separated by blanks."""
    flag = next(each for each in argument.names if _variable(each) == name)
    if argument.hint is bool:
        if value.lower() not in (*_YES, *_NO):
            raise cyclopts.CycloptsError(msg=f"{name} must be 1 or 0; got {value!r}.")
        return [flag if value.lower() in _YES else argument.negatives[0]]
    if typing.get_origin(argument.hint) is list:
        return [f"{flag}={each}" for each in value.split()]
    return [f"{flag}={value}"]
