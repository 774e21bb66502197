"""What the evaluation's page says of the champion.

`evaluate` leaves a place for it, because its page may be reused long after the champion changed. `promote`, which is
never reused, fills the place in a copy of its own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from expressnet.evaluation.bootstrap import shown
from expressnet.report import html
from expressnet.runtime import storage

# The ends of the place in templates/champion_place.html.j2. Text from data can't be one of them: its "<" is escaped.
_START, _END = '<div id="champion">', "<!-- champion ends --></div>"
_FIGURES = {"accuracy": "accuracy_gain", "macro_f1": "gain"}  # and what a decision calls their difference


class Evaluated(NamedTuple):
    """What was measured of a model: see expressnet.stages.evaluate."""

    figures: dict[str, Any]
    predictions: pd.DataFrame


def place() -> Markup:
    """Returns the place that `fill` fills, as HTML."""
    return html.part("champion_place.html.j2")


def fill(page: str, told: Markup) -> str:
    """Returns the page with `told`, HTML, in its place; without one, as in early pages, a page of `told` alone."""
    before, _, rest = page.partition(_START)
    _, end, after = rest.partition(_END)
    if not end:
        return html.page("plain.html.j2", title="Against the champion", body=told)
    return f"{before}{_START}{told}{end}{after}"


def tell(
    own: Evaluated, champion: dict[str, Any] | None, theirs: Evaluated | str, decision: dict[str, Any], looked_at: str
) -> Markup:
    """Returns how a model stands against the champion, as HTML.

    Args:
        own: of the model.
        champion: what the pointer said before the decision, None for nobody.
        theirs: of the champion, or why it can't be known.
        decision: of expressnet.stages.promote.
        looked_at: when the pointer was read.
    """
    is_other = champion is not None and champion["version"] != decision["version"]
    known = theirs if is_other and isinstance(theirs, Evaluated) else None
    unlike = _unlike(own, known) if known else []
    return html.part(
        "champion.html.j2",
        champion=champion,
        decision=decision,
        looked_at=looked_at,
        unknown=theirs if is_other and isinstance(theirs, str) else "",
        rows=_rows(own, known, decision, is_like=not unlike) if known else [],
        unlike=unlike,
        num_test=len(own.predictions),
        test_digest=_digest(own)[:8],
    )


def _rows(
    own: Evaluated, theirs: Evaluated, decision: dict[str, Any], *, is_like: bool
) -> list[tuple[str, str, str, str]]:
    return [
        (
            figure.replace("_", " "),
            shown(own.figures["metrics"][figure]),
            shown(theirs.figures["metrics"][figure]),
            _difference(own, theirs, figure, decision, is_like=is_like),
        )
        for figure in _FIGURES
    ]


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
