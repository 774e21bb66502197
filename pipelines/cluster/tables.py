"""Plain tables for terminals and files alike."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

_WIDTH = 160


def render(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns the rows under their headings as text; long cells are folded."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    text = io.StringIO()
    Console(file=text, width=_WIDTH, markup=False, highlight=False, no_color=True).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
