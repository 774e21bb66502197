"""What documents name exists: files, modules, targets of links, and commands of make."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    path
    for pattern in ("*.md", "NOTICE", "docs/**/*.md", "k8s/README.md", "images/README.md", "data/**/*.md")
    for path in sorted(ROOT.glob(pattern))
]
FOLDERS = "benchmarks|components|data|docs|expressnet|images|k8s|pipelines|scripts|tests"
# What a run or a person makes, and what stands for it.
MADE = {"images.lock.json", "expressnet.yaml"}


def _id(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=_id)
def test_every_file_that_it_names_is_there(document):
    named = re.findall(
        rf"(?<![\w/<.-])(?:{FOLDERS})/[\w./-]*\w\.(?:py|md|csv|yaml|toml|jpg|j2)\b", document.read_text()
    )
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=_id)
def test_every_link_leads_to_a_file(document):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
    assert not [link for link in links if not (document.parent / link).exists()]


def _is_there(dotted):
    """Whether a dotted name is a module, or a name in one."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:end])
        path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if path.is_file():
            rest = parts[end:]
            defined = {getattr(node, "name", "") for node in ast.parse(path.read_text()).body}
            return not rest or (len(rest) == 1 and rest[0] in defined)
    return False


@pytest.mark.parametrize("document", DOCUMENTS, ids=_id)
def test_every_module_that_it_names_is_there(document):
    named = re.findall(r"(?<![\w/.-])(?:expressnet|components|pipelines|benchmarks)(?:\.\w+)+\b", document.read_text())
    assert not [name for name in named if name not in MADE and not _is_there(name)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=_id)
def test_every_target_of_make_is_there(document):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = re.findall(r"(?:`|^    )make ([a-z][a-z -]*[a-z])(?![\w.-])", document.read_text(), re.MULTILINE)
    assert not [name for command in commands for name in command.split() if name not in targets]


def test_every_document_is_looked_at():
    assert {"README.md", "CONTRIBUTING.md", "NOTICE", "docs/architecture.md"} <= {_id(path) for path in DOCUMENTS}


@pytest.mark.parametrize("heading", ["Set up", "Test", "Add a data set", "Add an option", "Add a stage"])
def test_contributing_says_it_in_ten_lines(heading):
    section = (ROOT / "CONTRIBUTING.md").read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    assert 0 < len(section.strip().splitlines()) <= 10


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
