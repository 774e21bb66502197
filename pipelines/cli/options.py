"""Makes a command of a function that takes a pipeline's options, with a flag for each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import cyclopts

from expressnet.config import options
from expressnet.datasets import catalog as datasets

Workspace = Annotated[Path, cyclopts.Parameter(help="workspace: data, artifacts, registry, runs")]
OUT = Path("out")
# The library's settings can't name the data sets, whose readers take settings.
_CHOICES = {"dataset": datasets.NAMES}


def command(known: Mapping[str, options.Option], function: Callable[..., int], about: str) -> Callable[..., int]:
    """Returns `function` as a command whose flags are its own keyword parameters and options of settings classes.

    Args:
        known: the options.
        function: takes the options by their names as one dict, and own keyword parameters that cyclopts understands.
        about: help.
    """
    offered = {name: option for name, option in known.items() if not option.hidden}
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]

    def run(*positional: Any, **given: Any) -> int:
        given = {**dict(zip((each.name for each in own), positional, strict=False)), **given}
        values = {name: given.pop(name, option.default) for name, option in offered.items()}
        return function(values, **given)

    run.__signature__ = inspect.Signature([*own, *map(_parameter, offered.values())])  # type: ignore[attr-defined]
    run.__doc__ = about
    return run


def _parameter(option: options.Option) -> inspect.Parameter:
    choices = _CHOICES.get(option.name, option.choices)
    name = f"--{option.flag.replace('_', '-')}"
    about = cyclopts.Parameter(name=name, help=option.help, group=_group(option))
    kind: Any = Literal[choices] if choices else option.kind
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[kind, about], default=option.default
    )


def _group(option: options.Option) -> cyclopts.Group:
    """Returns the heading under which `--help` shows an option: the stage that has it, in the graph's order."""
    stage = option.stages[0].__module__.rpartition(".")[2]
    order = [cls.__module__.rpartition(".")[2] for cls in options.PIPELINES["retrain"]]
    return cyclopts.Group(stage.capitalize(), sort_key=order.index(stage) if stage in order else 0)
