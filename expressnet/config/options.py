"""The options of every pipeline, read off the settings of its stages; nothing is declared here.

An option is a field of a settings class that `option` made. Its name is the pipeline's parameter, in capitals the
variable of `make`, with dashes the flag of the command line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticUndefined

from expressnet.config import base
from expressnet.config.crop import CropConfig
from expressnet.config.decide import RetrainConfig
from expressnet.config.drift import DriftConfig
from expressnet.config.evaluate import EvaluateConfig
from expressnet.config.ingest import IngestConfig, SourceConfig
from expressnet.config.predict import PredictConfig
from expressnet.config.promote import PromoteConfig
from expressnet.config.split import SplitConfig
from expressnet.config.train import CheckpointConfig, TrainConfig, recipe
from expressnet.config.validate import ValidateConfig

_OF_TRAINING = (
    IngestConfig,
    SourceConfig,
    ValidateConfig,
    CropConfig,
    SplitConfig,
    TrainConfig,
    CheckpointConfig,
    EvaluateConfig,
    PromoteConfig,
)
# The settings classes of a pipeline's stages, in the order of the graph.
PIPELINES: dict[str, tuple[type, ...]] = {
    "train": _OF_TRAINING,
    "retrain": (*_OF_TRAINING, RetrainConfig, DriftConfig),
    "predict": (PredictConfig,),
    "promote": (PromoteConfig,),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Option:
    """One option of a pipeline.

    Attributes:
        name: of the pipeline's parameter.
        flag: of the command line, in underscores.
        kind: bool, int, float or str.
        default: where nobody says it.
        help: one line for people.
        choices: the values that it takes, () for any.
        requirement: what it takes, in words.
        stages: the settings classes that have it.
        hidden: whether people never set it themselves.
    """

    name: str
    flag: str
    kind: type
    default: bool | int | float | str
    help: str
    choices: tuple[str, ...]
    requirement: str
    stages: tuple[type, ...]
    hidden: bool


def of_classes(*classes: type) -> dict[str, Option]:
    """Returns the options of settings classes, by name; one that several classes have is one option of all.

    Raises:
        ValueError: two classes mean different things by one name.
    """
    found: dict[str, Option] = {}
    for cls in classes:
        for each in _of_class(cls):
            known = found.get(each.name, each)
            if dataclasses.replace(known, stages=()) != dataclasses.replace(each, stages=()):
                raise ValueError(f"{each.name} must be one option; {known.stages} and {cls} declare it differently.")
            found[each.name] = dataclasses.replace(each, stages=(*known.stages, cls) if known is not each else (cls,))
    return found


def of_pipeline(name: str) -> dict[str, Option]:
    """Returns the options of a pipeline, by name."""
    return of_classes(*PIPELINES[name])


def _of_class(cls: type) -> list[Option]:
    found = []
    for field_name, field in base.fields(cls).items():
        offered = base.offer(field)
        if offered is None:
            continue
        name, choices = offered.name or field_name, base.choices(field)
        requirement = base.requirement(field)
        default = field.default
        if offered.derived is not None:
            default = offered.derived
            requirement += f", or {default:g}" if isinstance(default, float) else f", or {default}"
            choices = (str(default), *choices) if choices else ()
        if default is PydanticUndefined:
            raise ValueError(f"{cls.__name__}.{field_name} is an option, so it needs a default or `derived`.")
        found.append(
            Option(
                name=name,
                flag=offered.flag or name,
                kind=type(default),
                default=default,
                help=field.description or "",
                choices=choices,
                requirement=requirement,
                stages=(cls,),
                hidden=offered.hidden,
            )
        )
    return found


def defaults(pipeline: str) -> dict[str, Any]:
    """Returns what a pipeline's options are where nobody says anything."""
    return {name: option.default for name, option in of_pipeline(pipeline).items()}


def check(pipeline: str, values: Mapping[str, Any]) -> None:
    """Refuses values that a stage of the pipeline would refuse once it ran.

    Raises:
        ValueError: a value makes no sense; the message names the option.
    """
    settings_of_run = {**defaults(pipeline), **values}
    for cls in PIPELINES[pipeline]:
        given = base.chosen(cls, settings_of_run)
        if cls is CropConfig:
            CropConfig.of_run(protocol=settings_of_run["protocol"], **given)
        elif cls is TrainConfig:
            recipe(**given)
        else:
            cls(**given)


def recorded(cls: type, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the flags that a stored settings class stands for, the other way round than `base.chosen`.

    Args:
        cls: the settings class.
        stored: its fields as `digest_fields` gave them, perhaps of an older version that lacks some.
    """
    found = {}
    for field_name, field in base.fields(cls).items():
        offered = base.offer(field)
        if offered and not offered.hidden and field_name in stored:
            found[offered.flag or offered.name or field_name] = stored[field_name]
    return found
