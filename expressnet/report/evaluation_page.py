"""The evaluation as one self-contained page: headline first, a table behind every picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from expressnet.evaluation import occlusion, paper_results
from expressnet.evaluation.bootstrap import shown
from expressnet.registry import model_card
from expressnet.registry.notices import OPTIMISTIC_NOTE
from expressnet.report import experts_section, html, performance_section, plots, slices_section

_DIGESTS = ("dataset_digest", "crops_digest", "split_digest", "config_digest", "code_digest", "backbone_weights")
_USAGE = re.compile(r"(?P<mixture>.+)_expert_(?P<number>\d+)")  # column of the history


def render(
    evaluation: dict[str, Any],
    history: pd.DataFrame,
    provenance: dict[str, Any],
    pictures: Sequence[occlusion.Map] = (),
    refusal: str = "",
) -> str:
    """Returns the page of an evaluation (see expressnet.stages.evaluate) and of the training behind it.

    Args:
        evaluation: figures, in which None stands for what is not defined.
        history: figures of every epoch.
        provenance: of the model.
        pictures: where the model looked.
        refusal: why there are none although they were asked for.
    """
    paper, no_paper = paper_results.compare(evaluation)
    return html.page(
        "evaluation.html.j2",
        evaluation=evaluation,
        warnings=_warnings(evaluation),
        paper=[(name.replace("_", " "), shown(evaluation["metrics"][name]), value) for name, value in paper.items()],
        no_paper=no_paper,
        confusion=performance_section.confusion(evaluation),
        classes=performance_section.classes(evaluation),
        roc=performance_section.curves(evaluation),
        calibration=performance_section.calibration(evaluation),
        slices=slices_section.slices(evaluation),
        labels=slices_section.labels(evaluation),
        experts=experts_section.experts(evaluation),
        training=_training(history),
        data=_data(evaluation),
        pictures=[{"address": html.data_uri(one.png), "text": one.text, "sha256": one.sha256} for one in pictures],
        refusal=refusal,
        provenance=_provenance_rows(evaluation, provenance),
        card=model_card.sections(evaluation, provenance),
    )


def _warnings(evaluation: dict[str, Any]) -> list[str]:
    said = []
    if evaluation["protocol"] == "paper":
        said.append(f"Every figure on this page is {OPTIMISTIC_NOTE}.")
    if evaluation["num_without_answer"]:
        said.append(
            f"The model gave no finite answer for {evaluation['num_without_answer']:,} images. They count as "
            "if all classes were equally likely; the model or its crops are damaged."
        )
    if dropped := evaluation["not_finite"]:
        said.append(
            f"{len(dropped)} figures are not defined on these images and left out: {', '.join(dropped[:5])}"
            f"{', ...' if len(dropped) > 5 else ''}."
        )
    return said


def _training(history: pd.DataFrame) -> dict[str, Any]:
    """Returns the figures of every epoch, and apart from them how much each expert of a mixture was used."""
    usage = {name: found for name in history.columns if (found := _USAGE.fullmatch(name))}
    figures = history.drop(columns=list(usage)).astype({"epoch": int})
    by_mixture: dict[str, list[str]] = {}
    for name, found in usage.items():
        by_mixture.setdefault(found["mixture"], []).append(name)
    return {
        "picture": plots.picture(plots.history(history)),
        "header": [name.replace("_", " ") for name in figures.columns],
        "rows": _rows(figures),
        "titles": {
            mixture: [f"expert {usage[name]['number']}" for name in names] for mixture, names in by_mixture.items()
        },
        "usage": {
            mixture: _rows(history[["epoch", *names]].astype({"epoch": int})) for mixture, names in by_mixture.items()
        },
    }


def _rows(frame: pd.DataFrame) -> list[list[Any]]:
    return [list(row) for row in frame.itertuples(index=False)]


def _data(evaluation: dict[str, Any]) -> dict[str, Any]:
    counts, rates = evaluation["split_counts"], evaluation["face_rate_by_class"]
    return {
        "columns": [f"{name} images" for name in counts],
        "rows": [
            (label, *(counts[name].get(label, 0) for name in counts), rates[label]) for label in evaluation["classes"]
        ],
        "crops": [(name.replace("_", " "), value) for name, value in evaluation["crops"].items()],
    }


def _provenance_rows(evaluation: dict[str, Any], provenance: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("model digest", evaluation["model_digest"]),
        *((name.replace("_", " "), provenance[name]) for name in _DIGESTS),
        *provenance["versions"].items(),
    ]
