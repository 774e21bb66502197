"""The wrappers stay thin, and each is one stage under one name."""

import ast
import importlib
from pathlib import Path

import pytest
from kfp import dsl

from components.decide import decide
from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.stages.summary import STAGES
from pipelines import catalog

FOLDER = Path(__file__).parents[2] / "components"
NAMES = (*STAGES, "summary")


def _functions(path):
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", NAMES)
def test_one_name_stands_for_module_component_and_stage(name):
    component = getattr(importlib.import_module(f"components.{name}"), name)
    assert component.component_spec.name == name
    assert "run" in _functions(FOLDER.parent / "expressnet" / "stages" / f"{name}.py")


@pytest.mark.parametrize("name", NAMES)
def test_a_wrapper_has_no_logic_and_no_default(name):
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.If | ast.For | ast.While | ast.Try)]
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    assert not function.args.defaults
    assert len(function.body) <= 16


def test_every_stage_has_a_wrapper():
    assert {path.stem for path in FOLDER.glob("[a-z]*.py")} == set(NAMES)


def test_decide_answers_and_leaves_what_later_stages_get(tmp_path):
    DatasetInfo(dataset_id="made", dataset_digest="d", classes=["happy", "sad"]).write(tmp_path / "datasets" / "d")
    handed_over = ("champion", "kept_file", "kept_digest", "initial_weights", "initial_sha256")
    defaults = {name: spec.default for name, spec in catalog.load("retrain").component_spec.inputs.items()}
    settings = {name: defaults[name] for name in decide.component_spec.inputs if name in defaults}
    decision = dsl.Artifact(uri=str(tmp_path / "decision"))
    answer = decide.python_func(
        dataset_digest="d",
        decision=decision,
        **{**settings, "workspace": str(tmp_path)},
        **{name: str(tmp_path / name) for name in handed_over},
    )
    assert answer is True
    assert decision.metadata["reason"] == "expressnet-made has no champion yet"
    assert {(tmp_path / name).read_text() for name in handed_over} == {""}
