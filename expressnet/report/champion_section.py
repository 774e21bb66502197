"""What the evaluation's page says of the champion.

`evaluate` leaves a place for it, because its page may be reused long after the champion changed. `promote`, which is
never reused, fills the place in a copy of its own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from expressnet.evaluation.bootstrap import shown
from expressnet.report import html
from expressnet.runtime import storage

_SLOT = "champion"
_FIGURES = {"accuracy": "accuracy_gain", "macro_f1": "gain"}  # and what a decision calls their difference
_NOT_HERE = (
    "The champion is not named here: it changes without this page. The page report.html of the step promote is this "
    "one together with the champion of its time."
)


class Evaluated(NamedTuple):
    """What was measured of a model: see expressnet.stages.evaluate."""

    figures: dict[str, Any]
    predictions: pd.DataFrame


def place() -> str:
    """Returns the place that `fill` fills, as HTML."""
    return html.slot(_SLOT, html.paragraph(_NOT_HERE, "soft"))


def fill(page: str, told: str) -> str:
    """Returns the page with `told`, HTML, in its place; without one, as in early pages, a page of `told` alone."""
    return html.filled(page, _SLOT, told) or html.page("Against the champion", told)


def tell(
    own: Evaluated, champion: dict[str, Any] | None, theirs: Evaluated | str, decision: dict[str, Any], looked_at: str
) -> str:
    """Says how a model stands against the champion, as HTML.

    Args:
        own: of the model.
        champion: what the pointer said before the decision, None for nobody.
        theirs: of the champion, or why it can't be known.
        decision: of expressnet.stages.promote.
        looked_at: when the pointer was read.
    """
    verdict = f"{'Promoted' if decision['promoted'] else 'Not promoted'}: {decision['reason']}."
    if champion is None:
        who, more = f"{decision['model_name']} had no champion", ""
    elif champion["version"] == decision["version"]:
        who, more = f"this model was champion itself, since {champion['promoted_at']}", ""
    else:
        who = f"{champion['version']} was champion, since {champion['promoted_at']}"
        more = (
            html.paragraph(f"Its figures can't be known: {theirs}", "soft")
            if isinstance(theirs, str)
            else _beside(own, champion["version"], theirs, decision)
        )
    return html.subsection("Against the champion", html.paragraph(f"On {looked_at} {who}. {verdict}"), more)


def _beside(own: Evaluated, name: str, theirs: Evaluated, decision: dict[str, Any]) -> str:
    unlike = _unlike(own, theirs)
    rows = [
        (
            figure.replace("_", " "),
            shown(own.figures["metrics"][figure]),
            shown(theirs.figures["metrics"][figure]),
            _difference(own, theirs, figure, decision, is_like=not unlike),
        )
        for figure in _FIGURES
    ]
    header = ("figure", "this model", f"champion {name}", "difference on this model's test images")
    alike = (
        f"Like with like: both were measured on the same frozen test images ({len(own.predictions):,}, digest "
        f"{_digest(own)[:8]})."
    )
    note = f"Columns two and three are not like with like: {'; '.join(unlike)}." if unlike else alike
    return html.table(header, rows) + html.paragraph(note, "soft")


def _unlike(own: Evaluated, theirs: Evaluated) -> list[str]:
    """Returns the reasons why stored figures of two models can't be subtracted."""
    found = []
    if _digest(own) != _digest(theirs):
        num_shared = len(set(own.predictions["sha256"]) & set(theirs.predictions["sha256"]))
        found.append(
            f"this model was measured on {len(own.predictions):,} test images (digest {_digest(own)[:8]}), the "
            f"champion on {len(theirs.predictions):,} (digest {_digest(theirs)[:8]}), {num_shared:,} of them the same"
        )
    protocols = own.figures["protocol"], theirs.figures["protocol"]
    if protocols[0] != protocols[1]:
        found.append(f"this model's protocol is {protocols[0]}, the champion's {protocols[1]}")
    return found


def _digest(evaluated: Evaluated) -> str:
    """Returns the digest of the test images and their labels."""
    return storage.json_digest(
        sorted(zip(evaluated.predictions["sha256"], evaluated.predictions["label"], strict=True))
    )


def _difference(own: Evaluated, theirs: Evaluated, figure: str, decision: dict[str, Any], *, is_like: bool) -> str:
    prefix = _FIGURES[figure]
    if f"{prefix}_value" in decision:  # the champion predicted them anew
        value, low, high = (decision[f"{prefix}_{end}"] for end in ("value", "low", "high"))
        return f"{value:+.3f} ({low:+.3f} to {high:+.3f})"
    values = [each.figures["metrics"][figure]["value"] for each in (own, theirs)]
    if not is_like or None in values:
        return "not known"
    return f"{values[0] - values[1]:+.3f} (no interval)"
