"""Self-contained HTML pages: no request leaves them, everything that came from data is escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6474; --line: #d7dbe2; --back: #ffffff;
        --good: #1f7a3d; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --soft: #a2abba; --line: #3a4250; --back: #14181f; --good: #7ddc9b; --bad: #ff9a92; }
  img.plot { background: #ffffff; border-radius: 6px; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.headline { font-size: 2.2rem; font-weight: 650; } .soft { color: var(--soft); }
.good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .7rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
img.plot { max-width: 100%; height: auto; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); gap: .8rem; }
.gallery figure { margin: 0; font-size: .8rem; overflow-wrap: anywhere; } .gallery img { width: 100%; }
@media print { body { margin: 0; } h2 { break-after: avoid; } }
"""


def page(title: str, body: str) -> str:
    """Returns a whole page; `title` is escaped, `body` is HTML already."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def section(heading: str, *parts: str) -> str:
    """Returns a headed section; the parts are HTML already."""
    return f"<section><h2>{escape(heading)}</h2>{''.join(parts)}</section>"


def paragraph(text: Any, css_class: str = "") -> str:
    """Returns an escaped paragraph."""
    return f'<p class="{css_class}">{escape(str(text))}</p>'


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Returns a table of escaped cells; floats are shown with three decimals, small ones as powers of ten."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(_shown(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def details(summary: str, *parts: str) -> str:
    """Returns parts, HTML already, that open on a click; they are printed."""
    return f"<details><summary>{escape(summary)}</summary>{''.join(parts)}</details>"


def _shown(cell: Any) -> str:
    is_count = isinstance(cell, int) and not isinstance(cell, bool)
    if isinstance(cell, float):
        return f"{cell:.3f}" if cell == 0 or abs(cell) >= 0.01 else f"{cell:.1e}"
    return f"{cell:,}" if is_count else str(cell)


def png(data: bytes, alt: str) -> str:
    """Returns an embedded picture; `alt` says what it shows for those who can't see it."""
    encoded = base64.b64encode(data).decode()
    return f'<img class="plot" alt="{escape(alt, quote=True)}" src="data:image/png;base64,{encoded}">'
