"""Makes a Kubeflow pipeline of a function that takes all parameters as one mapping."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from kfp import dsl

from expressnet.config import options

Settings = Mapping[str, Any]
WORKSPACE = "workspace"
_ABOUT_WORKSPACE = "folder for data, artifacts and the registry"


def pipeline(
    *, required: Mapping[str, str] = MappingProxyType({}), optional: Mapping[str, str] = MappingProxyType({})
) -> Callable[[Callable[[Settings], None]], Any]:
    """Returns a decorator that makes a pipeline `expressnet-<name>` whose parameters are the options of its stages.

    Kubeflow reads names, types and defaults off the signature, and descriptions off the docstring; both are made here.

    Args:
        required: parameters beside them that have no default, each with its description.
        optional: text parameters beside them that are empty by default, each with its description.
    """

    def make(function: Callable[[Settings], None]) -> Any:
        offered = options.of_pipeline(function.__name__)
        about = {
            WORKSPACE: _ABOUT_WORKSPACE,
            **required,
            **optional,
            **{name: option.help for name, option in offered.items()},
        }

        @functools.wraps(function)
        def flat(*channels: Any) -> None:
            function(dict(zip(about, channels, strict=True)))

        flat.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                *(_parameter(name, str) for name in (WORKSPACE, *required)),
                *(_parameter(name, str, "") for name in optional),
                *(_parameter(name, option.kind, option.default) for name, option in offered.items()),
            ]
        )
        lines = "\n".join(f"    {name}: {text}." for name, text in about.items())
        flat.__doc__ = f"{function.__doc__}\n\nArgs:\n{lines}\n"
        return dsl.pipeline(name=f"expressnet-{function.__name__}", description=function.__doc__)(flat)

    return make


def _parameter(name: str, kind: type, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=kind, default=default)


def task(component: Any, settings: Settings, **given: Any) -> dsl.PipelineTask:
    """Adds a component's task; what `given` does not say of its inputs is the pipeline's parameter of that name."""
    names = component.component_spec.inputs
    return component(**{name: settings[name] for name in names if name in settings and name not in given}, **given)
