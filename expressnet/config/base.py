"""What the settings of all stages share: how a field is declared, checked, digested, and offered to a person.

A stage's settings are one class. A field of it is the only place of a setting: its type, its default, its bounds and
one line of help. A field made by `option` is also an option of every pipeline that has the stage; expressnet.config
.options lists those.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, dataclass_transform

import pydantic
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined

_Class = TypeVar("_Class", bound=type)
_SIGNS = {"ge": ("[", "at least"), "gt": ("(", "above"), "le": ("]", "at most"), "lt": (")", "below")}
_PLAIN = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


@dataclasses.dataclass(frozen=True)
class Offer:
    """How a field is offered as an option.

    Attributes:
        name: of the pipeline's parameter; "" is the field's own.
        flag: of the command line, where it is not the name.
        derived: the parameter's value that leaves the field to what it is derived from, such as the preset; None where
            nothing derives it.
        hidden: whether people never set it themselves.
    """

    name: str = ""
    flag: str = ""
    derived: bool | int | float | str | None = None
    hidden: bool = False


def setting(default: Any = PydanticUndefined, about: str = "", *, in_digest: bool = True, **bounds: Any) -> Any:
    """Declares a field of a settings class.

    Args:
        default: none: the field is required.
        about: one line of help, in small letters.
        in_digest: whether another value can give another result; see `digest_fields`.
        **bounds: ge, gt, le, lt of a number.
    """
    return pydantic.Field(default, description=about, json_schema_extra={"in_digest": in_digest}, **bounds)


def option(
    default: Any = PydanticUndefined,
    about: str = "",
    *,
    name: str = "",
    flag: str = "",
    derived: bool | int | float | str | None = None,
    hidden: bool = False,
    in_digest: bool = True,
    **bounds: Any,
) -> Any:
    """Declares a field that is also an option of the pipelines; see `setting` and `Offer`."""
    extra: dict[str, Any] = {"in_digest": in_digest, "offer": dataclasses.asdict(Offer(name, flag, derived, hidden))}
    return pydantic.Field(default, description=about, json_schema_extra=extra, **bounds)


@dataclass_transform(kw_only_default=True, frozen_default=True)
def settings(cls: _Class) -> _Class:
    """Makes a frozen, keyword-only dataclass that refuses nonsense in one sentence.

    Whole floats become the integers that they stand for, since Kubeflow hands numbers over as floats.

    Raises:
        ValueError: on construction: what was required, what came, and a likely mistake.
    """
    made = pydantic.dataclasses.dataclass(frozen=True, kw_only=True, config=pydantic.ConfigDict(extra="forbid"))(cls)
    construct = made.__init__

    @functools.wraps(construct)
    def construct_or_explain(self: Any, **values: Any) -> None:
        try:
            construct(self, **values)
        except pydantic.ValidationError as error:
            told = [_explained(made, each) for each in error.errors(include_url=False)]
            raise ValueError(" ".join(told)) from None

    made.__init__ = construct_or_explain  # type: ignore[method-assign]
    return typing.cast(_Class, made)


def fields(cls: type) -> dict[str, FieldInfo]:
    """Returns the fields of a settings class."""
    return typing.cast(Any, cls).__pydantic_fields__


def choices(field: FieldInfo) -> tuple[str, ...]:
    """Returns the values of a field that takes one of a few, () for any other."""
    return typing.get_args(field.annotation) if typing.get_origin(field.annotation) is Literal else ()


def bounds(field: FieldInfo) -> dict[str, float]:
    """Returns the bounds of a number's field: ge, gt, le, lt."""
    return {sign: getattr(part, sign) for part in field.metadata for sign in _SIGNS if hasattr(part, sign)}


def requirement(field: FieldInfo) -> str:
    """Returns what a field takes, as `in [0, 1)`, `one of honest, paper` or `a whole number`."""
    if found := choices(field):
        return f"one of {', '.join(found)}"
    low, high = (next((s for s in pair if s in bounds(field)), "") for pair in (("ge", "gt"), ("le", "lt")))
    if low and high:
        ends = bounds(field)
        if field.annotation is int and (low, high) == ("ge", "le"):
            return f"in {ends[low]}..{ends[high]}"
        return f"in {_SIGNS[low][0]}{ends[low]:g}, {ends[high]:g}{_SIGNS[high][0]}"
    if end := low or high:
        value = bounds(field)[end]
        return "positive" if (end, value) == ("gt", 0) else f"{_SIGNS[end][1]} {value}"
    return _PLAIN.get(typing.cast(type, field.annotation), "of another kind")


def _explained(cls: type, error: ErrorDetails) -> str:
    """Says in a sentence what one field must be and what it was."""
    if error["type"] == "value_error":  # of a check of our own
        return str(error["ctx"]["error"])
    name, known = str(error["loc"][0]), fields(cls)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        return f"{cls.__name__} has no field {name!r}.{f' Did you mean {near[0]}?' if near else ''}"
    if error["type"].startswith("missing"):
        return f"{name} must be given."
    field, value = known[name], error["input"]
    near = difflib.get_close_matches(str(value), choices(field), n=1)
    kind = _PLAIN.get(typing.cast(type, field.annotation), "")
    is_of_kind = not error["type"].endswith(("_type", "_parsing", "_from_float")) or not bounds(field)
    needed = requirement(field) if is_of_kind else f"{kind} {requirement(field)}"
    return f"{name} must be {needed}; got {value!r}.{f' Did you mean {near[0]}?' if near else ''}"


def require(condition: bool, name: str, requirement: str, value: Any) -> None:
    """Raises a ValueError that says what `name` must be and what it was, unless `condition` holds."""
    if not condition:
        raise ValueError(f"{name} must be {requirement}; got {value!r}.")


def digest_fields(config: Any) -> dict[str, Any]:
    """Returns a stage's settings as plain values, for digests and provenance.

    Left out are fields that change how long a stage takes and not what comes out, pictures in a page, which is written
    anew each time, and the place of a file whose digest is there.
    """
    known = fields(type(config))
    left_out = {name for name, field in known.items() if not _extra(field)["in_digest"]}
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in left_out}


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return {"in_digest": True, **(extra if isinstance(extra, dict) else {})}


def offer(field: FieldInfo) -> Offer | None:
    """Returns how a field is offered as an option, None if it is not."""
    found = _extra(field).get("offer")
    return Offer(**found) if found else None


def chosen(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of a settings class that options give, by the fields' own names.

    Args:
        cls: the settings class.
        values: of a pipeline's options, by their names; those of other classes among them are passed over.

    Returns:
        The fields; without those that are left to what they are derived from.

    >>> from expressnet.config.split import SplitConfig
    >>> SplitConfig(**chosen(SplitConfig, {"seed": 7, "precision": "float32"})).seed
    7
    """
    found = {}
    for field_name, field in fields(cls).items():
        if offered := offer(field):
            name = offered.name or field_name
            if name in values and (offered.derived is None or values[name] != offered.derived):
                found[field_name] = values[name]
    return found
