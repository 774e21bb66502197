"""A new option is one field and the code that uses it: added here in a copy of the tree, and looked for everywhere."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ABOUT = "how much a training image is sharpened, 0..1"
FIELD = f'    sharpen: float = option(0.25, "{ABOUT}", ge=0, le=1)\n'
BEFORE = "    patience: int = setting("


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the code with one field more."""
    folder = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("expressnet", "components", "pipelines", "k8s", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    settings = folder / "expressnet" / "config" / "train.py"
    text = settings.read_text()
    assert text.count(BEFORE) == 1
    settings.write_text(text.replace(BEFORE, FIELD + BEFORE))
    return folder


def _run(tree, *arguments, check=True, **environment):
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=tree,
        capture_output=True,
        text=True,
        check=check,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tree), "COLUMNS": "200", **environment},
    )


def test_help_names_it_with_its_default(tree):
    said = _run(tree, "-m", "pipelines", "run", "train", "--help").stdout
    assert "--sharpen FLOAT" in said
    assert ABOUT in said
    assert "0.25" in said


def test_make_takes_it_and_refuses_a_misspelt_one(tree):
    given = {"EXPRESSNET_GIVEN": "SHARPEN", "SHARPEN": "3"}
    refused = _run(tree, "-m", "pipelines", "--make", "run", "train", check=False, **given)
    assert (refused.returncode, refused.stderr) == (2, "error: sharpen must be in [0, 1]; got 3.0.\n")
    misspelt = _run(tree, "-m", "pipelines", "--make", "run", "train", check=False, EXPRESSNET_GIVEN="SHARPN")
    assert "Did you mean SHARPEN?" in misspelt.stderr


def test_the_pipelines_have_it_as_a_parameter_and_the_components_as_an_input(tree, tmp_path):
    _run(tree, "-m", "pipelines", "compile", "--out", str(tmp_path))
    for name in ("train", "retrain"):
        graph = yaml.safe_load((tmp_path / f"{name}.yaml").read_text())
        parameter = graph["root"]["inputDefinitions"]["parameters"]["sharpen"]
        assert parameter["parameterType"] == "NUMBER_DOUBLE"
        assert parameter["defaultValue"] == 0.25
        assert parameter["description"] == f"{ABOUT}."
        # An input of a step is part of Kubeflow's cache key.
        for step in ("train", "decide") if name == "retrain" else ("train",):
            assert "sharpen" in graph["components"][f"comp-{step}"]["inputDefinitions"]["parameters"]
        (container,) = (
            executor["container"]
            for key, executor in graph["deploymentSpec"]["executors"].items()
            if key == "exec-train"
        )
        assert "'sharpen': sharpen" in " ".join(container["command"])


def test_the_plan_of_submit_shows_it(tree):
    said = _run(tree, "-m", "pipelines", "submit", "train", "--profile", "cpu", "--dry-run", "--sharpen", "0.5").stdout
    assert "parameter  sharpen = 0.5" in said


def test_reproduce_and_retrain_see_it(tree):
    said = _run(
        tree,
        "-c",
        "from expressnet.config.base import digest_fields\n"
        "from expressnet.config.train import TrainConfig, recipe\n"
        "from expressnet.config import options\n"
        "from expressnet.stages import decide\n"
        "stored = digest_fields(recipe('tiny', sharpen=0.5))\n"
        "print(options.recorded(TrainConfig, stored)['sharpen'])\n"
        "asked = decide.Settings.of_run({**options.defaults('retrain'), 'sharpen': 0.75}).plain()\n"
        "print(decide.differences({**asked, 'train': {**asked['train'], 'sharpen': 0.5}}, asked))\n",
    ).stdout
    assert said == "0.5\n['train sharpen 0.5 -> 0.75']\n"


def test_the_reference_page_has_it(tree):
    _run(tree, "-m", "pipelines.cli.reference")
    assert f"| `SHARPEN` | in [0, 1] | `0.25` | {ABOUT} |" in (tree / "docs" / "options.md").read_text()
