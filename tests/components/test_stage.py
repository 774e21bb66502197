"""A component's inputs are written out from its stage's options, in the signature and in the source that travels."""

import inspect

from kfp import dsl

from components import _stage
from expressnet.config.split import SplitConfig


@_stage.stage("expressnet/python-data:0", SplitConfig)
def example(faces: str, protocol: str, options: dict, workspace: str) -> str:
    """Says what it was given."""
    return f"{faces} {protocol} {options['seed']} {options['protocol']} {workspace}"


def test_options_stand_in_the_signature_once_each():
    assert list(inspect.signature(example.python_func).parameters) == [
        "faces",
        "protocol",
        "seed",
        "split_file",
        "split_file_digest",
        "workspace",
    ]
    assert example.component_spec.inputs["seed"].type == "Integer"


def test_the_body_gets_them_as_one_dict():
    given = {"seed": 7, "split_file": "", "split_file_digest": ""}
    assert example.python_func(faces="here", protocol="honest", workspace="/w", **given) == "here honest 7 honest /w"


def test_the_source_that_travels_is_whole():
    source = " ".join(example.component_spec.implementation.container.command)
    assert "def example(faces: str, protocol: str, seed: int, split_file: str" in source
    assert "options = {'protocol': protocol, 'seed': seed" in source


def test_it_is_an_ordinary_component():
    assert isinstance(example, dsl.base_component.BaseComponent)
