"""The page on the architecture says what the folders are."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

from expressnet.stages import summary

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
_CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERS = next(one["layers"] for one in _CONTRACTS if one.get("containers") == ["expressnet"])


def _rows(heading):
    """Returns the cells of the rows of the table under a heading, without its first two lines."""
    table = PAGE.partition(heading)[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.strip().splitlines()]


def test_the_picture_has_the_floors_in_their_order():
    drawn = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("    |  ")]
    assert [" | ".join(name.strip() for name in floor) for floor in drawn] == LAYERS


def test_the_table_has_every_floor_with_the_first_sentence_of_its_package():
    floors = [name for layer in LAYERS for name in layer.split(" | ")]
    about = [ast.get_docstring(ast.parse((ROOT / "expressnet" / name / "__init__.py").read_text())) for name in floors]
    expected = [[f"`{name}`", text.splitlines()[0]] for name, text in zip(floors, about, strict=True)]
    assert _rows("| floor | what it holds |\n|---|---|") == expected


def test_every_folder_of_the_library_is_a_floor():
    folders = {path.parent.name for path in (ROOT / "expressnet").glob("*/__init__.py")}
    assert folders == {name for layer in LAYERS for name in layer.split(" | ")}


def test_every_other_folder_of_the_repository_is_named():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = {name.partition("/")[0] for name in listed.splitlines() if "/" in name}
    named = {row[0].strip("`") for row in _rows("| folder | what it holds |\n|---|---|")}
    assert named == {name for name in folders if not name.startswith(".")} - {"expressnet"}


def test_the_way_of_the_data_has_every_stage():
    drawing = PAGE.partition("## The way of the data")[2].partition("\n\nData sets and crops")[0]
    stages = {path.stem for path in (ROOT / "expressnet" / "stages").glob("[a-z]*.py")}
    assert stages == {*summary.STAGES, "summary"}
    assert all(re.search(rf"\b{stage}\b", drawing) for stage in stages)
