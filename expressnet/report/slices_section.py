"""What the evaluation's page says of kinds of pictures and of labels."""

from __future__ import annotations

from typing import Any

from expressnet.evaluation.bootstrap import shown
from expressnet.report import plots

_VOTES = {
    "votes_for_label": "share of the votes for the label",
    "votes_for_answer": "share of the votes for the model's answer",
    "accuracy_where_80_percent_agree": "accuracy where 80 % or more of the votes agree",
    "accuracy_elsewhere": "accuracy elsewhere",
}


def slices(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Returns accuracy by kinds of pictures and people, and the gaps."""
    found, worst = evaluation["slices"]["slices"], evaluation["slices"]["worst"]
    drawn = [one for one in found if not one["too_few"]]
    names = [f"{one['attribute']}: {one['name']}" for one in drawn]
    figures, overall = [one["accuracy"] for one in drawn], evaluation["metrics"]["accuracy"]["value"]
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
    return {
        "rows": rows,
        "worst": None if worst < 0 else found[worst],
        "picture": plots.picture(plots.intervals(names, figures, overall, "accuracy")) if drawn else "",
        "gaps": [(one["attribute"], one["best"], one["worst"], shown(one)) for one in evaluation["slices"]["gaps"]],
    }


def labels(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Returns how many labels of the test split the model doubts, and what people voted."""
    names = ("label", "num_rows", "num_suspects", "num_strong", "mostly")
    votes = evaluation["votes"]
    return {
        "rows": [tuple(one[name] for name in names) for one in evaluation["label_noise"]],
        "votes": [(title, shown(votes[name])) for name, title in _VOTES.items()] if votes else [],
    }
