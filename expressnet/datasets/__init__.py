"""One module per data set: layout, label codes, licence, official split, reader.

A module gives `ABOUT` (expressnet.datasets.base.About) and `scan(data_uri) -> Source`.
"""

from __future__ import annotations

from types import ModuleType

from expressnet.datasets import demo, fer2013, folder

_MODULES: dict[str, ModuleType] = {module.ABOUT.name: module for module in (demo, fer2013, folder)}
NAMES = tuple(_MODULES)


def find(name: str) -> ModuleType:
    """Returns the module of a data set.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in _MODULES:
        raise ValueError(f"Unknown data set {name!r}; known are {', '.join(NAMES)}.")
    return _MODULES[name]
