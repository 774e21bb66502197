"""The command line: wrong words are answered with the right ones."""

import pytest
import yaml

from expressnet.config import options
from pipelines import catalog
from pipelines.__main__ import build, main
from pipelines.cli import reference

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
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert "nope" in message
    assert all(name in message for name in valid)


@pytest.mark.parametrize("option", ["--limit", "--epochs"])
def test_a_negative_count_exits_with_2(option, capsys):
    assert main(["run", "train", option, "-3"]) == 2
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


@pytest.mark.parametrize("command", [["--help"], ["run", "train", "--help"], ["submit", "retrain", "--help"]])
def test_help_goes_to_stdout_and_exits_with_0(command, capsys):
    assert main(command) == 0
    said = capsys.readouterr()
    assert "Usage: expressnet" in said.out
    assert not said.err


def test_help_teaches_every_option_of_a_pipeline(capsys):
    main(["run", "retrain", "--help"])
    said = capsys.readouterr().out
    for option in options.of_pipeline("retrain").values():
        assert option.hidden or f"--{option.flag.replace('_', '-')}" in said


def test_a_misspelt_option_is_answered_with_the_nearest(capsys):
    assert main(["run", "train", "--sed", "3"]) == 2
    assert "Did you mean --seed?" in capsys.readouterr().err


def test_an_option_of_a_retraining_is_unknown_where_nothing_is_retrained(capsys):
    assert main(["run", "train", "--warm-start"]) == 2
    assert "--warm-start" in capsys.readouterr().err


def test_the_reference_page_is_that_of_the_settings():
    assert reference.FILE.read_text(encoding="utf-8") == reference.text(), "run `make docs`"


def test_completion_can_be_made_for_the_usual_shells():
    for shell in ("bash", "zsh", "fish"):
        assert "expressnet" in build().generate_completion(shell=shell)
