"""Which data sets there are."""

from __future__ import annotations

from types import ModuleType

from expressnet.datasets import affectnet7, affectnet8, demo, fer2013, ferplus, folder, rafdb

_MODULES: dict[str, ModuleType] = {
    module.ABOUT.name: module for module in (demo, affectnet7, affectnet8, rafdb, fer2013, ferplus, folder)
}
NAMES = tuple(_MODULES)


def find(name: str) -> ModuleType:
    """Returns the module of a data set.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in _MODULES:
        raise ValueError(f"Unknown data set {name!r}; known are {', '.join(NAMES)}.")
    return _MODULES[name]


def describe() -> str:
    """Returns what people should know about every data set, as text for a terminal."""
    blocks = []
    for module in _MODULES.values():
        about = module.ABOUT
        lines = [f"DATASET={about.name}: {about.title}", f"  licence   {about.licence}"]
        if about.needs_acceptance:
            lines.append("            to be acknowledged: ACCEPT_LICENCE=1")
        lines.append(f"  expected  {about.expected}")
        lines += [f"  {'layouts' if not place else '':<8}  {layout}" for place, layout in enumerate(about.layouts)]
        blocks.append("\n".join(lines))
    blocks.append("DATA_URI is a folder, a file, a .zip, a .tar, a .tar.gz or gs://bucket/prefix.")
    return "\n\n".join(blocks)
