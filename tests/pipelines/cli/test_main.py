"""The command line: wrong words are answered with the right ones."""

import pytest
import yaml

from pipelines import catalog
from pipelines.__main__ import main

CHOICES = {
    "pipeline": (["run", "nope"], ["train"]),
    "dataset": (["run", "train", "--dataset", "nope"], ["demo", "folder", "fer2013"]),
    "preset": (["run", "train", "--preset", "nope"], ["paper", "small", "tiny"]),
    "jurisdiction": (["run", "train", "--jurisdiction", "nope"], ["eu", "none"]),
    "protocol": (["run", "train", "--protocol", "nope"], ["honest", "paper"]),
}


@pytest.mark.parametrize("kind", CHOICES)
def test_an_unknown_name_lists_the_valid_ones_and_exits_with_2(kind, capsys):
    arguments, valid = CHOICES[kind]
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    message = capsys.readouterr().err
    assert "nope" in message
    assert all(name in message for name in valid)


@pytest.mark.parametrize("option", ["--limit", "--epochs"])
def test_a_negative_count_exits_with_2(option, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["run", "train", option, "-3"])
    assert "-3" in capsys.readouterr().err


def test_an_out_that_is_a_file_is_refused_before_anything_starts(tmp_path, capsys):
    blocked = tmp_path / "out"
    blocked.write_text("mine")
    assert main(["run", "train", "--out", str(blocked)]) == 1
    assert f"OUT={blocked} can't be written" in capsys.readouterr().err
    assert blocked.read_text() == "mine"


def test_compile_writes_every_pipeline(tmp_path, capsys):
    assert main(["compile", "--out", str(tmp_path)]) == 0
    written = capsys.readouterr().out.split()
    assert written == [str(tmp_path / f"{name}.yaml") for name in catalog.NAMES]
    for name in catalog.NAMES:
        assert yaml.safe_load((tmp_path / f"{name}.yaml").read_text())["pipelineInfo"]["name"] == f"expressnet-{name}"
