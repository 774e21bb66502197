"""Self-contained HTML pages: no request leaves them, everything that came from data is escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #566072; --line: #d7dbe2; --back: #ffffff; --card: #f5f7fa;
        --heat: 37 99 199; --good: #1f7a3d; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --soft: #a2abba; --line: #3a4250; --back: #14181f; --card: #1d232d; --heat: 80 145 255;
          --good: #7ddc9b; --bad: #ff9a92; }
  img.plot { background: #ffffff; border-radius: 6px; }
  img.chart { filter: invert(0.92) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; padding-top: .6rem;
  border-top: 1px solid var(--line); } h3 { font-size: 1rem; margin: 1.5rem 0 .3rem; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; } nav a { color: inherit; }
.headline { font-size: 2.2rem; font-weight: 650; line-height: 1.2; margin: .6rem 0; } .soft { color: var(--soft); }
.good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
.notice { border-left: 4px solid var(--bad); background: var(--card); padding: .6rem .9rem; margin: .6rem 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .7rem; margin: 1rem 0; }
.cards div { background: var(--card); border-radius: 8px; padding: .6rem .8rem; }
.cards dt { color: var(--soft); font-size: .88rem; } .cards dd { margin: 0; }
.cards dd:nth-of-type(1) { font-size: 1.5rem; font-weight: 600; line-height: 1.3; }
.cards dd:nth-of-type(2) { color: var(--soft); font-size: .88rem; }
.scroll { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .7rem; text-align: right; }
td { white-space: nowrap; } td.long { white-space: normal; min-width: 14rem; }
th { font-weight: 600; } thead th { color: var(--soft); vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--back); }
td.heat { background: rgb(var(--heat) / calc(var(--share) * .62)); text-align: center; min-width: 3.6rem; }
figure { margin: .8rem 0; } figcaption { color: var(--soft); font-size: .88rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: .7rem; }
.pictures figure { margin: 0; }
img { max-width: 100%; height: auto; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); gap: .8rem; }
.gallery figure { margin: 0; font-size: .8rem; overflow-wrap: anywhere; } .gallery img { width: 100%; }
summary { cursor: pointer; margin: .4rem 0; }
@media print {
  :root { color-scheme: light; --ink: #000000; --soft: #444444; --line: #bbbbbb; --back: #ffffff; --card: #f2f2f2;
          --heat: 37 99 199; --bad: #b3261e; --good: #1f7a3d; }
  body { margin: 0; max-width: none; font-size: 10pt; } nav { display: none; } h2, h3 { break-after: avoid; }
  img.chart { filter: none; } figure, tr, .cards div { break-inside: avoid; } .scroll { overflow: visible; }
  th, td { padding: .15rem .4rem; white-space: normal; } td.long { min-width: 0; } img { max-height: 22cm; }
  details::details-content { content-visibility: visible; block-size: auto; }
  td.heat, .notice, .cards div { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


_SHORT = 25  # characters of a cell that stays on one line: `-0.012 (-0.053 to -0.001)`


def page(title: str, body: str) -> str:
    """Returns a whole page; `title` is escaped, `body` is HTML already."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def section(heading: str, *parts: str, anchor: str = "") -> str:
    """Returns a headed section; the parts are HTML already. `contents` can point to its anchor."""
    place = f' id="{escape(anchor, quote=True)}"' if anchor else ""
    return f"<section{place}><h2>{escape(heading)}</h2>{''.join(parts)}</section>"


def contents(headings: Mapping[str, str]) -> str:
    """Returns links to sections: headings by anchor."""
    links = (f'<a href="#{escape(anchor, quote=True)}">{escape(text)}</a>' for anchor, text in headings.items())
    return f'<nav aria-label="Contents">{"".join(links)}</nav>'


def slot(name: str, inner: str) -> str:
    """Returns a place, with HTML in it, that `filled` fills."""
    start, end = _slot_ends(name)
    return f"{start}{inner}{end}"


