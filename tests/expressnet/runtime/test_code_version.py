import ast
import gc
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from expressnet.config.base import digest_fields
from expressnet.config.crop import CropConfig
from expressnet.faces import blazeface
from expressnet.runtime import code_version
from expressnet.runtime.code_version import SourceTree
from expressnet.stages import decide, predict

ROOT = Path(__file__).parents[3]
STAGES = [f"stages.{path.stem}" for path in sorted((ROOT / "expressnet" / "stages").glob("[a-z]*.py"))]


def _named_in_code():
    """Yields what `code_version.digest` is called with, where that is written out."""
    for path in (path for folder in ("expressnet", "pipelines") for path in sorted((ROOT / folder).rglob("*.py"))):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        for call in (call for call in calls if call.args and ast.unparse(call.func) == "code_version.digest"):
            if all(isinstance(argument, ast.Constant) for argument in call.args):
                yield tuple(argument.value for argument in call.args)


_BY_VARIABLE = [predict._CODE, *((module,) for module in decide._MODULES.values())]
DIGESTED = sorted({*((stage,) for stage in STAGES), *_named_in_code(), *_BY_VARIABLE})


@pytest.fixture(scope="module")
def needed():
    """The files that really run for each of `DIGESTED`, by the interpreter's own account."""
    modules = sorted({module for modules in DIGESTED for module in modules})
    script = Path(__file__).with_name("real_imports.py")
    done = subprocess.run([sys.executable, script, ROOT, *modules], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return {modules: set().union(*(found[module] for module in modules)) for modules in DIGESTED}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A copy of the package, to be changed."""
    root = tmp_path_factory.mktemp("scratch")
    shutil.copytree(ROOT / "expressnet", root / "expressnet", ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.fixture(scope="module")
def changed_by(scratch):
    """The digests among `DIGESTED` that a changed byte of each file changes; size and time stay as they were."""
    before = {modules: SourceTree(scratch).digest(*modules) for modules in DIGESTED}
    changed = {}
    for path in sorted(path for path in scratch.rglob("*") if path.is_file()):
        stat, data = path.stat(), path.read_bytes()
        path.write_bytes(data[:-1] + b" ")  # all of our files end in a line feed
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        tree = SourceTree(scratch)
        name = path.relative_to(scratch).as_posix()
        changed[name] = {modules for modules in DIGESTED if tree.digest(*modules) != before[modules]}
        path.write_bytes(data)
    return changed


def test_all_that_is_digested_is_looked_at():
    assert {("stages.crop", "model.presets"), ("stages.train",), ("faces.crop_shards",), predict._CODE} <= set(DIGESTED)


@pytest.mark.parametrize("modules", DIGESTED, ids=" ".join)
def test_a_changed_byte_of_a_module_changes_the_digests_of_those_that_run_it_and_no_other(changed_by, needed, modules):
    changing = {name for name, changed in changed_by.items() if name.endswith(".py") and modules in changed}
    assert changing == needed[modules]
    assert {f"expressnet/{module.replace('.', '/')}.py" for module in modules} <= changing
    assert "expressnet/__init__.py" in changing


def test_a_stage_depends_on_no_other_stage(needed):
    for modules in ((stage,) for stage in STAGES):
        stages = {name for name in needed[modules] if name.startswith("expressnet/stages/")}
        assert stages == {"expressnet/stages/__init__.py", f"expressnet/{modules[0].replace('.', '/')}.py"}


def _owners(name):
    """Returns the modules beside a file, or beside the folder that it lies in, whose text has the name of either."""
    path = ROOT / name
    while not (path.parent / "__init__.py").exists():
        path = path.parent
    modules = [module for module in path.parent.glob("*.py") if f'"{path.name}"' in module.read_text()]
    return {module.relative_to(ROOT).as_posix() for module in modules}


def test_a_changed_byte_of_a_table_or_a_template_changes_the_digests_of_those_that_run_its_reader(changed_by, needed):
    others = {name: changed for name, changed in changed_by.items() if not name.endswith(".py")}
    assert {"expressnet/evaluation/paper_results.csv", "expressnet/web/page/page.css"} <= others.keys()
    for name, changed in others.items():
        assert _owners(name), f"no module beside {name} names it or its folder in a string, so no digest sees it"
        assert changed == {modules for modules in DIGESTED if _owners(name) & needed[modules]}, name
    assert ("stages.evaluate",) in others["expressnet/evaluation/paper_results.csv"]
    assert ("stages.train",) not in others["expressnet/evaluation/paper_results.csv"]


def test_what_lies_outside_of_the_package_is_pinned_by_code_that_a_digest_sees(changed_by):
    source = (ROOT / "expressnet" / "faces" / "blazeface.py").read_text()
    assert all(sha256 in source for _, sha256 in blazeface.FILES.values())
    assert ("faces.crop_shards",) in changed_by["expressnet/faces/blazeface.py"]


def test_a_digest_is_the_same_wherever_the_tree_lies(scratch):
    assert [SourceTree(scratch).digest(*modules) for modules in DIGESTED] == [
        code_version.digest(*modules) for modules in DIGESTED
    ]


def _write(root, **sources):
    for name, source in sources.items():
        path = root / "expressnet" / f"{name.replace('__', '/', 1)}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)


@pytest.mark.parametrize(
    "statement",
    [
        "import expressnet.b.c",
        "import expressnet.b.c as short",
        "from expressnet.b import c",
        "from expressnet.b import (\n    nothing,\n    c,\n)",
        "from expressnet.b.c import anything",
        "from ..b import c",
        "from ..b.c import anything",
        "def later():\n    class Inner:\n        import expressnet.b.c",
        "try:\n    import os\nexcept ImportError:\n    from expressnet.b import c",
        "later = lambda: [__import__('os') for _ in ()]\nif later:\n    from expressnet.b import c",
    ],
)
def test_every_form_of_import_is_followed(tmp_path, statement):
    parts = {"a": "", "b": "", "b__c": "from . import d", "b__d": "", "b__e": ""}
    for name in ("a", "b"):
        (tmp_path / "expressnet" / name).mkdir(parents=True)
        (tmp_path / "expressnet" / name / "__init__.py").touch()
    (tmp_path / "expressnet" / "__init__.py").touch()
    _write(tmp_path, a__m=statement, **{name: text for name, text in parts.items() if "__" in name})
    inside = ["__init__", "a/__init__", "a/m", "b/__init__", "b/c", "b/d"]
    assert SourceTree(tmp_path).modules("a.m") == [f"expressnet/{name}.py" for name in inside]


def test_what_is_moved_is_something_else(scratch, tmp_path):
    shutil.copytree(scratch / "expressnet", tmp_path / "expressnet")
    (tmp_path / "expressnet" / "stages" / "crop.py").rename(tmp_path / "expressnet" / "stages" / "cropping.py")
    assert SourceTree(tmp_path).digest("stages.cropping") != SourceTree(scratch).digest("stages.crop")


def test_a_tree_is_the_code_of_when_it_was_made(scratch, tmp_path):
    shutil.copytree(scratch / "expressnet", tmp_path / "expressnet")
    tree = SourceTree(tmp_path)
    (tmp_path / "expressnet" / "stages" / "crop.py").write_text("changed = 'while the stage ran'\n")
    assert tree.digest("stages.crop") == SourceTree(scratch).digest("stages.crop")
    assert SourceTree(tmp_path).digest("stages.crop") != SourceTree(scratch).digest("stages.crop")


class _Rubbish:
    """Collected in the middle of what a thread does, and lets other threads in."""

    def __init__(self):
        self.cycle = self

    def __del__(self):
        sum(range(1000))


def test_threads_at_once_get_what_one_gets(scratch, monkeypatch):
    def digest(number):
        code_version._read.cache_clear()
        for _ in range(20):
            _Rubbish()
        return SourceTree(scratch).digest(*DIGESTED[number % len(DIGESTED)])

    expected = [SourceTree(scratch).digest(*modules) for modules in DIGESTED]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(digest, range(len(DIGESTED)))) == expected
    finally:
        sys.setswitchinterval(interval)
        gc.collect()


@pytest.mark.parametrize("module", ["crop", "stages.cropp", "stages.crop.run", ""])
def test_a_module_that_is_not_there_is_refused(module):
    with pytest.raises(ModuleNotFoundError, match=rf"no module '{module}'; name it with its package"):
        code_version.digest("stages.crop", module)


def test_the_number_of_processes_is_no_part_of_what_comes_out():
    assert digest_fields(CropConfig(num_workers=1)) == digest_fields(CropConfig())
