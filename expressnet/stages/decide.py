"""Decides whether there is a reason to train the champion anew: other data, other code, other settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.artifacts.decisions import RetrainDecision
from expressnet.artifacts.provenance import CLASSES_FILE, WEIGHTS_FILE, Preprocess, Provenance
from expressnet.config.base import chosen, digest_fields
from expressnet.config.crop import CropConfig
from expressnet.config.decide import RetrainConfig
from expressnet.config.split import SplitConfig
from expressnet.config.train import TrainConfig, recipe
from expressnet.data import manifest, seen_rows
from expressnet.model import presets
from expressnet.registry import registry, sealed_files
from expressnet.runtime import code_version, console, storage
from expressnet.runtime import workspace as folders

_COLUMNS = ("sha256", "label", "source_split")
# What the code of a stage is, by its module; ingest's is left out, for its data have a digest of their own.
_MODULES = {"crop": "faces.crop_shards", "split": "stages.split", "train": "stages.train"}
# How a training starts, and from which split, follows from who is champion; neither is a reason to train.
_NO_REASONS = ("initial_sha256", "kept_digest")


class Settings(NamedTuple):
    """What a run would train with."""

    crop: CropConfig
    split: SplitConfig
    train: TrainConfig

    def plain(self) -> dict[str, Any]:
        """Returns them as they stand in a registered model."""
        return json.loads(json.dumps({name: digest_fields(value) for name, value in self._asdict().items()}))

    @classmethod
    def of_run(cls, options: Mapping[str, Any]) -> Settings:
        """Returns the settings of a run with these options (expressnet.config.options), by their names."""
        size_px = presets.PRESETS[options["preset"]].size_px
        return cls(
            CropConfig.of_run(protocol=options["protocol"], size_px=size_px, **chosen(CropConfig, options)),
            SplitConfig(**chosen(SplitConfig, options)),
            recipe(**chosen(TrainConfig, options)),
        )


class Change(NamedTuple):
    """What became of a data set's images: came, gone, labelled otherwise."""

    num_new: int
    num_removed: int
    num_relabelled: int


class _Champion(NamedTuple):
    """The champion as its sealed files say; `rows` is the manifest of its data set, None if that is gone."""

    pointer: dict[str, Any]
    folder: Path
    provenance: Provenance
    preprocess: Preprocess
    classes: list[str]
    rows: pd.DataFrame | None


def run(dataset_dir: str, out_dir: str, workspace: str, settings: Settings, config: RetrainConfig) -> RetrainDecision:
    """Compares data, code and settings of this run with those that the champion was made of.

    Equal, or other data by fewer images than `config` asks for: there is nothing to do. Without a champion there is
    everything to do. If there is something to do, the rows that the champion met are listed for the split.

    Args:
        dataset_dir: output of ingest.
        out_dir: a new folder for the decision.
        workspace: where registry and data sets are.
        settings: of this run.
        config: what is reason enough.

    Returns:
        The report: the answer, the reason in words, what changed, and what split and train get.

    Raises:
        FileNotFoundError: the champion's files are gone.
        sealed.DamagedError: a file of the champion is not what was registered.
    """
    info = DatasetInfo.read(dataset_dir)
    models = registry.Registry(workspace)
    model_name = f"expressnet-{info.dataset_id}"
    champion = _read_champion(models, model_name, Path(workspace))
    report: dict[str, Any] = {"model_name": model_name}
    if champion is None:
        report |= {"retrain": True, "reason": f"{model_name} has no champion yet"}
    else:
        rows = manifest.read(dataset_dir, _COLUMNS)
        report |= {"champion": champion.pointer["version"], **_verdict(champion, info, rows, settings, config)}
        if report["retrain"]:
            report |= _kept(models, champion, rows, workspace, settings.split)
            report |= _start(champion, info.classes, settings.train) if config.warm_start else {}
            report["reason"] += report.pop("remark", "")
    decision = RetrainDecision(**report)
    with storage.committed_dir(out_dir) as partial:
        decision.write(partial)
    console.say(f"{'retraining' if decision.retrain else 'nothing to do'}: {decision.reason}")
    return decision


def hand_over(decision: RetrainDecision, **paths: str) -> None:
    """Writes what later stages get to a file each, for the orchestrator; the names are those of the decision."""
    for name, path in paths.items():
        storage.write_bytes(Path(path), getattr(decision, name).encode())


