"""The evaluation as one self-contained page: headline first, a table behind every picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from expressnet.evaluation import occlusion, paper_results
from expressnet.evaluation.bootstrap import shown
from expressnet.registry import model_card
from expressnet.registry.notices import OPTIMISTIC_NOTE
from expressnet.report import champion_section, experts_section, html, performance_section, plots, slices_section

_DIGESTS = ("dataset_digest", "crops_digest", "split_digest", "config_digest", "code_digest", "backbone_weights")
_CARDS = (
    ("accuracy", "accuracy"),
    ("macro-F1", "macro_f1"),
    ("balanced accuracy", "balanced_accuracy"),
    ("ROC AUC", "roc_auc"),
    ("log loss", "log_loss"),
    ("calibration error", "calibration_error"),
)


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
    sections = {
        "confusion": ("Confusion matrix", performance_section.confusion(evaluation)),
        "classes": ("Classes", performance_section.classes(evaluation)),
        "roc": ("ROC curves", performance_section.curves(evaluation)),
        "calibration": ("Calibration", performance_section.calibration(evaluation)),
        "slices": ("Slices", slices_section.slices(evaluation)),
        "labels": ("Labels in doubt", slices_section.labels(evaluation)),
        "experts": ("Experts", experts_section.experts(evaluation)),
        "training": ("Training", _training(history)),
        "data": ("Data and crops", _data(evaluation)),
        **({"pictures": ("Where the model looks", _pictures(pictures, refusal))} if pictures or refusal else {}),
        "provenance": ("Provenance", html.table(("", ""), _provenance_rows(evaluation, provenance))),
        "card": ("Model card", "".join(map(_card_part, model_card.sections(evaluation, provenance)))),
    }
    body = "".join(html.section(heading, inner, anchor=anchor) for anchor, (heading, inner) in sections.items())
    return html.page(
        f"ExpressNet-MoE on {evaluation['dataset_id']}",
        _headline(evaluation) + html.contents({anchor: heading for anchor, (heading, _) in sections.items()}) + body,
    )


def _headline(evaluation: dict[str, Any]) -> str:
    figures = evaluation["metrics"]
    grouped = "groups (images of one person and near-duplicates are drawn together)"
    return (
        html.paragraph(f"{figures['accuracy']['value']:.1%} accuracy", "headline")
        + html.paragraph(
            f"{evaluation['dataset_id']}, protocol {evaluation['protocol']}, {evaluation['num_test']:,} test images, "
            f"preset {evaluation['preset']}, seed {evaluation['seed']}. Intervals: {evaluation['confidence']:.0%} "
            f"bootstrap, {evaluation['num_resamples']:,} resamples of {evaluation['num_groups']:,} {grouped}. The most "
            f"frequent class alone gives {evaluation['majority_rate']:.1%}.",
            "soft",
        )
        + "".join(map(html.notice, _warnings(evaluation)))
        + html.cards([(title, *_card(figures[name])) for title, name in _CARDS])
        + champion_section.place()
        + _paper(evaluation)
    )


def _card_part(part: model_card.Section) -> str:
    table = html.table(part.header, part.rows) if part.rows else ""
    return html.subsection(part.title, *map(html.paragraph, part.paragraphs), table)


def _card(figure: dict[str, Any]) -> tuple[str, str]:
    value, _, ends = shown(figure).partition(" (")
    return value, ends.removesuffix(")")


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


def _paper(evaluation: dict[str, Any]) -> str:
    theirs, reason = paper_results.compare(evaluation)
    if reason:
        return html.paragraph(f"No comparison with the paper: {reason}.", "soft")
    rows = [(name.replace("_", " "), shown(evaluation["metrics"][name]), value) for name, value in theirs.items()]
    return html.table(("figure", f"this model (preset {evaluation['preset']})", "paper"), rows) + html.paragraph(
        "The same data set and protocol; both were selected on the test split.", "soft"
    )


def _training(history: pd.DataFrame) -> str:
    rows = [list(row) for row in history.astype({"epoch": int}).itertuples(index=False)]
    return plots.picture(plots.history(history), "Loss and accuracy by epoch") + html.details(
        "The figures of every epoch", html.table(list(history.columns), rows)
    )


def _data(evaluation: dict[str, Any]) -> str:
    counts, rates = evaluation["split_counts"], evaluation["face_rate_by_class"]
    rows = [(label, *(counts[name].get(label, 0) for name in counts), rates[label]) for label in evaluation["classes"]]
    facts = [(name.replace("_", " "), value) for name, value in evaluation["crops"].items()]
    return html.table(("class", *(f"{name} images" for name in counts), "faces found"), rows) + html.table(
        ("crops", ""), facts
    )


def _pictures(pictures: Sequence[occlusion.Map], refusal: str) -> str:
    if refusal:
        return html.paragraph(refusal)
    return html.paragraph(
        "Bright: covering this part takes most of the answer's probability away. Left the crop, right the same crop "
        "under the map. The surest right answers come first, then the surest wrong ones; they are no fair sample.",
        "soft",
    ) + html.pictures(
        # The whole hash, by which `make forget` finds the pages that show an example.
        (html.png(one.png, f"Crop and occlusion map: {one.text}", "photo"), f"{one.text}; {one.sha256}")
        for one in pictures
    )


def _provenance_rows(evaluation: dict[str, Any], provenance: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("model digest", evaluation["model_digest"]),
        *((name.replace("_", " "), provenance[name]) for name in _DIGESTS),
        *provenance["versions"].items(),
    ]
