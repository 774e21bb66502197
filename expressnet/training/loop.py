"""Epochs of training that can end at any step and go on as if they had not."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from expressnet.config.train import TrainConfig
from expressnet.evaluation import expert_usage, metrics
from expressnet.model import expressnet, presets
from expressnet.runtime import console
from expressnet.training import backbone_weights, checkpoint, devices, initial_weights, optimizers
from expressnet.training.batches import Data
from expressnet.training.checkpoint import Checkpoints, State
from expressnet.training.stop_request import Stopped, StopRequest

_DEAD_EXPERT = 0.01  # of the images; an expert that answers fewer is said to be dead
_MIXTURES = ("expression", "cnn")
_NAMED = 8


def fit(
    data: Data,
    preset: presets.Preset,
    config: TrainConfig,
    checkpoints: Checkpoints,
    checkpoint_every_s: float,
    logs_dir: Path,
) -> tuple[State, keras.Model]:
    """Trains from the last checkpoint, or from the start, to the end.

    Args:
        data: what is trained on and selected on.
        preset: the network.
        config: the recipe.
        checkpoints: where the state is kept.
        checkpoint_every_s: seconds between two states within an epoch.
        logs_dir: folder for TensorBoard.

    Returns:
        The last state, and a float32 model with the weights of the best epoch.
    """
    keras.utils.set_random_seed(config.seed)
    if not config.xla:  # which Keras refuses together with this; what XLA compiles for a CPU is deterministic as it is
        tf.config.experimental.enable_op_determinism()
    num_classes = len(data.classes)
    with devices.strategy(config.batch_size).scope():
        model = expressnet.build(preset, num_classes, config.seed, config.precision)
        model.compile(
            optimizer=optimizers.adam(config, data.steps(config)),
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing),
            metrics=["accuracy"],
            # Keras' own choice is XLA, which compiles for minutes here.
            jit_compile=config.xla,
        )
        model.optimizer.build(model.trainable_variables)
        training = _Training(model, data, config, preset.top_k, checkpoints, checkpoint_every_s)
    training.run(logs_dir)
    # A new model, so that one trained in 16 bits computes in 32 wherever it goes.
    chosen = expressnet.build(preset, num_classes, config.seed)
    chosen.set_weights(training.state.best_weights)
    return training.state, chosen


class _Training:
    """One network on its way through the epochs."""

    def __init__(
        self,
        model: keras.Model,
        data: Data,
        config: TrainConfig,
        top_k: int,
        checkpoints: Checkpoints,
        checkpoint_every_s: float,
    ):
        self._model, self._data, self._config, self._checkpoints = model, data, config, checkpoints
        self._top_k = top_k
        self._with_gates = expressnet.with_gates(model)
        self._steps = data.steps(config)
        self._every_s, self._saved_at = checkpoint_every_s, time.monotonic()
        self._stop = StopRequest()
        self.state = checkpoints.restore(model) or self._begin()

    def _begin(self) -> State:
        config = self._config
        if config.initial_weights:
            return State(backbone=initial_weights.load_into(self._model, config.initial_weights, config.initial_sha256))
        if not config.backbone_weights:
            return State()
        backbone = self._model.get_layer("backbone")
        folder = self._checkpoints.folder
        return State(
            backbone=backbone_weights.load_into(backbone, config.backbone_weights, config.backbone_sha256, folder)
        )

    def run(self, logs_dir: Path) -> None:
        self._announce()
        batch_size = min(self._config.batch_size, len(self._data.train_targets))
        done = (self.state.epoch * self._steps + self.state.step) * batch_size
        writer = tf.summary.create_file_writer(str(logs_dir))
        for row in self.state.history:
            _log_epoch(writer, row)
        total = self._config.epochs * self._steps * batch_size
        with (
            self._stop.listening(),
            console.progress_bar(total=total, unit=" images", initial=done) as bar,
            contextlib.closing(writer),
        ):
            try:
                while self.state.epoch < self._config.epochs and not self._is_exhausted():
                    started, before = time.monotonic(), self.state.step
                    self._run_steps(bar, batch_size)
                    images_per_s = (self._steps - before) * batch_size / (time.monotonic() - started)
                    self._finish_epoch(images_per_s)
                    _log_epoch(writer, self.state.history[-1])
            except (Stopped, KeyboardInterrupt):
                place = f"epoch {self.state.epoch}, step {self.state.step:,}"
                console.say(f"asked to end: stopped after {place}; the same command goes on from there")
                raise

    def _announce(self) -> None:
        config, data, state = self._config, self._data, self.state
        counts = expressnet.parameter_counts(self._model)
        names = [name.removeprefix("/device:") for name in devices.names()]
        console.say(
            f"preset {config.preset}: {counts['total']:,} parameters, {config.precision}, seed {config.seed}; "
            f"backbone: {state.backbone}"
        )
        console.say(
            f"parameters: {', '.join(f'{name} {count:,}' for name, count in counts.items() if name != 'total')}"
        )
        console.say(f"batch {config.batch_size}: {config.batch_size // len(names)} on each of {', '.join(names)}")
        console.say(
            f"{len(data.train_targets):,} training images, {config.epochs} epochs of {self._steps:,} steps; the best "
            f"epoch by {config.select_by} on {len(data.selection_labels):,} {data.selection_name} images"
        )
        if state.epoch or state.step:
            console.say(f"going on after epoch {state.epoch}, step {state.step:,}, where an earlier run ended")
        for other in self._checkpoints.unfinished_others():
            console.say(f"{other} holds an unfinished training with other data, settings or code; it stays")

    def _run_steps(self, bar: Any, batch_size: int) -> None:
        """Trains the rest of the epoch; a state is saved now and then, and if a signal asks to end."""

        def begin(_epoch: int, _logs: Any = None) -> None:
            if self.state.step:
                if len(self._model.metrics_variables) < len(self.state.metrics):
                    # Keras makes them with the first batch; these zeros are overwritten at once.
                    zeros = np.zeros((1, len(self._data.classes)), np.float32)
                    self._model.compute_metrics(x=None, y=zeros, y_pred=zeros)
                for variable, value in zip(self._model.metrics_variables, self.state.metrics, strict=True):
                    variable.assign(value)

        def end_step(_step: int, logs: dict[str, Any]) -> None:
            self._stop.must_wait = True  # until the state is saved: the weights are a step further than the file
            self.state.step += 1
            self.state.running = {name: float(logs[name]) for name in ("loss", "accuracy")}
            bar.set_postfix({name: f"{value:.3f}" for name, value in self.state.running.items()}, refresh=False)
            bar.update(batch_size)
            if not np.isfinite(self.state.running["loss"]):
                self._require_finite()
            if self._stop.came or time.monotonic() - self._saved_at >= self._every_s:
                self._save()

        if self.state.step == self._steps:
            return  # it ended while the epoch was measured
        show = keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_train_batch_end=end_step)
        epoch = self.state.epoch
        batches = self._data.batches(self._config, epoch, self.state.step)
        self._model.fit(batches, initial_epoch=epoch, epochs=epoch + 1, verbose=0, shuffle=False, callbacks=[show])

    def _save(self) -> None:
        if self.state.step:
            self.state.metrics = checkpoint.values(self._model.metrics_variables)
        self._require_finite()
        self._checkpoints.save(self._model, self.state)
        self._saved_at = time.monotonic()
        self._stop.must_wait = False
        self._stop.obey()

    def _require_finite(self) -> None:
        """Stops a training whose last loss or weights are no finite numbers, before they are measured or saved."""
        weights = checkpoint.values(self._model.trainable_variables)
        if np.isfinite(self.state.running.get("loss", 0.0)) and all(np.isfinite(weight).all() for weight in weights):
            return
        places = self._data.order(self._config, self.state.epoch)[max(0, self.state.step - 1)]
        ids = [self._data.train_ids[place] for place in places]
        more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
        raise FloatingPointError(
            f"The loss or a weight is not finite after step {self.state.step:,} of epoch {self.state.epoch + 1}. "
            f"Its batch: {', '.join(ids[:_NAMED])}{more}. The last good checkpoint stays in "
            f"{self._checkpoints.folder}. Try a lower learning rate, or PRECISION=float32."
        )

    def _finish_epoch(self, images_per_s: float) -> None:
        """Measures the epoch on the selection split and saves it."""
        state, data = self.state, self._data
        # The weights don't change any more, so a signal may end the measuring at once if the state is saved first.
        self._require_finite()
        self._stop.must_wait = False
        try:
            self._stop.obey()
            measured, usage = self._measure()
            self._stop.must_wait = True
        except (Stopped, KeyboardInterrupt):
            self._save()
            raise
        trained = {f"train_{name}": value for name, value in state.running.items()}
        rate = float(keras.ops.convert_to_numpy(self._model.optimizer.learning_rate))
        state.finish_epoch(
            {**trained, "learning_rate": rate, **measured, **usage},
            score=measured[self._config.select_by],
            weights=checkpoint.values(self._model.weights),
        )
        self._save()
        console.say(
            f"epoch {state.epoch}/{self._config.epochs}: train loss {trained['train_loss']:.3f} accuracy "
            f"{trained['train_accuracy']:.3f}; {data.selection_name} loss {measured['loss']:.3f} accuracy "
            f"{measured['accuracy']:.3f} macro-F1 {measured['macro_f1']:.3f}"
            f"{' *' if state.best_epoch == state.epoch else ''} ({images_per_s:.0f} images/s)"
        )
        earlier = state.history[-2] if len(state.history) > 1 else {}
        if dead := [name for name, share in usage.items() if share < _DEAD_EXPERT <= earlier.get(name, 1.0)]:
            console.say(f"warning: hardly an image takes {', '.join(dead)} (under {_DEAD_EXPERT:.0%})")

    def _measure(self) -> tuple[dict[str, float], dict[str, float]]:
        """Returns loss (without smoothing), accuracy and macro-F1 on the selection split, and the experts' use.

        The use of an expert is the share of the images that have it among their `top_k`.
        """
        images = self._data.selection_images()
        probabilities, *gates = self._with_gates.predict(images, verbose=0)
        usage = {
            f"{name}_expert_{number}": float(share)
            for name, of_mixture in zip(_MIXTURES, gates, strict=True)
            for number, share in enumerate(expert_usage.chosen_experts(of_mixture, self._top_k).mean(axis=0), 1)
        }
        return metrics.headline(self._data.selection_labels, probabilities), usage

    def _is_exhausted(self) -> bool:
        """Returns whether the selection loss has not fallen for `patience` epochs."""
        losses = [row["loss"] for row in self.state.history]
        patience = self._config.patience
        return bool(patience) and len(losses) - 1 - int(np.argmin(losses or [0])) >= patience


def _log_epoch(writer: tf.summary.SummaryWriter, row: dict[str, Any]) -> None:
    with writer.as_default():
        for name, value in row.items():
            if name != "epoch":
                tf.summary.scalar(name, value, step=row["epoch"])
    writer.flush()
