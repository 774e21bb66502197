"""What a comparison of two models means: whether the challenger becomes champion, in words."""

from __future__ import annotations

from collections.abc import Sequence

from expressnet.config.promote import PromoteConfig
from expressnet.evaluation.comparison import Comparison, Difference
from expressnet.registry import prohibited_uses


def objection(lacking: Sequence[str], real_faces: bool, promote_with: str, config: PromoteConfig) -> str:
    """Returns what forbids a promotion whatever the figures are, "" if nothing does.

    Args:
        lacking: facts that the model card lacks.
        real_faces: whether the model was made of pictures of real people.
        promote_with: what to type to promote it when the use is known.
        config: the intended use and the jurisdiction.
    """
    if lacking:
        return f"the model card is incomplete, it lacks {', '.join(lacking)}"
    if real_faces and not config.intended_use.strip():
        return f"intended use is missing; {promote_with}"
    return prohibited_uses.objection(config.intended_use, config.jurisdiction)


def decide(found: Comparison, classes: Sequence[str], config: PromoteConfig) -> tuple[bool, str]:
    """Returns whether the challenger is promoted, and why.

    It must gain macro-F1 beyond the margin with the interval's whole length, and neither a class nor the calibration
    may have become worse beyond its limit with the interval's whole length.

    Args:
        found: challenger against champion.
        classes: names in the order of `found.recall`.
        config: the limits.
    """
    worse = [
        f"the recall of {name} fell by {_shown(recall)}, more than {config.max_class_loss:.3f}"
        for name, recall in zip(classes, found.recall, strict=True)
        if recall.high < -config.max_class_loss
    ]
    if found.calibration_error.low > config.max_calibration_loss:
        worse.append(
            f"the calibration error rose by {_shown(found.calibration_error)}, more than "
            f"{config.max_calibration_loss:.3f}"
        )
    gains = found.macro_f1.low > config.min_gain
    evidence = (
        f"macro-F1 {_shown(found.macro_f1)} on {found.num_rows:,} test images of {found.num_groups:,} groups; of the "
        f"{found.only_challenger_right + found.only_champion_right:,} images that one model alone gets right the "
        f"challenger has {found.only_challenger_right:,} (McNemar p = {found.mcnemar_p:.2g})"
    )
    if gains and not worse:
        return True, f"better than the champion: {evidence}"
    if gains:
        return False, f"better in all, but {'; '.join(worse)}. {evidence}"
    also = f"; also, {'; '.join(worse)}" if worse else ""
    return False, f"no proof that it is better: {evidence}; {_needed(found, config)}{also}"


def _needed(found: Comparison, config: PromoteConfig) -> str:
    """Returns what a promotion would take: the smallest gain that is seen, and how many images this one would need."""
    needed = (
        f"its lower end must exceed {config.min_gain:+.3f}; this test set shows gains from about "
        f"{config.min_gain + found.visible_gain:.3f} on, smaller ones need more images"
    )
    beyond = found.macro_f1.value - config.min_gain
    if beyond <= 0:
        return f"{needed}, and it would have to be better on them"
    # The interval shrinks with the root of the number of images.
    more = round(found.num_rows * (found.visible_gain / beyond) ** 2, -2)
    return f"{needed}: if the gain is what it seems, about {max(more, found.num_rows):,.0f} such images"


def _shown(difference: Difference) -> str:
    return f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"
