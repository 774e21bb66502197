"""What the evaluation's page says of the experts."""

from __future__ import annotations

from typing import Any

from expressnet.evaluation.bootstrap import shown


def experts(evaluation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns what the experts of every mixture do, by its name."""
    return {name: _mixture(found) for name, found in evaluation["experts"].items()}


def _mixture(found: dict[str, Any]) -> dict[str, Any]:
    titles = [f"expert {number + 1}" for number in range(found["num_experts"])]
    used, gates = found["usage_by_class"], found["gates_by_class"]
    rows = [
        (
            title,
            f"{found['usage'][number]:.1%}{' (dead)' if number in found['dead'] else ''}",
            shown(found["lost"][number]),
        )
        for number, title in enumerate(titles)
    ]
    return {
        "titles": titles,
        "texts": [
            [f"{share:.0%} (gate {gate:.2f})" for share, gate in zip(*line, strict=True)]
            for line in zip(used, gates, strict=True)
        ],
        "rows": rows,
        "pairs": [(" and ".join(str(number + 1) for number in one["experts"]), one["share"]) for one in found["pairs"]],
    }