def filled(page: str, name: str, inner: str) -> str:
    """Returns a page with other HTML in a place, "" if the page has no such place."""
    start, end = _slot_ends(name)
    before, _, rest = page.partition(start)
    _, found, after = rest.partition(end)
    return f"{before}{start}{inner}{end}{after}" if found else ""


def _slot_ends(name: str) -> tuple[str, str]:
    # Text from data can't be one of these, for it has no "<".
    return f'<div id="{escape(name, quote=True)}">', f"<!-- {escape(name)} ends --></div>"


def subsection(heading: str, *parts: str) -> str:
    """Returns a part of a section with a heading of its own; the parts are HTML already."""
    return f"<h3>{escape(heading)}</h3>{''.join(parts)}"


def notice(text: str) -> str:
    """Returns an escaped paragraph that must not be overlooked."""
    return f'<p class="notice" role="note">{escape(text)}</p>'


def cards(facts: Iterable[tuple[str, str, str]]) -> str:
    """Returns figures side by side: name, value and a remark each."""
    each = (
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><dd>{escape(remark)}</dd></div>"
        for name, value, remark in facts
    )
    return f'<dl class="cards">{"".join(each)}</dl>'


def paragraph(text: Any, css_class: str = "") -> str:
    """Returns an escaped paragraph."""
    return f'<p class="{css_class}">{escape(str(text))}</p>'


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Returns a table of escaped cells; floats are shown with three decimals, small ones as powers of ten."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join("<tr>" + "".join(_cell(_shown(cell)) for cell in row) + "</tr>" for row in rows)
    return _scrolling(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def heat_table(
    corner: str,
    columns: Sequence[str],
    rows: Sequence[str],
    shares: Sequence[Sequence[float]],
    texts: Sequence[Sequence[str]],
) -> str:
    """Returns a table whose cells are the darker the larger their share in 0..1 is; all text is escaped."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in (corner, *columns))
    body = ""
    for name, line, said in zip(rows, shares, texts, strict=True):
        cells = (
            f'<td class="heat" style="--share:{min(max(float(share), 0.0), 1.0):.3f}">{escape(text)}</td>'
            for share, text in zip(line, said, strict=True)
        )
        body += f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>'
    return _scrolling(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def _cell(text: str) -> str:
    """Returns an escaped cell; only long ones are broken into lines, so that a figure keeps its interval beside it."""
    long = ' class="long"' if len(text) > _SHORT else ""
    return f"<td{long}>{escape(text)}</td>"


def _scrolling(inner: str) -> str:
    """Lets a wide table scroll by itself, with the keyboard too."""
    return f'<div class="scroll" tabindex="0" role="group" aria-label="table">{inner}</div>'


def details(summary: str, *parts: str) -> str:
    """Returns parts, HTML already, that open on a click; they are printed."""
    return f"<details><summary>{escape(summary)}</summary>{''.join(parts)}</details>"


def _shown(cell: Any) -> str:
    is_count = isinstance(cell, int) and not isinstance(cell, bool)
    if isinstance(cell, float):
        return f"{cell:.3f}" if cell == 0 or abs(cell) >= 0.01 else f"{cell:.1e}"
    return f"{cell:,}" if is_count else str(cell)


def png(data: bytes, alt: str, css_class: str = "plot") -> str:
    """Returns an embedded picture; `alt` says what it shows for those who can't see it.

    A `chart` is drawn in dark ink on nothing, and turned to light ink where the reader prefers a dark page; a `photo`
    never is.
    """
    encoded = base64.b64encode(data).decode()
    return f'<img class="{css_class}" alt="{escape(alt, quote=True)}" src="data:image/png;base64,{encoded}">'


def pictures(shown: Iterable[tuple[str, str]]) -> str:
    """Returns pictures, HTML already, side by side, each with an escaped caption."""
    each = (f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>" for image, caption in shown)
    return f'<div class="pictures">{"".join(each)}</div>'
