"""The state of a training at any step, on disk and back, bit by bit."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from expressnet.runtime import console, storage
from expressnet.sources.mirror import Mirror

_DONE = "done"
_SUFFIX = ".safetensors"
_NAME = re.compile(rf"\d{{4,}}-\d{{7,}}-[0-9a-f]{{64}}{re.escape(_SUFFIX)}")
_KEPT = 2
_ENTRY = "training"


@dataclasses.dataclass
class State:
    """What a training knows besides the network and the optimizer.

    Attributes:
        backbone: where the backbone's first weights came from, in words.
        epoch: how many are finished.
        step: how many steps of the next epoch are done.
        running: means over those steps, by name.
        history: one row of figures per finished epoch.
        best_epoch: the chosen one, counted from 1; 0 before the first.
        best_score: its score.
        best_weights: its weights, in the order of `model.weights`.
        metrics: the variables of the running means.
    """

    backbone: str = "none: trained from scratch"
    epoch: int = 0
    step: int = 0
    running: dict[str, float] = dataclasses.field(default_factory=dict)
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -1.0
    best_weights: list[np.ndarray] = dataclasses.field(default_factory=list)
    metrics: list[np.ndarray] = dataclasses.field(default_factory=list)

    def finish_epoch(self, figures: dict[str, float], *, score: float, weights: list[np.ndarray]) -> None:
        """Adds an epoch; among equal scores the earlier epoch stays the best."""
        self.epoch, self.step, self.running, self.metrics = self.epoch + 1, 0, {}, []
        self.history.append({"epoch": self.epoch, **figures})
        if score > self.best_score:
            self.best_epoch, self.best_score, self.best_weights = self.epoch, score, weights


class Checkpoints:
    """Keeps the last two states of one training in `work_dir`/`key`, and a copy of them in a bucket.

    A state is one file, which appears whole; its name says how far it is and the SHA-256 of its bytes. The last one
    outlives the training, because its result may still get lost between here and the orchestrator; the next training
    that ends removes it.
    """

    def __init__(self, work_dir: str | Path, key: str, mirror_uri: str = ""):
        """Names the place.

        Args:
            work_dir: folder of all trainings of a workspace.
            key: digest of all that the training is a function of.
            mirror_uri: gs://bucket/prefix, "" for none.
        """
        self._work_dir, self._key = Path(work_dir), key
        self.folder = self._work_dir / key
        self._mirror = Mirror(mirror_uri, key) if mirror_uri else None

    def save(self, model: keras.Model, state: State) -> None:
        """Writes all variables and `state`; the last but two is deleted once this one stands.

        Raises:
            OSError: the disk is full or can't be written; what was there stays.
        """
        fields = {name: value for name, value in vars(state).items() if name not in ("best_weights", "metrics")}
        arrays = {"variable": values(_variables(model)), "best": state.best_weights, "metric": state.metrics}
        numbered = {
            f"{kind}.{place:05d}": np.asarray(array, order="C")
            for kind, some in arrays.items()
            for place, array in enumerate(some)
        }
        # One entry only: safetensors writes several in any order, and the same state is to be the same bytes.
        training = json.dumps({"key": self._key, "state": fields})
        data = save(numbered, metadata={_ENTRY: training})
        name = f"{state.epoch:04d}-{state.step:07d}-{storage.bytes_sha256(data)}{_SUFFIX}"
        storage.write_bytes(self.folder / name, data)
        for old in self._local()[:-_KEPT]:
            old.unlink()
        if self._mirror:
            self._copy(self._mirror, name)

    def _copy(self, mirror: Mirror, name: str) -> None:
        """Copies a checkpoint to the bucket; a bucket that fails costs the copy, not the training."""
        try:
            mirror.upload(self.folder / name)
            mirror.keep(_KEPT)
        except (ConnectionError, ValueError) as error:
            console.say(f"warning: the checkpoint stands here but not in the bucket: {error}")

    def restore(self, model: keras.Model) -> State | None:
        """Puts the last whole state into a built and compiled model; returns None if there is none.

        Raises:
            ValueError: checkpoints are there but none can be used; nothing is deleted.
            ConnectionError: the bucket can't be asked.
        """
        storage.remove_partials(self.folder)
        if self._mirror:
            self._mirror.fetch_newer(self.folder, _NAME)
        found = self._local()
        for path in reversed(found):
            data = path.read_bytes()
            if storage.bytes_sha256(data) == path.name.removesuffix(_SUFFIX).rpartition("-")[2]:
                return self._apply(path, data, model)
            console.say(f"warning: the checkpoint {path} is damaged (its SHA-256 is another); taking the one before")
        if found:
            raise ValueError(
                f"All {len(found)} checkpoints in {self.folder} are damaged. Delete the folder to train from the start."
            )
        return None

    def _apply(self, path: Path, data: bytes, model: keras.Model) -> State:
        try:
            length = int.from_bytes(data[:8], "little")
            training = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][_ENTRY])
            arrays = load(data)
        except (SafetensorError, ValueError, KeyError) as error:
            raise ValueError(f"{path} is not a checkpoint of this program ({error}). Nothing was changed.") from error
        if training["key"] != self._key:
            raise ValueError(
                f"{path} belongs to another training (data, split, settings or code differ: {training['key'][:8]}, not "
                f"{self._key[:8]}). Was it copied there? Nothing was changed."
            )
        for variable, value in zip(_variables(model), _in_order(arrays, "variable"), strict=True):
            variable.assign(value)
        return State(**training["state"], best_weights=_in_order(arrays, "best"), metrics=_in_order(arrays, "metric"))

    def finish(self) -> None:
        """Marks the training as done and deletes the checkpoints of others that are."""
        for done in self._work_dir.glob(f"*/{_DONE}"):
            if done.parent != self.folder:
                shutil.rmtree(done.parent, ignore_errors=True)
        storage.write_bytes(self.folder / _DONE, b"")

    def unfinished_others(self) -> list[Path]:
        """Returns the folders of trainings with other data, settings or code that did not end."""
        folders = {path.parent for path in self._work_dir.glob(f"*/*{_SUFFIX}")}
        return sorted(one for one in folders if one != self.folder and not (one / _DONE).exists())

    def _local(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("*") if _NAME.fullmatch(path.name))


def _variables(model: keras.Model) -> list[Any]:
    """Returns weights, dropout seeds, optimizer slots and step counter."""
    return [*model.variables, *model.optimizer.variables]


def values(variables: list[Any]) -> list[np.ndarray]:
    """Copies variables to arrays."""
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _in_order(arrays: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    return [arrays[key] for key in sorted(arrays) if key.startswith(f"{name}.")]
