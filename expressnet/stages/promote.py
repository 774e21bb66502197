"""Decides on the same test rows whether a new model becomes the champion."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from expressnet.artifacts.decisions import Promotion
from expressnet.artifacts.evaluation import Evaluation
from expressnet.artifacts.provenance import Provenance
from expressnet.artifacts.stored import Facts, Plain
from expressnet.config.base import digest_fields
from expressnet.config.promote import PromoteConfig
from expressnet.data import manifest
from expressnet.evaluation import comparison
from expressnet.inference import recrop
from expressnet.registry import model_card, prohibited_uses, promotion_gate, registry, sealed_files
from expressnet.report import champion_section
from expressnet.runtime import console, storage
from expressnet.runtime import workspace as folders

REPORT_FILE = "report.html"


class Promoted(Facts):
    """The report of promote: the decision, and where the page is."""

    decision: Promotion
    report_path: str

    def plain(self) -> dict[str, Plain]:
        """Returns what a run view can show."""
        return {**self.decision.plain(), "report_path": self.report_path}


def run(version: str, model_name: str, out_dir: str, workspace: str, config: PromoteConfig) -> Promoted:
    """Compares a registered model with the champion on its own test rows and swaps the pointer if it is better.

    All that is known of the two comes from the registry, after their files were checked. The model's evaluation page
    is completed with the champion that was found.

    Args:
        version: `YYYYMMDD-<digest8>`.
        model_name: needed only where several models have a version of that name.
        out_dir: a new folder for the decision.
        workspace: where the registry and the data sets are.
        config: the intended use and the limits.

    Returns:
        The report.

    Raises:
        FileNotFoundError: there is no such version, or its files or the pictures of its test split are gone.
        sealed.DamagedError: a file of challenger or champion is not what was registered.
        storage.ConflictError: somebody else promoted in between; run again to compare with the new champion.
        champions.HistoryError: the history of the champions was changed.
    """
    models = registry.Registry(workspace)
    challenger = models.version(version, model_name)
    provenance = Provenance.read(models.model_dir(challenger.run_id))
    evaluation, predictions = models.evaluation(challenger.run_id)
    champions = models.champions(challenger.model_name)
    champions.heal()
    champion, looked_at = champions.current(), datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    verdict = _standing(challenger, champion, evaluation, provenance, config)
    if not verdict:
        assert champion is not None
        opponent = models.model_dir(champion["run_id"], champion["files_digest"])
        verdict = _compared(opponent, champion, evaluation, predictions, provenance, Path(workspace), config)
    if remark := prohibited_uses.remark(config.intended_use, config.jurisdiction) if verdict["promoted"] else "":
        verdict["reason"] += f". {remark}"
    decision = _decision(challenger, champion, evaluation, config, verdict)
    own = champion_section.Evaluated(evaluation.as_dict(), predictions)
    told = champion_section.tell(own, champion, _theirs(models, champion), decision.as_dict(), looked_at)
    # Before the swap, so that what can't be read ends a run that has changed nothing.
    page = champion_section.fill(models.text(challenger.run_id, registry.PAGE_TEXT), told)
    if decision.promoted:
        record = _record(challenger, decision, config)
        champions.swap(expected=champion, new=record, action="promoted", evidence=decision.as_dict())
    with storage.committed_dir(out_dir) as partial:
        decision.write(partial)
        storage.write_bytes(partial / REPORT_FILE, page.encode())
    console.say(f"{'PROMOTED' if decision.promoted else 'registered, not promoted'}: {decision.reason}")
    return Promoted(decision=decision, report_path=str(Path(out_dir) / REPORT_FILE))


def _theirs(models: registry.Registry, champion: dict[str, Any] | None) -> champion_section.Evaluated | str:
    """Returns what was measured of the champion, or why that can't be known."""
    if champion is None:
        return "there is no champion"
    try:
        evaluation, predictions = models.evaluation(champion["run_id"])
        return champion_section.Evaluated(evaluation.as_dict(), predictions)
    except (FileNotFoundError, sealed_files.DamagedError) as error:
        return str(error)


