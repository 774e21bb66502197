"""Times intervals and the page against scikit-learn in a loop of resamples: `python -m benchmarks.bench_eval`.

Both compute accuracy, macro precision, recall and F1, ROC AUC, log loss and what belongs to every class, on the same
rows. The loop is timed on a few resamples and scaled up, because all of them take minutes.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
from sklearn import metrics as peer

from expressnet.config.evaluate import EvaluateConfig
from expressnet.evaluation import labelled_predictions, metrics
from expressnet.report import evaluation_page
from tests.made import made_answers, made_report

_PEER_RESAMPLES = 20


def _seconds(step: Callable[[], object]) -> tuple[float, float]:
    """Returns processor and wall-clock seconds of a step; on a busy machine only the first says what it costs."""
    wall, processor = time.monotonic(), time.process_time()
    step()
    return time.process_time() - processor, time.monotonic() - wall


def _in_a_loop(labels: np.ndarray, probabilities: np.ndarray, num_resamples: int) -> None:
    noise, classes = np.random.default_rng(0), np.arange(probabilities.shape[1])
    for _ in range(num_resamples):
        drawn = noise.integers(len(labels), size=len(labels))
        truth, shares = labels[drawn], probabilities[drawn]
        predicted = shares.argmax(axis=1)
        peer.accuracy_score(truth, predicted)
        peer.precision_recall_fscore_support(truth, predicted, labels=classes, average="macro", zero_division=0)
        peer.precision_recall_fscore_support(truth, predicted, labels=classes, zero_division=0)
        peer.balanced_accuracy_score(truth, predicted)
        peer.roc_auc_score(truth, shares, multi_class="ovr", labels=classes)
        peer.log_loss(truth, shares, labels=classes)


def main() -> int:
    """Prints seconds and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--resamples", type=int, default=1_000)
    options = parser.parse_args()
    table = made_answers.table(options.rows)
    labels, probabilities = (
        labelled_predictions.labels(table, made_answers.CLASSES),
        labelled_predictions.probabilities(table).astype(np.float64),
    )
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    settings = EvaluateConfig(num_resamples=options.resamples)
    ours, wall = _seconds(lambda: metrics.with_intervals(labels, probabilities, np.arange(options.rows), settings))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        few, _ = _seconds(lambda: _in_a_loop(labels, probabilities, _PEER_RESAMPLES))
    theirs = few * options.resamples / _PEER_RESAMPLES
    print(
        f"intervals of all figures, {options.rows:,} rows x {options.resamples:,} resamples: {ours:.2f} CPU-s "
        f"({wall:.1f} s on the clock) against {theirs:.1f} CPU-s of scikit-learn in a loop "
        f"({_PEER_RESAMPLES} resamples, scaled up): {theirs / ours:.0f} x",
        flush=True,
    )
    grouped, _ = _seconds(lambda: metrics.with_intervals(labels, probabilities, np.arange(options.rows) // 5, settings))
    print(f"the same, five rows of a person drawn together: {grouped:.2f} CPU-s", flush=True)
    evaluation = made_report.evaluation(table)
    page = ""

    def render() -> None:
        nonlocal page
        page = evaluation_page.render(evaluation, made_report.history(), made_report.PROVENANCE)

    took, wall = _seconds(render)
    print(f"page of {options.rows:,} rows: {took:.2f} CPU-s ({wall:.1f} s on the clock), {len(page) / 2**20:.2f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
