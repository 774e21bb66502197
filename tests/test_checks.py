"""Pre-commit and `make check` run the same commands."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def test_pre_commit_runs_what_make_check_runs():
    makefile = (ROOT / "Makefile").read_text()
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]
    of_make = [line.removeprefix("\t@") for line in recipe.splitlines()]
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [hook["entry"] for hook in local["hooks"]] == of_make
