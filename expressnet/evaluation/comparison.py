"""Two models on the same test rows: what the difference is, and how sure that is."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import stats

from expressnet.evaluation import bootstrap, calibration, metrics

_RESAMPLES_AT_ONCE = 100
_COMPARED = ("macro_f1", "accuracy", "recall", "calibration_error")


@dataclasses.dataclass(frozen=True)
class Difference:
    """Challenger minus champion.

    Attributes:
        value: on the test rows.
        low: lower end of its interval.
        high: upper end.
    """

    value: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Paired evidence on n test rows.

    Attributes:
        num_rows: how many.
        num_groups: of how many persons or pictures, which are resampled whole.
        macro_f1: difference of the macro-averaged F1.
        accuracy: difference of the accuracy.
        recall: difference of every class's recall.
        calibration_error: difference of the expected calibration error; positive is worse.
        only_champion_right: rows that only the champion gets right.
        only_challenger_right: rows that only the challenger gets right.
        mcnemar_p: two-sided exact p-value of the two being equally likely.
        visible_gain: the smallest true gain of macro-F1 that such a test would find in four of five cases.
    """

    num_rows: int
    num_groups: int
    macro_f1: Difference
    accuracy: Difference
    recall: tuple[Difference, ...]
    calibration_error: Difference
    only_champion_right: int
    only_challenger_right: int
    mcnemar_p: float
    visible_gain: float


def compare(
    labels: np.ndarray,
    champion: np.ndarray,
    challenger: np.ndarray,
    groups: np.ndarray,
    *,
    num_resamples: int,
    confidence: float,
    seed: int,
) -> Comparison:
    """Compares two models' probabilities for the same rows.

    The intervals are percentiles of a paired cluster bootstrap: whole groups are drawn with replacement, with both
    models' answers (Efron and Tibshirani 1993). The test is McNemar's, exact: of the rows that one model alone gets
    right, half would fall to each if they were equally good (McNemar 1947).

    Args:
        labels: int[n], true classes.
        champion: float[n, classes].
        challenger: float[n, classes].
        groups: [n], what is drawn together.
        num_resamples: bootstrap resamples.
        confidence: coverage of the intervals, 0..1.
        seed: of the resampling.

    Raises:
        ValueError: the shapes don't fit, or there is no row.
    """
    if not len(labels) or champion.shape != challenger.shape or {len(champion), len(groups)} != {len(labels)}:
        raise ValueError(
            f"Needs probabilities of both models for the same rows; got {len(labels)} labels, {len(groups)} groups and "
            f"probabilities of shape {champion.shape} and {challenger.shape}."
        )
    num_classes = champion.shape[1]
    _, group_of = np.unique(groups, return_inverse=True)
    num_groups = int(group_of.max()) + 1
    summed = [_summed(labels, one, group_of, num_groups) for one in (champion, challenger)]
    values = _differences([one.sum(axis=0, keepdims=True) for one in summed], num_classes)
    spread = _resampled(summed, num_classes, num_resamples, seed)
    tail = (1 - confidence) / 2
    ends = {name: np.quantile(each, [tail, 1 - tail], axis=0) for name, each in spread.items()}

    def difference(name: str, *place: int) -> Difference:
        at = (0, *place)
        return Difference(float(values[name][at]), *(float(end[place]) for end in ends[name]))

    right = [one.argmax(axis=1) == labels for one in (champion, challenger)]
    lost, won = int((right[0] & ~right[1]).sum()), int((~right[0] & right[1]).sum())
    # Normal approximation: the lower end lies z standard errors below the gain, which scatters by one around its mean.
    z_beyond = stats.norm.ppf(1 - tail) + stats.norm.ppf(0.8)
    return Comparison(
        num_rows=len(labels),
        num_groups=num_groups,
        macro_f1=difference("macro_f1"),
        accuracy=difference("accuracy"),
        recall=tuple(difference("recall", place) for place in range(num_classes)),
        calibration_error=difference("calibration_error"),
        only_champion_right=lost,
        only_challenger_right=won,
        mcnemar_p=float(stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0,
        visible_gain=float(z_beyond * spread["macro_f1"].std()),
    )


def _summed(labels: np.ndarray, probabilities: np.ndarray, group_of: np.ndarray, num_groups: int) -> np.ndarray:
    """Returns what figures are made of, added up over each group: confusion counts, then calibration gaps by bin."""
    num_classes = probabilities.shape[1]
    cells = np.eye(num_classes**2)[labels * num_classes + probabilities.argmax(axis=1)]
    sums = bootstrap.group_sums(np.hstack([cells, calibration.gaps(labels, probabilities)]), group_of, num_groups).T
    return np.ascontiguousarray(sums)


def _differences(summed: list[np.ndarray], num_classes: int) -> dict[str, np.ndarray]:
    """Returns differences of figures, challenger minus champion, of their sums float[resamples, ...]."""
    champion, challenger = (_figures(sums, num_classes) for sums in summed)
    return {name: challenger[name] - champion[name] for name in _COMPARED}


def _figures(sums: np.ndarray, num_classes: int) -> dict[str, np.ndarray]:
    confusion = sums[:, : num_classes**2].reshape(-1, num_classes, num_classes)
    gaps = np.abs(sums[:, num_classes**2 :]).sum(axis=1)
    return {**metrics.from_confusion(confusion), "calibration_error": gaps / confusion.sum(axis=(1, 2))}


def _resampled(summed: list[np.ndarray], num_classes: int, num_resamples: int, seed: int) -> dict[str, np.ndarray]:
    generator, num_groups = np.random.default_rng(seed), len(summed[0])
    shares = np.full(num_groups, 1 / num_groups)
    parts = []
    for start in range(0, num_resamples, _RESAMPLES_AT_ONCE):
        count = min(_RESAMPLES_AT_ONCE, num_resamples - start)
        drawn = generator.multinomial(num_groups, shares, count).astype(np.float64)
        parts.append(_differences([drawn @ sums for sums in summed], num_classes))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
