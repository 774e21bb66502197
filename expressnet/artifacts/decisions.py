"""What decide and promote say of the champion: whether to train a challenger, and whether it takes the place."""

from __future__ import annotations

from typing import ClassVar

from expressnet.artifacts.stored import Stored


class RetrainDecision(Stored):
    """The decision whether the champion is trained anew.

    Attributes:
        model_name: in the registry.
        retrain, reason: the answer, and why in words.
        champion: its version, "" for none.
        num_new, num_removed, num_relabelled: what became of its images, where that can be counted.
        kept_file, kept_digest: rows that the champion met, for the split; "" for none.
        initial_weights, initial_sha256: weights that the training starts from; "" for none.
    """

    FILE: ClassVar[str] = "decision.json"

    model_name: str
    retrain: bool
    reason: str
    champion: str = ""
    num_new: int | None = None
    num_removed: int | None = None
    num_relabelled: int | None = None
    kept_file: str = ""
    kept_digest: str = ""
    initial_weights: str = ""
    initial_sha256: str = ""


class Promotion(Stored):
    """The decision whether a registered model becomes the champion.

    Attributes:
        model_name, version: of the challenger.
        champion_before: version of the champion, "" for none.
        intended_use: as the promoter said it.
        num_test, split_digest, macro_f1, accuracy: of the challenger's evaluation.
        promoted, reason: the answer, and why in words.
        gain_*, accuracy_gain_*: macro-F1 and accuracy above the champion's on the same rows, with their intervals;
            None where the two were not compared.
        mcnemar_p, only_champion_right, only_challenger_right, visible_gain: see
            expressnet.evaluation.comparison.Comparison.
    """

    FILE: ClassVar[str] = "promotion.json"

    model_name: str
    version: str
    champion_before: str
    intended_use: str
    num_test: int
    split_digest: str
    macro_f1: float
    accuracy: float
    promoted: bool = False
    reason: str = ""
    gain_value: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    accuracy_gain_value: float | None = None
    accuracy_gain_low: float | None = None
    accuracy_gain_high: float | None = None
    mcnemar_p: float | None = None
    only_champion_right: int | None = None
    only_challenger_right: int | None = None
    visible_gain: float | None = None
