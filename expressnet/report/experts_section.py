"""The part of the evaluation's page about the experts."""

from __future__ import annotations

from typing import Any

from expressnet.evaluation.bootstrap import shown
from expressnet.report import html


def experts(evaluation: dict[str, Any]) -> str:
    """Returns what every mixture's experts do."""
    parts = (_mixture(name, found, evaluation["classes"]) for name, found in evaluation["experts"].items())
    said = "An image is answered by the experts with the largest gates. The colour is the share of a class's images."
    return html.paragraph(said, "soft") + "".join(parts)


def _mixture(name: str, found: dict[str, Any], classes: list[str]) -> str:
    numbers = range(found["num_experts"])
    titles = [f"expert {number + 1}" for number in numbers]
    used, gates = found["usage_by_class"], found["gates_by_class"]
    texts = [
        [f"{share:.0%} (gate {gate:.2f})" for share, gate in zip(*line, strict=True)]
        for line in zip(used, gates, strict=True)
    ]
    rows = [
        (
            titles[number],
            f"{found['usage'][number]:.1%}{' (dead)' if number in found['dead'] else ''}",
            shown(found["lost"][number]),
        )
        for number in numbers
    ]
    pairs = [(" and ".join(str(number + 1) for number in one["experts"]), one["share"]) for one in found["pairs"]]
    return html.subsection(
        f"Mixture: {name}",
        html.paragraph(_said(found)),
        html.heat_table("true class", titles, classes, used, texts),
        html.table(("expert", "images that choose it", "accuracy lost without it"), rows),
        html.details("Experts chosen together", html.table(("experts", "share of the images"), pairs)),
    )


def _said(found: dict[str, Any]) -> str:
    said = (
        f"{found['top_k']} of {found['num_experts']} experts answer. Load varies by {found['load_variation']:.2f} (its "
        f"standard deviation over its mean; 0 is even), the gates' entropy is {found['entropy']:.0%} of the largest "
        "possible."
    )
    if found["dead"]:
        said += f" Dead: {', '.join(f'expert {number + 1}' for number in found['dead'])}."
    if found["is_constant"]:
        said += " The gates are the same for every image: this mixture does not choose."
    return said
