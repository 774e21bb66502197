"""Digests of the code behind a stage, the commit, and the lock of the packages: which code this process runs."""

from __future__ import annotations

import dis
import functools
import importlib.util
import inspect
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from expressnet.runtime import storage

_ROOT = Path(__file__).parents[2]
_NAME = "expressnet"
_LOCK = _ROOT / "uv.lock"


class SourceTree:
    """The files of this package below a root, as they were when the object was made.

    They are kept in memory and never change, so threads may share an object, and a stage that asks for its digest after
    hours gets that of the code it was started with, whatever an editor did meanwhile.

    The digest of a module is over all that runs when it is imported or called: every module that it imports from this
    package, at the top or in a function, directly or not, and the `__init__` of every package on the way. Imports for
    types alone count too.

    A file that is not Python (a table, a template) belongs to the modules of its folder that name it in a string, or
    that name the folder beside them which holds it. What lies outside of the package has a digest of its own:
    BlazeFace's models in expressnet.faces.blazeface, data and pretrained weights among the settings, and installed
    packages in `lock_digest`, which registered models carry.
    """

    def __init__(self, root: Path):
        paths = (path for path in sorted((root / _NAME).rglob("*")) if path.is_file())
        names = {path: path.relative_to(root) for path in paths}
        self._files = {name.as_posix(): path.read_bytes() for path, name in names.items() if not _is_scrap(name)}
        self._no_python = [name for name in self._files if not name.endswith(".py")]

    def digest(self, *modules: str) -> str:
        """Returns the SHA-256 of `expressnet.<module>` for each of the modules, with all that they need."""
        found = self.modules(*modules)
        needed = [*found, *(name for module in found for name in self._data(module))]
        return storage.json_digest({name: storage.bytes_sha256(self._files[name]) for name in needed})

    def modules(self, *modules: str) -> list[str]:
        """Returns the Python files that the modules need, relative to the root.

        Raises:
            ModuleNotFoundError: there is no such module.
        """
        for module in modules:
            if self._file(f"{_NAME}.{module}") is None:
                raise ModuleNotFoundError(f"{_NAME} has no module {module!r}; name it with its package: stages.crop.")
        seen: set[str] = set()
        waiting = [f"{_NAME}.{module}" for module in modules]
        while waiting:
            for file in self._run_by(waiting.pop()):
                if file not in seen:
                    seen.add(file)
                    package = ".".join(PurePosixPath(file).parent.parts)
                    waiting += [importlib.util.resolve_name(name, package) for name in _read(self._files[file]).imports]
        return sorted(seen)

    def _run_by(self, name: str) -> Iterator[str]:
        """Yields the files that run when a dotted name is imported: a.b.c runs a and a.b; c may be no module."""
        parts = name.split(".")
        if parts[0] == _NAME:
            yield from filter(None, (self._file(".".join(parts[:end])) for end in range(1, len(parts) + 1)))

    def _file(self, name: str) -> str | None:
        path = name.replace(".", "/")
        return next((file for file in (f"{path}/__init__.py", f"{path}.py") if file in self._files), None)

    def _data(self, module: str) -> Iterator[str]:
        """Yields the files that are not Python and that a module names."""
        folder = module.rpartition("/")[0] + "/"
        texts = _read(self._files[module]).texts
        for name in self._no_python:
            if name.startswith(folder) and name.removeprefix(folder).partition("/")[0] in texts:
                yield name


def _is_scrap(name: Path) -> bool:
    """Whether nobody reads it: bytecode, and hidden files such as an editor's."""
    return any(part == "__pycache__" or part.startswith(".") for part in name.parts)


class _Source(NamedTuple):
    """What the code of a module says.

    Attributes:
        imports: names as they are written; `from a import b` gives a and a.b, which may be a module or a name in a.
        texts: the string constants.
    """

    imports: tuple[str, ...]
    texts: frozenset[str]


@functools.cache
def _read(source: bytes) -> _Source:
    """Compiles a module and reads the bytecode.

    Not ast.parse: before Python 3.11.8 it counts the depth of its recursion for all threads together, and fails with
    "AST constructor recursion depth mismatch" where the garbage collector lets another one in (python/cpython#106905).
    """
    imports: list[str] = []
    texts: set[str] = set()
    codes = [compile(source, f"<{_NAME}>", "exec", dont_inherit=True, optimize=0)]
    for code in codes:  # grows on the way
        codes += filter(inspect.iscode, code.co_consts)
        loaded = []
        for instruction in dis.get_instructions(code):
            if instruction.opname == "LOAD_CONST":
                loaded.append(instruction.argval)
            elif instruction.opname == "IMPORT_NAME":
                level, names = loaded[-2:]
                module = "." * level + instruction.argval
                imports += [module, *(f"{module.removesuffix('.')}.{name}" for name in names or ())]
        for constant in code.co_consts:
            texts.update(
                text for text in (constant if isinstance(constant, tuple) else (constant,)) if isinstance(text, str)
            )
    return _Source(tuple(imports), frozenset(texts))


# Read when this module is imported, as the rest of the code that this process runs is.
_OWN = SourceTree(_ROOT)


def digest(*modules: str) -> str:
    """Returns the SHA-256 of modules of this package and of all that they need from it; see `SourceTree`.

    >>> digest("stages.crop") == digest("stages.crop") != digest("stages.split")
    True
    """
    return _OWN.digest(*modules)


def imported_files(*modules: str) -> list[Path]:
    """Returns the source files of `expressnet.<module>` and of what they import from this package."""
    return [_ROOT / name for name in _OWN.modules(*modules)]


def lock_digest() -> str:
    """Returns the SHA-256 of uv.lock, "" where the package lies without it."""
    return storage.file_sha256(_LOCK) if _LOCK.exists() else ""


def commit() -> str:
    """Returns the git commit, with `+` where files were changed since; "" where there is no checkout."""
    if not (_ROOT / ".git").exists():
        return ""
    head, changed = (_git(*arguments) for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno")))
    return head + ("+" if head and changed else "")


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=_ROOT, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
