"""The parts of the evaluation's page about kinds of pictures and about labels."""

from __future__ import annotations

from typing import Any

from expressnet.evaluation.bootstrap import shown
from expressnet.report import html, plots

_VOTES = {
    "votes_for_label": "share of the votes for the label",
    "votes_for_answer": "share of the votes for the model's answer",
    "accuracy_where_80_percent_agree": "accuracy where 80 % or more of the votes agree",
    "accuracy_elsewhere": "accuracy elsewhere",
}


def slices(evaluation: dict[str, Any]) -> str:
    """Returns accuracy by kinds of pictures and people, and the gaps."""
    found = evaluation["slices"]["slices"]
    if not found:
        return html.paragraph("All images are of one kind in everything that is known of them.")
    drawn = [one for one in found if not one["too_few"]]
    names = [f"{one['attribute']}: {one['name']}" for one in drawn]
    figures = [one["accuracy"] for one in drawn]
    picture = (
        plots.picture(
            plots.intervals(names, figures, evaluation["metrics"]["accuracy"]["value"], "accuracy"),
            "Accuracy of every slice with its interval; the dotted line is the whole test split",
        )
        if drawn
        else ""
    )
    rows = [
        (
            one["attribute"],
            one["name"],
            f"{one['num_rows']:,}{' (too few to judge)' if one['too_few'] else ''}",
            shown(one["accuracy"]),
            one["macro_f1"],
        )
        for one in found
    ]
    return (
        html.paragraph(_worst(evaluation["slices"]))
        + picture
        + html.table(("what", "slice", "images", "accuracy", "macro-F1 of its classes"), rows)
        + _gaps(evaluation["slices"]["gaps"])
    )


def _worst(found: dict[str, Any]) -> str:
    if found["worst"] < 0:
        return "No slice has enough images to be judged."
    worst = found["slices"][found["worst"]]
    return (
        f"Worst slice: {worst['attribute']}, {worst['name']}: accuracy {shown(worst['accuracy'])} on "
        f"{worst['num_rows']:,} images. The worst of {len(found['slices'])} looks worse than it is: some of it is "
        "chance, which its interval does not know of."
    )


def _gaps(gaps: list[dict[str, Any]]) -> str:
    if not gaps:
        return ""
    rows = [(one["attribute"], one["best"], one["worst"], shown(one)) for one in gaps]
    return html.subsection("Gaps", html.table(("what", "best slice", "worst slice", "difference in accuracy"), rows))


def labels(evaluation: dict[str, Any]) -> str:
    """Returns how many labels of the test split the model doubts, and what people voted."""
    names = ("label", "num_rows", "num_suspects", "num_strong", "mostly")
    rows = [tuple(one[name] for name in names) for one in evaluation["label_noise"]]
    said = (
        "Test images whose label confident learning doubts, from answers of a model that was not trained on them. A "
        "suspect is a reason to look, not a proof; those to whose label the model gives less than 5 % are the ones to "
        "begin with. label_suspects.csv beside this page names them."
    )
    table = html.table(("label", "images", "suspects", "of these under 5 %", "mostly look like"), rows)
    return html.paragraph(said, "soft") + table + _votes(evaluation["votes"])


def _votes(found: dict[str, Any]) -> str:
    if not found:
        return ""
    rows = [(title, shown(found[name])) for name, title in _VOTES.items()]
    return html.subsection(f"Votes on {found['num_rows']:,} images", html.table(("", "value (interval)"), rows))
