"""The state of a training between two epochs, on disk and back."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from expressnet import storage

_FOLDER = "epoch"
_DONE = "done"


@dataclasses.dataclass
class State:
    """What a training knows besides the network and the optimizer.

    Attributes:
        epoch: how many are finished.
        history: one row of figures per finished epoch.
        best_epoch: the chosen one, counted from 1; 0 before the first.
        best_score: its score.
        best_weights: its weights, in the order of `model.weights`.
    """

    epoch: int = 0
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -1.0
    best_weights: list[np.ndarray] = dataclasses.field(default_factory=list)

    def finish_epoch(self, figures: dict[str, float], *, score: float, weights: list[np.ndarray]) -> None:
        """Adds an epoch; among equal scores the earlier epoch stays the best."""
        self.epoch += 1
        self.history.append({"epoch": self.epoch, **figures})
        if score > self.best_score:
            self.best_epoch, self.best_score, self.best_weights = self.epoch, score, weights


class Checkpoints:
    """Keeps the last finished epoch of one training below `work_dir`/`key`.

    The last one outlives the training, because its result may still get lost between here and the
    orchestrator; the next training that ends removes it.
    """

    def __init__(self, work_dir: str | Path, key: str):
        self._work_dir = Path(work_dir)
        self._folder = self._work_dir / key

    def save(self, model: keras.Model, state: State) -> None:
        """Writes all variables and `state`; the epoch before is deleted once this one stands."""
        with storage.committed_dir(self._folder / f"{_FOLDER}-{state.epoch:04d}") as partial:
            np.savez(partial / "variables.npz", *values(_variables(model)))
            np.savez(partial / "best_weights.npz", *state.best_weights)
            fields = {name: value for name, value in vars(state).items() if name != "best_weights"}
            storage.write_json(partial / "state.json", fields)
        for old in self._finished()[:-1]:
            shutil.rmtree(old)

    def restore(self, model: keras.Model) -> State | None:
        """Puts the last finished epoch into a built and compiled model; returns None if there is none."""
        finished = self._finished()
        if not finished:
            return None
        for variable, value in zip(_variables(model), _read(finished[-1] / "variables.npz"), strict=True):
            variable.assign(value)
        fields = storage.read_json(finished[-1] / "state.json")
        return State(**fields, best_weights=_read(finished[-1] / "best_weights.npz"))

    def finish(self) -> None:
        """Marks the training as done and deletes the checkpoints of others that are."""
        for done in self._work_dir.glob(f"*/{_DONE}"):
            if done.parent != self._folder:
                shutil.rmtree(done.parent, ignore_errors=True)
        storage.write_bytes(self._folder / _DONE, b"")

    def _finished(self) -> list[Path]:
        folders = sorted(self._folder.glob(f"{_FOLDER}-*"))
        return [folder for folder in folders if folder.suffix != storage.PARTIAL_SUFFIX]


def _variables(model: keras.Model) -> list[Any]:
    """Returns weights, dropout seeds, optimizer slots and step counter."""
    return [*model.variables, *model.optimizer.variables]


def values(variables: list[Any]) -> list[np.ndarray]:
    """Copies variables to arrays."""
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _read(path: Path) -> list[np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return [arrays[name] for name in arrays.files]
