"""Runs the examples in docstrings."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "expressnet").rglob("*.py"))
    if "\n    >>> " in path.read_text()
]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_are_true(module):
    results = doctest.testmod(importlib.import_module(module))
    assert results.attempted > 0
    assert results.failed == 0


def test_the_examples_are_found():
    floors = {"config", "data", "datasets", "evaluation", "faces", "imaging", "registry", "runtime", "sources"}
    assert floors <= {module.split(".")[1] for module in MODULES}
