"""Trains ExpressNet-MoE on the crops of a split and keeps the epoch that the selection split likes best."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from expressnet import bundle, checkpoint, code, console, metrics, storage
from expressnet.batches import Data
from expressnet.config.base import digest_fields
from expressnet.config.training import TrainConfig
from expressnet.model import expressnet, presets

LOGS_FOLDER = "tensorboard"


def run(faces_dir: str, split_dir: str, out_dir: str, work_dir: str, config: TrainConfig) -> dict[str, Any]:
    """Trains and writes the model folder (see expressnet.bundle) with the history and TensorBoard logs.

    After every epoch the whole state goes to `work_dir`; a run that was killed goes on from there.

    Returns:
        The report: the chosen epoch and its figures on the selection split.
    """
    split = storage.read_json(Path(split_dir) / "split.json")
    provenance = _provenance(config, split)
    key = storage.json_digest([provenance[f"{name}_digest"] for name in ("split", "crops", "config", "code")])
    checkpoints = checkpoint.Checkpoints(work_dir, key)
    with storage.lock(Path(work_dir) / f"{key}.lock", wait=True), storage.committed_dir(out_dir) as partial:
        data = Data.read(faces_dir, split_dir, config, scratch_dir=work_dir)
        state, model = _fit(data, config, checkpoints, partial / LOGS_FOLDER)
        history = pd.DataFrame(state.history)
        history.to_csv(partial / bundle.HISTORY_FILE, index=False)
        best = history.iloc[state.best_epoch - 1]
        report = {
            "preset": config.preset,
            "protocol": split["protocol"],
            "selected_on": data.selection_name,
            "epochs": len(history),
            "best_epoch": state.best_epoch,
            **{f"selection_{name}": float(best[name]) for name in ("loss", "accuracy", "macro_f1")},
            "parameters": expressnet.parameter_counts(model)["total"],
        }
        bundle.save(
            partial, model, classes=data.classes, preprocess=_preprocess(config, split),
            provenance={**provenance, "training": report},
        )  # fmt: skip
        report["model_digest"] = bundle.digest(partial)
        checkpoints.finish()
    return report


def _fit(
    data: Data, config: TrainConfig, checkpoints: checkpoint.Checkpoints, logs_dir: Path
) -> tuple[checkpoint.State, keras.Model]:
    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    steps = max(1, len(data.train_targets) // config.batch_size)
    with _strategy().scope():
        model = expressnet.build(presets.PRESETS[config.preset], len(data.classes), config.seed, config.precision)
        model.compile(
            optimizer=_optimizer(config, steps),
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing),
            metrics=["accuracy"],
            # Keras' own choice is XLA, which compiles for minutes here.
            jit_compile=False,
        )
        model.optimizer.build(model.trainable_variables)
    state = checkpoints.restore(model) or checkpoint.State()
    _announce(model, data, config, state)
    writer = tf.summary.create_file_writer(str(logs_dir))
    for row in state.history:
        _log_epoch(writer, row)
    with console.progress_bar(total=config.epochs * steps, unit=" steps", initial=state.epoch * steps) as bar:
        while state.epoch < config.epochs and not _is_exhausted(state, config):
            _run_epoch(model, data, config, state, steps, bar)
            checkpoints.save(model, state)
            _log_epoch(writer, state.history[-1])
    writer.close()
    chosen = expressnet.build(presets.PRESETS[config.preset], len(data.classes), config.seed)
    chosen.set_weights(state.best_weights)
    return state, chosen


def _devices() -> list[str]:
    """Returns the names of all GPUs, or of the CPU (of all, where it was divided) if there is none."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in devices]


def _strategy() -> tf.distribute.Strategy:
    devices = _devices()
    return tf.distribute.MirroredStrategy(devices) if len(devices) > 1 else tf.distribute.get_strategy()


def _announce(model: keras.Model, data: Data, config: TrainConfig, state: checkpoint.State) -> None:
    counts = expressnet.parameter_counts(model)
    devices = [name.removeprefix("/device:") for name in _devices()]
    console.say(
        f"preset {config.preset}: {counts['total']:,} parameters, backbone from scratch, "
        f"{', '.join(devices)}, batch {config.batch_size}, {config.precision}, seed {config.seed}"
    )
    console.say(
        f"{len(data.train_targets):,} training images, {config.epochs} epochs; the best epoch by "
        f"{config.select_by} on {len(data.selection_labels):,} {data.selection_name} images"
    )
    if state.epoch:
        console.say(f"going on after epoch {state.epoch}, which an earlier run finished")


