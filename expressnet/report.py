"""The evaluation as one self-contained page: headline first, a table behind every picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from expressnet import card, html, plots


def render(evaluation: dict[str, Any], history: pd.DataFrame, provenance: dict[str, Any]) -> str:
    """Returns the page of an evaluation (see expressnet.evaluate) and of the training behind it."""
    classes, (headline, by_class) = evaluation["classes"], card.figures(evaluation)
    return html.page(
        f"ExpressNet-MoE on {evaluation['dataset_id']}",
        html.paragraph(f"{evaluation['metrics']['accuracy']['value']:.1%} accuracy", "headline")
        + "".join(html.paragraph(text, "soft") for text in headline.paragraphs)
        + html.table(headline.header, headline.rows)
        + html.section("Confusion matrix", plots.picture(plot_confusion(evaluation), "Confusion matrix, rows are true"),
                       _confusion_table(evaluation))
        + html.section("Per class", html.table(by_class.header, by_class.rows))
        + html.section("Training", plots.picture(plots.history(history), "Loss and accuracy by epoch"),
                       html.table(list(history.columns), _cells(history)))
        + html.section(
            "Experts",
            html.paragraph("Mean gate of each expert by true class; an image uses its two largest gates.", "soft"),
            *(_expert_part(name, evaluation["experts"][name], classes) for name in evaluation["experts"]),
        )
        + html.section("Provenance", html.table(("", ""), _provenance_rows(evaluation, provenance)))
        + "".join(_card_part(part) for part in card.sections(evaluation, provenance)),
    )  # fmt: skip


def _card_part(part: card.Section) -> str:
    table = html.table(part.header, part.rows) if part.rows else ""
    return html.section(part.title, *map(html.paragraph, part.paragraphs), table)


def _confusion_table(evaluation: dict[str, Any]) -> str:
    classes = evaluation["classes"]
    return html.table(("true \\ predicted", *classes),
                      [(label, *row) for label, row in zip(classes, evaluation["confusion"], strict=True)])  # fmt: skip


def _expert_part(name: str, gates: list[list[float]], classes: list[str]) -> str:
    experts = [f"expert {number}" for number in range(1, len(gates[0]) + 1)]
    return (
        html.paragraph(f"Mixture {name}")
        + plots.picture(plot_experts(np.array(gates), classes, experts), f"Gates of the mixture {name} by class")
        + html.table(("class", *experts), [(label, *row) for label, row in zip(classes, gates, strict=True)])
    )


def _provenance_rows(evaluation: dict[str, Any], provenance: dict[str, Any]) -> list[tuple[str, str]]:
    names = ("dataset_digest", "crops_digest", "split_digest", "config_digest", "code_digest", "backbone_weights")
    return [
        ("model digest", evaluation["model_digest"]),
        *((name.replace("_", " "), provenance[name]) for name in names),
        *provenance["versions"].items(),
    ]


def _cells(frame: pd.DataFrame) -> list[list[Any]]:
    return [list(row) for row in frame.astype({"epoch": int}).itertuples(index=False)]


def plot_confusion(evaluation: dict[str, Any]) -> Figure:
    """Draws the matrix with row shares as colour and counts as text."""
    counts, classes = np.array(evaluation["confusion"]), evaluation["classes"]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return plots.heat_map(shares, classes, classes, [[f"{count:,}" for count in row] for row in counts],
                          ("predicted", "true"))  # fmt: skip


def plot_experts(gates: np.ndarray, classes: list[str], experts: list[str]) -> Figure:
    """Draws mean gates float[classes, experts]."""
    return plots.heat_map(
        gates, experts, classes, [[f"{gate:.2f}" for gate in row] for row in gates], ("", "true class")
    )
