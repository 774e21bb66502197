"""Trains ExpressNet-MoE on the crops of a split and keeps the epoch that the selection split likes best."""

from __future__ import annotations

import functools
import importlib.metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from expressnet import augment, bundle, checkpoint, console, manifest, metrics, pixels, storage
from expressnet import config as configs
from expressnet.config import TrainConfig
from expressnet.model import expressnet, presets

LOGS_FOLDER = "tensorboard"


def run(faces_dir: str, split_dir: str, out_dir: str, work_dir: str, config: TrainConfig) -> dict[str, Any]:
    """Trains and writes the model folder (see expressnet.bundle) with the history and TensorBoard logs.

    After every epoch the whole state goes to `work_dir`; a run that was killed goes on from there.

    Returns:
        The report: the chosen epoch and its figures on the selection split.
    """
    split = storage.read_json(Path(split_dir) / "split.json")
    key = storage.json_digest([split["split_digest"], split["crops"]["crops_digest"], configs.digest_fields(config)])
    checkpoints = checkpoint.Checkpoints(work_dir, key)
    with storage.lock(Path(work_dir) / f"{key}.lock", wait=True), storage.committed_dir(out_dir) as partial:
        data = _Data.read(faces_dir, split_dir, config, scratch_dir=work_dir)
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
            provenance=_provenance(config, split, report),
        )  # fmt: skip
        report["model_digest"] = bundle.digest(partial)
        checkpoints.finish()
    return report


class _Data:
    """The training and the selection split in memory-mapped pixels and class indices."""

    def __init__(self, classes: list[str], selection_name: str, train: tuple, selection: tuple):
        self.classes, self.selection_name = classes, selection_name
        (self.train_pixels, self.train_labels), (self.selection_pixels, self.selection_labels) = train, selection

    @classmethod
    def read(cls, faces_dir: str, split_dir: str, config: TrainConfig, scratch_dir: str) -> _Data:
        frame = manifest.read(split_dir)
        info = storage.read_json(Path(split_dir) / "split.json")
        classes = info["crops"]["dataset"]["classes"]
        # The paper's protocol has no val: the authors select on the test split.
        selection_name = "test" if info["protocol"] == "paper" else "val"

        def part(name: str) -> tuple[np.ndarray, np.ndarray]:
            rows = frame[frame["split"] == name]
            size_px = presets.PRESETS[config.preset].size_px
            return pixels.load(faces_dir, rows, size_px, scratch_dir), manifest.class_indices(rows, classes)

        return cls(classes, selection_name, part("train"), part(selection_name))


