"""Jinja2 templates: files beside the code that fills them; what they are given is escaped.

A template belongs to the code of the modules that name it (see expressnet.runtime.code_version), so a stage whose page
looks different now runs again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2


def environment(folder: Path, finalize: Callable[[Any], Any] | None = None) -> jinja2.Environment:
    """Returns the templates of a folder.

    Args:
        folder: holds the templates.
        finalize: is called with every value before it is escaped; a value that it returns as markupsafe.Markup is
            taken for escaped.

    Returns:
        An environment that escapes every value for HTML and refuses a name that it was not given.
    """
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
