"""Digests of the code behind a stage, the commit, and the lock of the packages: which code this process runs."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

from expressnet.runtime import storage

_PACKAGE = Path(__file__).parents[1]
_NAME = _PACKAGE.name
_ROOT = _PACKAGE.parent
_LOCK = _ROOT / "uv.lock"


def digest(*modules: str) -> str:
    """Returns the SHA-256 of modules of this package and of all that they import from it, directly or not."""
    sources = {str(path.relative_to(_PACKAGE)): storage.file_sha256(path) for path in imported_files(*modules)}
    return storage.json_digest(sources)


def imported_files(*modules: str) -> list[Path]:
    """Returns the source files of `expressnet.<module>` and of what they import from this package."""
    seen: set[Path] = set()
    waiting = [_PACKAGE / f"{module.replace('.', '/')}.py" for module in modules]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += [found for name in _imports(path) if (found := _source(name))]
    return sorted(seen)


def _imports(path: Path) -> list[str]:
    """Returns the dotted names that a file imports; `from a import b` may mean the module a.b or a name in a."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def _source(name: str) -> Path | None:
    parts = name.split(".")
    if parts[0] != _NAME:
        return None
    module = _PACKAGE.joinpath(*parts[1:])
    candidates = (module.with_suffix(".py"), module / "__init__.py") if len(parts) > 1 else (module / "__init__.py",)
    return next((path for path in candidates if path.is_file()), None)


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
