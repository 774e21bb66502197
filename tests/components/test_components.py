"""The wrappers stay thin, and each is one stage under one name."""

import ast
import importlib
from pathlib import Path

import pytest

from expressnet.summary import STAGES

FOLDER = Path(__file__).parents[2] / "components"
NAMES = (*STAGES, "summary")


def _functions(path):
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", NAMES)
def test_one_name_stands_for_module_component_and_stage(name):
    component = getattr(importlib.import_module(f"components.{name}"), name)
    assert component.component_spec.name == name
    assert "run" in _functions(FOLDER.parent / "expressnet" / f"{name}.py")


@pytest.mark.parametrize("name", NAMES)
def test_a_wrapper_has_no_logic_and_no_default(name):
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.If | ast.For | ast.While | ast.Try)]
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    assert not function.args.defaults
    assert len(function.body) <= 12


def test_every_stage_has_a_wrapper():
    assert {path.stem for path in FOLDER.glob("[a-z]*.py")} == set(NAMES)
