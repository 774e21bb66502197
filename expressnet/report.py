"""The evaluation as one self-contained page: headline first, a table behind every picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from expressnet import html, plots
from expressnet.notices import AI_ACT_NOTE, OPTIMISTIC_NOTE


def render(evaluation: dict[str, Any], history: pd.DataFrame, provenance: dict[str, Any]) -> str:
    """Returns the page of an evaluation (see expressnet.evaluate) and of the training behind it."""
    classes = evaluation["classes"]
    return html.page(
        f"ExpressNet-MoE on {evaluation['dataset_id']}",
        _headline(evaluation)
        + html.section("Confusion matrix", plots.picture(plot_confusion(evaluation), "Confusion matrix, rows are true"),
                       _confusion_table(evaluation))
        + html.section("Per class", _class_table(evaluation))
        + html.section("Training", plots.picture(plots.history(history), "Loss and accuracy by epoch"),
                       html.table(list(history.columns), _cells(history)))
        + html.section("Data and crops", _data_table(evaluation, classes))
        + html.section(
            "Experts",
            html.paragraph("Mean gate of each expert by true class; an image uses its two largest gates.", "soft"),
            *(_expert_part(name, evaluation["experts"][name], classes) for name in evaluation["experts"]),
        )
        + html.section("Provenance", html.table(("", ""), _provenance_rows(evaluation, provenance)))
        + html.section("Limits", html.paragraph(AI_ACT_NOTE), html.paragraph(f"Licence of the data: "
                                                                             f"{provenance['licence']}.")),
    )  # fmt: skip


def interval(figure: dict[str, float]) -> str:
    """Writes a figure with its interval."""
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _headline(evaluation: dict[str, Any]) -> str:
    figures = evaluation["metrics"]
    note = f" ({OPTIMISTIC_NOTE})" if evaluation["protocol"] == "paper" else ""
    rows = [(name.replace("_", " "), interval(figures[name])) for name in evaluation["headlines"]]
    grouped = "people" if evaluation["num_groups"] < evaluation["num_test"] else "images"
    return (
        html.paragraph(f"{figures['accuracy']['value']:.1%} accuracy", "headline")
        + html.paragraph(
            f"{evaluation['dataset_id']}, protocol {evaluation['protocol']}{note}, {evaluation['num_test']:,} test "
            f"images, preset {evaluation['preset']}, seed {evaluation['seed']}. Intervals: 95 % bootstrap over "
            f"{evaluation['num_groups']:,} {grouped}. The most frequent class alone gives "
            f"{evaluation['majority_rate']:.1%}.", "soft",
        )
        + html.table(("figure", "value (95 % interval)"), rows)
    )  # fmt: skip


def _class_table(evaluation: dict[str, Any]) -> str:
    figures, names = evaluation["metrics"], ("precision", "recall", "f1")
    rows = []
    for place, label in enumerate(evaluation["classes"]):
        cells = [interval({k: figures[name][k][place] for k in ("value", "low", "high")}) for name in names]
        rows.append((label, *cells, evaluation["support"][place], evaluation["one_vs_rest_accuracy"][place]))
    return html.table(("class", *names, "support", "one-vs-rest accuracy"), rows)


def _confusion_table(evaluation: dict[str, Any]) -> str:
    classes = evaluation["classes"]
    return html.table(("true \\ predicted", *classes),
                      [(label, *row) for label, row in zip(classes, evaluation["confusion"], strict=True)])  # fmt: skip


def _data_table(evaluation: dict[str, Any], classes: list[str]) -> str:
    counts, rates = evaluation["split_counts"], evaluation["face_rate_by_class"]
    rows = [(label, *(counts[name].get(label, 0) for name in counts), rates[label]) for label in classes]
    return html.table(("class", *(f"{name} images" for name in counts), "faces found"), rows)


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
