"""What is known of the code and the packages of this process beyond the digests of the stages."""

from __future__ import annotations

import subprocess
from pathlib import Path

from expressnet.runtime import storage

_ROOT = Path(__file__).parents[2]
_LOCK = _ROOT / "uv.lock"


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