def _optimizer(config: TrainConfig, steps: int) -> keras.optimizers.Optimizer:
    schedules = keras.optimizers.schedules
    if config.schedule == "cosine":
        warmup = round(config.warmup_epochs * steps)
        rate: Any = schedules.CosineDecay(
            config.learning_rate / 100, decay_steps=max(1, config.epochs * steps - warmup),
            warmup_target=config.learning_rate, warmup_steps=warmup,
        ) if warmup else schedules.CosineDecay(config.learning_rate, config.epochs * steps)  # fmt: skip
    else:
        rate = schedules.ExponentialDecay(config.learning_rate * config.decay, steps, config.decay, staircase=True)
    if not config.weight_decay:
        return keras.optimizers.Adam(rate)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=config.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _run_epoch(
    model: keras.Model, data: Data, config: TrainConfig, state: checkpoint.State, steps: int, bar: Any
) -> None:
    """Trains one epoch, measures it on the selection split and writes both into `state`."""
    batches = data.batches(config, state.epoch, steps)
    show = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda _, logs: (bar.update(), bar.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False))
    )
    fitted = model.fit(
        batches, initial_epoch=state.epoch, epochs=state.epoch + 1, verbose=0, shuffle=False, callbacks=[show]
    ).history
    measured = _measure(model, data, config)
    state.finish_epoch(
        {
            "train_loss": fitted["loss"][0],
            "train_accuracy": fitted["accuracy"][0],
            "learning_rate": float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)),
            **measured,
        },
        score=measured[config.select_by],
        weights=checkpoint.values(model.weights),
    )
    console.say(
        f"epoch {state.epoch}/{config.epochs}: train loss {fitted['loss'][0]:.3f} accuracy "
        f"{fitted['accuracy'][0]:.3f}; {data.selection_name} loss {measured['loss']:.3f} accuracy "
        f"{measured['accuracy']:.3f} macro-F1 {measured['macro_f1']:.3f}"
        f"{' *' if state.best_epoch == state.epoch else ''}"
    )


def _measure(model: keras.Model, data: Data, config: TrainConfig) -> dict[str, float]:
    """Returns loss (without smoothing), accuracy and macro-F1 on the selection split."""
    return metrics.headline(data.selection_labels, model.predict(data.selection_images(config), verbose=0))


def _is_exhausted(state: checkpoint.State, config: TrainConfig) -> bool:
    """Says whether the selection loss has not fallen for `patience` epochs."""
    losses = [row["loss"] for row in state.history]
    return bool(config.patience) and len(losses) - 1 - int(np.argmin(losses or [0])) >= config.patience


def _log_epoch(writer: tf.summary.SummaryWriter, row: dict[str, Any]) -> None:
    with writer.as_default():
        for name, value in row.items():
            if name != "epoch":
                tf.summary.scalar(name, value, step=row["epoch"])
    writer.flush()


def _preprocess(config: TrainConfig, split: dict[str, Any]) -> dict[str, Any]:
    preset = presets.PRESETS[config.preset]
    return {
        "size_px": preset.size_px, "channel_order": preset.channel_order, "scale": "pixel / 255",
        "test_time_flip": config.test_time_flip, "crop": split["crops"]["config"],
    }  # fmt: skip


def _provenance(config: TrainConfig, split: dict[str, Any]) -> dict[str, Any]:
    versions = {name: importlib.metadata.version(name) for name in ("keras", "numpy", "mediapipe", "expressnet")}
    dataset = split["crops"]["dataset"]
    return {
        "dataset": dataset["dataset"],
        "dataset_id": dataset["dataset_id"],
        "licence": dataset["licence"],
        "real_faces": dataset["real_faces"],
        "dataset_digest": dataset["dataset_digest"],
        "crops_digest": split["crops"]["crops_digest"],
        "split_digest": split["split_digest"],
        "protocol": split["protocol"],
        "config": digest_fields(config),
        "config_digest": storage.json_digest(digest_fields(config)),
        "backbone_weights": "none: trained from scratch",
        "code_digest": code.digest("train"),
        "versions": {"tensorflow": tf.__version__, **versions},
    }
