"""Trains ExpressNet-MoE on the crops of a split and keeps the epoch that the selection split likes best."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from pathlib import Path

import pandas as pd
import tensorflow as tf

from expressnet.artifacts.provenance import HISTORY_FILE, Preprocess, Provenance
from expressnet.artifacts.split_info import SplitInfo
from expressnet.artifacts.stored import Facts
from expressnet.config.base import digest_fields
from expressnet.config.train import CheckpointConfig, TrainConfig
from expressnet.inference import bundle
from expressnet.model import expressnet, presets
from expressnet.runtime import code_version, storage
from expressnet.training import checkpoint, loop
from expressnet.training.batches import Data

LOGS_FOLDER = "tensorboard"


class Training(Facts):
    """The report of train.

    Attributes:
        preset, protocol: of the run.
        selected_on: split that the epoch was selected on.
        epochs, best_epoch: that were trained, and the one that was kept.
        selection_loss, selection_accuracy, selection_macro_f1: of that epoch, on that split.
        parameters: of the network.
        model_digest: of the model folder, "" before it is written.
    """

    preset: str
    protocol: str
    selected_on: str
    epochs: int
    best_epoch: int
    selection_loss: float
    selection_accuracy: float
    selection_macro_f1: float
    parameters: int
    model_digest: str = ""


def run(
    faces_dir: str,
    split_dir: str,
    out_dir: str,
    work_dir: str,
    config: TrainConfig,
    checkpointing: CheckpointConfig | None = None,
) -> Training:
    """Trains and writes the model folder (see expressnet.inference.bundle) with the history and TensorBoard logs.

    The whole state goes to `work_dir` after every epoch and some times within; a run that was killed goes on from
    there, and ends bit by bit as if it had not been.

    Returns:
        The report.

    Raises:
        ValueError: the crops or the checkpoints don't fit, or no batch can be divided among the devices.
        FloatingPointError: the loss became infinite or no number; the last checkpoint stays.
        stopping.Stopped: SIGTERM asked to end; the state is in a checkpoint.
    """
    split = SplitInfo.read(split_dir)
    provenance = _provenance(config, split)
    key = storage.json_digest([getattr(provenance, f"{name}_digest") for name in ("split", "crops", "config", "code")])
    checkpointing = checkpointing or CheckpointConfig()
    checkpoints = checkpoint.Checkpoints(work_dir, key, checkpointing.mirror_uri)
    with storage.lock(Path(work_dir) / f"{key}.lock", wait=True), storage.committed_dir(out_dir) as partial:
        data = Data.read(faces_dir, split_dir, config, scratch_dir=work_dir)
        preset = dataclasses.replace(presets.PRESETS[config.preset], **config.moe_options)
        state, model = loop.fit(data, preset, config, checkpoints, checkpointing.every_s, partial / LOGS_FOLDER)
        history = pd.DataFrame(state.history)
        history.to_csv(partial / HISTORY_FILE, index=False)
        best = history.iloc[state.best_epoch - 1]
        report = Training(
            preset=config.preset,
            protocol=split.protocol,
            selected_on=data.selection_name,
            epochs=len(history),
            best_epoch=state.best_epoch,
            parameters=expressnet.parameter_counts(model)["total"],
            selection_loss=float(best["loss"]),
            selection_accuracy=float(best["accuracy"]),
            selection_macro_f1=float(best["macro_f1"]),
        )
        training = {name: value for name, value in report.as_dict().items() if name != "model_digest"}
        bundle.save(
            partial,
            model,
            classes=data.classes,
            preprocess=_preprocess(config, split),
            provenance=provenance.model_copy(update={"backbone_weights": state.backbone, "training": training}),
        )
        report = report.model_copy(update={"model_digest": bundle.digest(partial)})
        checkpoints.finish()
    return report


def _preprocess(config: TrainConfig, split: SplitInfo) -> Preprocess:
    preset = presets.PRESETS[config.preset]
    return Preprocess(
        size_px=preset.size_px,
        channel_order=preset.channel_order,
        test_time_flip=config.test_time_flip,
        crop=split.crops.config,
    )


def _provenance(config: TrainConfig, split: SplitInfo) -> Provenance:
    versions = {name: importlib.metadata.version(name) for name in ("keras", "numpy", "mediapipe", "expressnet")}
    dataset = split.crops.dataset
    return Provenance(
        dataset=dataset.dataset,
        dataset_id=dataset.dataset_id,
        licence=dataset.licence,
        real_faces=dataset.real_faces,
        dataset_digest=dataset.dataset_digest,
        crops_digest=split.crops.crops_digest,
        split_digest=split.split_digest,
        protocol=split.protocol,
        config=digest_fields(config),
        config_digest=storage.json_digest(digest_fields(config)),
        code_digest=code_version.digest("stages.train"),
        # Of what comes before: the crops and the split are functions of these, and of the data and the settings.
        earlier_code_digests={"crop": split.crops.code_digest, "split": split.code_digest},
        split_config=split.config,
        kept_from=split.kept_from,
        versions={"tensorflow": tf.__version__, **versions},
    )
