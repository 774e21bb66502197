"""Self-contained HTML pages, from the templates beside: no request leaves them, everything from data is escaped."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from expressnet.evaluation import bootstrap
from expressnet.runtime import templates

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SHORT_DIGEST = 12  # digits that are shown of one
_NUMBER_AND_REMARK = re.compile(r"([+-]?[\d.,]+%?) (\([^()]*\))")
_LONG_WORD = 12  # letters; a longer word may be broken anywhere


class Cell(NamedTuple):
    """How a value looks in a table.

    Attributes:
        text: floats have three decimals, small ones are powers of ten, integers have separators.
        remark: brackets behind a number, such as its interval; they may go to a line of their own.
        whole: the digest of which the text is the beginning.
        has_long_word: whether a word has to be broken where the column is narrow.
    """

    text: str
    remark: str = ""
    whole: str = ""
    has_long_word: bool = False


def page(template: str, **values: Any) -> str:
    """Returns a whole page, from a template of the folder `templates`.

    Raises:
        jinja2.UndefinedError: the template needs a value that is not among `values`.
    """
    return _TEMPLATES.get_template(template).render(values)


def part(template: str, **values: Any) -> Markup:
    """Returns a part of a page, which other templates take as it is; otherwise like `page`."""
    return Markup(page(template, **values))


def data_uri(data: bytes, kind: str = "png") -> str:
    """Returns the address that holds a picture of that kind itself."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def cell(value: Any) -> Cell:
    """Returns how a value looks in a table.

    >>> cell("0.750 (0.650 to 0.850)")
    Cell(text='0.750', remark='(0.650 to 0.850)', whole='', has_long_word=False)
    """
    text = _text(value)
    if _DIGEST.fullmatch(text):
        return Cell(f"{text[:_SHORT_DIGEST]}…", whole=text)
    if found := _NUMBER_AND_REMARK.fullmatch(text):
        return Cell(found[1], found[2])
    return Cell(text, has_long_word=any(len(word) > _LONG_WORD for word in text.split()))


def _text(value: Any) -> str:
    is_count = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(value, float):
        return f"{value:.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.1e}"
    return f"{value:,}" if is_count else str(value)


def _percent(share: float, decimals: int = 0) -> str:
    return f"{share:.{decimals}%}"


_TEMPLATES = templates.environment(Path(__file__).parent / "templates")
_TEMPLATES.filters |= {
    "cell": cell,
    "count": lambda number: f"{number:,}",
    "percent": _percent,
    "with_interval": bootstrap.shown,
    "words": lambda name: name.replace("_", " "),
}
