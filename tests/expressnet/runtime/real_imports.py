"""Prints which files of expressnet really run for some modules, as {module: [file, ...]} in JSON.

    python real_imports.py ROOT MODULE...

Imports the modules, executes what import statements their source holds elsewhere (in functions, for types alone), and
those of what was imported by that, until nothing new comes; then asks the interpreter what it has. The largest packages
of others have stand-ins, because nothing here depends on them and they take half a minute to import.
"""

import ast
import importlib
import importlib.abc
import importlib.machinery
import json
import sys
from pathlib import Path
from unittest import mock

_LARGE = {"cleanlab", "great_expectations", "keras", "matplotlib", "mlflow", "scipy", "sklearn", "tensorflow"}


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules that have every name."""

    def find_spec(self, name, path, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name.partition(".")[0] in _LARGE else None

    def create_module(self, spec):
        return mock.MagicMock(__path__=[], __spec__=spec)

    def exec_module(self, module):
        pass


def files_run_by(module, root):
    """Returns the files, relative to `root`."""
    for name in _loaded():
        del sys.modules[name]
    importlib.import_module(f"expressnet.{module}")
    done = set()
    while waiting := _loaded().keys() - done:
        for name in waiting:
            _execute_imports(_loaded()[name])
        done |= waiting
    return sorted(Path(module.__file__).relative_to(root).as_posix() for module in _loaded().values())


def _loaded():
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "expressnet"}


def _execute_imports(module):
    names = {"__name__": module.__name__, "__package__": module.__package__}
    for node in ast.walk(ast.parse(Path(module.__file__).read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom) and _is_own(node):
            exec(compile(ast.Module([node], []), module.__file__, "exec"), names)


def _is_own(node):
    if isinstance(node, ast.ImportFrom):
        return node.level > 0 or node.module.partition(".")[0] == "expressnet"
    return any(alias.name.partition(".")[0] == "expressnet" for alias in node.names)


if __name__ == "__main__":
    sys.meta_path.insert(0, StandIns())
    root = Path(sys.argv[1])
    sys.path.insert(0, str(root))
    print(json.dumps({module: files_run_by(module, root) for module in sys.argv[2:]}))