def _read_champion(models: registry.Registry, model_name: str, workspace: Path) -> _Champion | None:
    pointer = models.champion(model_name)
    if pointer is None:
        return None
    folder = models.model_dir(pointer["run_id"], pointer["files_digest"])
    provenance = Provenance.read(folder)
    dataset_dir = folders.dataset(workspace, provenance.dataset_digest)
    rows = manifest.read(dataset_dir, _COLUMNS) if dataset_dir.is_dir() else None
    classes = storage.read_json(folder / CLASSES_FILE)
    return _Champion(pointer, folder, provenance, Preprocess.read(folder), classes, rows)


def _verdict(
    champion: _Champion, info: DatasetInfo, rows: pd.DataFrame, settings: Settings, config: RetrainConfig
) -> dict[str, Any]:
    """Returns whether there is reason to retrain, and which, in words."""
    version, provenance = champion.pointer["version"], champion.provenance
    before = {
        "crop": champion.preprocess.crop,
        "split": provenance.split_config,
        "train": provenance.config,
    }
    others = differences(before, settings.plain())
    found = [f"settings: {'; '.join(others)}"] if others else []
    codes = {**provenance.earlier_code_digests, "train": provenance.code_digest}
    if changed := [stage for stage, module in _MODULES.items() if codes.get(stage) != code_version.digest(module)]:
        found.append(f"code of {', '.join(changed)}")
    if champion.classes != info.classes:
        found.append(f"classes: {', '.join(champion.classes)} -> {', '.join(info.classes)}")
    if provenance.dataset_digest == info.dataset_digest:
        reason = "; ".join(found) or f"data, code and settings are those of the champion {version}"
        return {"retrain": bool(found), "reason": reason, **Change(0, 0, 0)._asdict()}
    if champion.rows is None:
        found.append("data: others, and the champion's own are no longer here to count what changed")
        return {"retrain": True, "reason": "; ".join(found)}
    change = compare_rows(champion.rows, rows)
    needed = config.needed(len(champion.rows))
    data = f"data: +{change.num_new:,} -{change.num_removed:,} images, {change.num_relabelled:,} labelled otherwise"
    is_enough = sum(change) >= needed
    reason = "; ".join([*found, data])
    if not found and not is_enough:
        reason += f"; MIN_NEW asks for {needed:,} since the champion {version}"
    return {"retrain": bool(found) or is_enough, "reason": reason, **change._asdict()}


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Returns which settings differ, each as `stage name before -> now`."""
    told = []
    for stage, settings in now.items():
        known = before.get(stage, {})
        names = sorted({*settings, *known} - set(_NO_REASONS))
        told += [
            f"{stage} {name} {_spelled(known, name)} -> {_spelled(settings, name)}"
            for name in names
            if known.get(name) != settings.get(name)
        ]
    return told


def _spelled(settings: dict[str, Any], name: str) -> str:
    value = settings.get(name, "(not recorded)")
    return "(none)" if value in ("", None) else str(value)


def compare_rows(before: pd.DataFrame, now: pd.DataFrame) -> Change:
    """Counts what changed between two manifests; where an image lies is no part of it."""
    both = before[["sha256", "label"]].merge(now[["sha256", "label"]], on="sha256", suffixes=("_before", "_now"))
    num_relabelled = int((both["label_before"] != both["label_now"]).sum())
    return Change(len(now) - len(both), len(before) - len(both), num_relabelled)


def _kept(
    models: registry.Registry, champion: _Champion, rows: pd.DataFrame, workspace: str, config: SplitConfig
) -> dict[str, str]:
    """Lists what the champion was trained and tested on, where the split is drawn and is to keep to it."""
    if config.protocol != "honest" or config.split_file or (rows["source_split"] == "test").any():
        return {}
    try:
        tested = rows["sha256"].isin(models.evaluation(champion.pointer["run_id"])[1]["sha256"])
    except sealed_files.DamagedError as error:
        return {"remark": f". The split is drawn anew, because the champion's can't be known: {error}"}
    # Where the champion's data are gone, every image may have been among them.
    is_old = rows["sha256"].isin(champion.rows["sha256"]) if champion.rows is not None else True
    seen = rows["sha256"][~tested & is_old]
    path, digest = seen_rows.write(workspace, champion.pointer["version"], seen, rows["sha256"][tested])
    return {"kept_file": path, "kept_digest": digest}


def _start(champion: _Champion, classes: list[str], config: TrainConfig) -> dict[str, str]:
    """Names the champion's weights, if the network is the same."""
    if champion.classes != classes or champion.provenance.config["preset"] != config.preset:
        return {"remark": ". It starts from scratch: the champion's network has other classes or another preset"}
    path = champion.folder / WEIGHTS_FILE
    return {"initial_weights": str(path), "initial_sha256": storage.file_sha256(path)}