def _fit(
    data: _Data, config: TrainConfig, checkpoints: checkpoint.Checkpoints, logs_dir: Path
) -> tuple[checkpoint.State, keras.Model]:
    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    steps = max(1, len(data.train_labels) // config.batch_size)
    with _strategy().scope():
        model = expressnet.build(presets.PRESETS[config.preset], len(data.classes), config.seed)
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
    for variable, value in zip(model.weights, state.best_weights, strict=True):
        variable.assign(value)
    return state, model


def _strategy() -> tf.distribute.Strategy:
    """Returns all GPUs as one, or the CPU where there is none."""
    return tf.distribute.MirroredStrategy() if tf.config.list_logical_devices("GPU") else tf.distribute.get_strategy()


def _announce(model: keras.Model, data: _Data, config: TrainConfig, state: checkpoint.State) -> None:
    counts = expressnet.parameter_counts(model)
    devices = len(tf.config.list_logical_devices("GPU"))
    console.say(
        f"preset {config.preset}: {counts['total']:,} parameters, backbone from scratch, "
        f"{f'{devices} GPUs' if devices else 'CPU'}, batch {config.batch_size}, seed {config.seed}"
    )
    console.say(
        f"{len(data.train_labels):,} training images, {config.epochs} epochs; the best epoch by "
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
    average = {"use_ema": True, "ema_momentum": config.ema_momentum} if config.ema_momentum else {}
    if not config.weight_decay:
        return keras.optimizers.Adam(rate, **average)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=config.weight_decay, **average)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _run_epoch(
    model: keras.Model, data: _Data, config: TrainConfig, state: checkpoint.State, steps: int, bar: Any
) -> None:
    """Trains one epoch, measures it on the selection split and writes both into `state`."""
    batches = _batches(data, config, state.epoch, steps)
    show = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda _, logs: (bar.update(), bar.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False))
    )
    fitted = model.fit(
        batches, initial_epoch=state.epoch, epochs=state.epoch + 1, verbose=0, shuffle=False, callbacks=[show]
    ).history
    weights = checkpoint.averaged_weights(model)
    measured = _measure(model, weights, data, config)
    state.finish_epoch(
        {
            "train_loss": fitted["loss"][0],
            "train_accuracy": fitted["accuracy"][0],
            "learning_rate": float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)),
            **measured,
        },
        score=measured[config.select_by],
        weights=weights,
    )
    console.say(
        f"epoch {state.epoch}/{config.epochs}: train loss {fitted['loss'][0]:.3f} accuracy "
        f"{fitted['accuracy'][0]:.3f}; {data.selection_name} loss {measured['loss']:.3f} accuracy "
        f"{measured['accuracy']:.3f} macro-F1 {measured['macro_f1']:.3f}"
        f"{' *' if state.best_epoch == state.epoch else ''}"
    )


def _batches(data: _Data, config: TrainConfig, epoch: int, steps: int) -> tf.data.Dataset:
    """Returns one epoch of batches; their order and changes are functions of (seed, epoch, step)."""
    order = np.random.default_rng([config.seed, epoch]).permutation(len(data.train_labels))
    batch_size = min(config.batch_size, len(order))
    indices = order[: steps * batch_size].reshape(steps, batch_size)
    bgr = presets.PRESETS[config.preset].channel_order == "bgr"

    def gather(places: np.ndarray) -> np.ndarray:
        return data.train_pixels[places]

    def prepare(step: tf.Tensor, places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images = tf.numpy_function(gather, [places], tf.uint8)
        images = tf.cast(tf.ensure_shape(images, (batch_size, *data.train_pixels.shape[1:])), tf.float32) / 255.0
        if config.augment is not None:
            images = augment.augment(images, tf.stack([config.seed, step]), config.augment)
        targets = tf.one_hot(tf.gather(data.train_labels, places), len(data.classes))
        return (images[..., ::-1] if bgr else images), targets

    numbers = np.arange(epoch * steps, (epoch + 1) * steps, dtype=np.int32)
    batches = tf.data.Dataset.from_tensor_slices((numbers, indices))
    return batches.map(prepare, num_parallel_calls=2, deterministic=True).prefetch(4)


def _measure(model: keras.Model, weights: list[np.ndarray], data: _Data, config: TrainConfig) -> dict[str, float]:
    """Returns loss (without smoothing), accuracy and macro-F1 of `weights` on the selection split."""
    order = presets.PRESETS[config.preset].channel_order
    with checkpoint.borrowed_weights(model, weights):
        probabilities = np.concatenate(
            [
                model.predict_on_batch(pixels.as_input(data.selection_pixels[start : start + 256], order))
                for start in range(0, len(data.selection_labels), 256)
            ]
        )
    return metrics.headline(data.selection_labels, probabilities)


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
        "crop": split["crops"]["config"],
    }  # fmt: skip


@functools.cache
def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in ("tensorflow-cpu", "keras", "numpy", "mediapipe")}


def _provenance(config: TrainConfig, split: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
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
        "config": configs.digest_fields(config),
        "config_digest": storage.json_digest(configs.digest_fields(config)),
        "backbone_weights": "none: trained from scratch",
        "training": report,
        "versions": _versions(),
    }
