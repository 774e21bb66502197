"""`make run SEED=7` is `expressnet run train --seed=7`, and no value is ever shell code."""

import subprocess
from pathlib import Path

import cyclopts
import pytest

from pipelines.__main__ import build
from pipelines.cli import make_variables

ROOT = Path(__file__).parents[3]


def _words(command, given=None, **environment):
    environment[make_variables.GIVEN] = " ".join(environment if given is None else given)
    return make_variables.arguments(build(), command.split(), environment)


def test_variables_become_flags():
    assert _words("run train", SEED="7", DATA_URI="a b; c") == ["run", "train", "--data-uri=a b; c", "--seed=7"]


def test_switches_are_on_and_off():
    assert _words("run train", XLA="1", CROP_CACHE="0") == ["run", "train", "--xla", "--no-crop-cache"]
    assert _words("submit train", CACHE="0", WAIT="1") == ["submit", "train", "--no-cache", "--wait"]


def test_an_empty_value_is_none():
    assert _words("run train", SEED="") == ["run", "train"]


def test_a_list_is_separated_by_blanks():
    assert _words("compare", RUN="one other") == ["compare", "--run=one", "--run=other"]


def test_a_variable_of_the_environment_counts_as_well_and_foreign_ones_do_not():
    assert _words("run train", given=(), SEED="7", HOME="/root") == ["run", "train", "--seed=7"]


@pytest.mark.parametrize(
    ("command", "variables", "message"),
    [
        ("run train", {"SEDE": "3"}, "`make run` of train has no variable SEDE. Did you mean SEED?"),
        ("serve", {"DATASET": "demo"}, "`make serve` has no variable DATASET. It takes "),
        ("run train", {"MIN_NEW": "3"}, "`make run` of train has no variable MIN_NEW. It belongs to PIPELINE=retrain."),
        ("submit train", {"ON_DRIFT": "stop"}, "It belongs to PIPELINE=retrain."),
        ("run train", {"XLA": "maybe"}, "XLA must be 1 or 0; got 'maybe'"),
        ("run trian", {}, "PIPELINE must be one of predict, promote, retrain, train; got 'trian'"),
    ],
)
def test_what_nothing_takes_is_refused(command, variables, message):
    with pytest.raises(cyclopts.CycloptsError, match=message):
        _words(command, **variables)


def test_every_target_of_the_makefile_is_a_command():
    app = build()
    for line in (ROOT / "Makefile").read_text().splitlines():
        if line.startswith("\t@$(EXPRESSNET)"):
            name, *more = line.split()[1:]
            target = app[name]
            for word in more:
                target = target["train" if "PIPELINE" in word else word]


@pytest.mark.needs_tool("make")
def test_make_hands_values_on_untouched(tmp_path):
    """The recipe of `run` with a program that prints its environment in the place of Python."""
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\nprintf "%s|%s|%s" "$*" "$EXPRESSNET_GIVEN" "$DATA_URI"\n')
    program.chmod(0o755)
    nasty = "$(touch /tmp/never) `id` \"a' ; b"
    done = subprocess.run(
        ["make", "--no-print-directory", "run", f"PYTHON={program}", "READY=", f"DATA_URI={nasty.replace('$', '$$')}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    words, given, value = done.stdout.split("|")
    assert words == "-m pipelines --make run train"
    assert "DATA_URI" in given.split()
    assert value == nasty