def _decision(
    challenger: registry.Version,
    champion: dict[str, Any] | None,
    evaluation: Evaluation,
    config: PromoteConfig,
    verdict: dict[str, Any],
) -> Promotion:
    return Promotion(
        model_name=challenger.model_name,
        version=challenger.name,
        champion_before=champion["version"] if champion else "",
        intended_use=config.intended_use,
        num_test=evaluation.num_test,
        split_digest=evaluation.split_digest,
        macro_f1=evaluation.metrics["macro_f1"]["value"],
        accuracy=evaluation.metrics["accuracy"]["value"],
        **verdict,
    )


def _standing(
    challenger: registry.Version,
    champion: dict[str, Any] | None,
    evaluation: Evaluation,
    provenance: Provenance,
    config: PromoteConfig,
) -> dict[str, Any]:
    """Returns the verdict where none of the two has to predict, {} where both have to."""
    if champion and champion["model_digest"] == challenger.model_digest:
        return {"promoted": False, "reason": "it is the champion already"}
    promote_with = f'make promote VERSION={challenger.name} INTENDED_USE="..."'
    objection = promotion_gate.objection(
        model_card.missing(evaluation.as_dict(), provenance.as_dict()), provenance.real_faces, promote_with, config
    )
    if objection:
        return {"promoted": False, "reason": objection}
    if champion is None:
        return {"promoted": True, "reason": "the first model of its name becomes champion"}
    return {}


def _compared(
    opponent_dir: Path,
    champion: dict[str, Any],
    evaluation: Evaluation,
    predictions: pd.DataFrame,
    provenance: Provenance,
    workspace: Path,
    config: PromoteConfig,
) -> dict[str, Any]:
    """Returns the verdict on the challenger's test rows, all of which the champion predicts anew."""
    from expressnet.inference import bundle  # TensorFlow takes seconds to import, and most runs need no comparison

    opponent = bundle.Bundle(opponent_dir)
    if opponent.classes != evaluation.classes:
        reason = f"the champion {champion['version']} knows other classes ({', '.join(opponent.classes)})"
        return {"promoted": False, "reason": reason}
    dataset_dir = folders.dataset(workspace, provenance.dataset_digest)
    rows, probabilities = recrop.predict(opponent, dataset_dir, predictions["sha256"], workspace / "work")
    own = predictions.set_index("sha256").loc[rows["sha256"]]
    found = comparison.compare(
        manifest.class_indices(rows, opponent.classes),
        probabilities,
        np.array(own["probabilities"].tolist()),
        manifest.subjects_or_self(rows).to_numpy(),
        num_resamples=config.num_resamples,
        confidence=config.confidence,
        seed=config.seed,
    )
    better, reason = promotion_gate.decide(found, opponent.classes, config)
    reason += f". The champion is {champion['version']}"
    is_kept = provenance.kept_from == champion["version"]  # the split was made so that it saw none of them
    if champion["split_digest"] != evaluation.split_digest and not is_kept:
        reason += ", trained on another split: it may have seen some of these images"
    figures = {
        f"{gain}_{name}": value
        for gain, difference in (("gain", found.macro_f1), ("accuracy_gain", found.accuracy))
        for name, value in dataclasses.asdict(difference).items()
    }
    return {
        "promoted": better,
        "reason": reason,
        **figures,
        "mcnemar_p": found.mcnemar_p,
        "only_champion_right": found.only_champion_right,
        "only_challenger_right": found.only_challenger_right,
        "visible_gain": found.visible_gain,
    }


def _record(challenger: registry.Version, decision: Promotion, config: PromoteConfig) -> dict[str, Any]:
    """Returns what the champion pointer will say of the model."""
    return {
        "model_name": challenger.model_name,
        "version": challenger.name,
        "number": challenger.number,
        "run_id": challenger.run_id,
        "model_digest": challenger.model_digest,
        "files_digest": challenger.files_digest,
        "split_digest": decision.split_digest,
        "reason": decision.reason,
        "settings": digest_fields(config),
    }
