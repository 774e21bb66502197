"""What the network is fed: the training split in batches, the selection split as it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import tensorflow as tf

from expressnet.artifacts.split_info import SplitInfo
from expressnet.config.train import TrainConfig
from expressnet.data import manifest
from expressnet.faces import crop_pixels
from expressnet.model import presets
from expressnet.training import augment

_SELECTION_BATCH = 256

Crops = np.ndarray | crop_pixels.Stored


class Data:
    """The training split in crops, targets and hashes, the selection split in crops and class indices.

    The crops' channels are in the order that the network takes.
    """

    def __init__(self, classes: list[str], selection_name: str, train: tuple, selection: tuple, train_ids: list[str]):
        self.classes, self.selection_name, self.train_ids = classes, selection_name, train_ids
        (self.train_pixels, self.train_targets), (self.selection_pixels, self.selection_labels) = train, selection
        self._memory = crop_pixels.Batches()

    @classmethod
    def read(cls, faces_dir: str, split_dir: str, config: TrainConfig, scratch_dir: str) -> Data:
        """Loads both splits as the stages crop and split left them, or opens them if they are not to be cached.

        Raises:
            ValueError: the crops have another size than the preset takes.
        """
        frame = manifest.read(split_dir)
        info = SplitInfo.read(split_dir)
        classes, preset = info.crops.dataset.classes, presets.PRESETS[config.preset]
        # The paper's protocol has no val: the authors select on the test split.
        selection_name = "test" if info.protocol == "paper" else "val"

        def part(name: str, aims: Callable[[pd.DataFrame, list[str]], np.ndarray]) -> tuple[Crops, np.ndarray]:
            rows = frame[frame["split"] == name]
            if config.crop_cache:
                crops: Crops = crop_pixels.load(faces_dir, rows, preset.size_px, scratch_dir, preset.channel_order)
            else:
                crops = crop_pixels.Stored(faces_dir, rows, preset.size_px, preset.channel_order)
            return crops, aims(rows, classes)

        return cls(
            classes,
            selection_name,
            part("train", manifest.targets),
            part(selection_name, manifest.class_indices),
            frame["sha256"][frame["split"] == "train"].tolist(),
        )

    def steps(self, config: TrainConfig) -> int:
        """Returns how many batches an epoch has; what is left after whole batches is left out of this epoch."""
        return max(1, len(self.train_targets) // config.batch_size)

    def order(self, config: TrainConfig, epoch: int) -> np.ndarray:
        """Returns int64[steps, batch], the places of an epoch's images in the training split."""
        order = np.random.default_rng([config.seed, epoch]).permutation(len(self.train_targets))
        steps, batch_size = self.steps(config), min(config.batch_size, len(order))
        return order[: steps * batch_size].reshape(steps, batch_size)

    def batches(self, config: TrainConfig, epoch: int, first_step: int = 0) -> tf.data.Dataset:
        """Returns an epoch from `first_step` on as (images float32[b, h, w, 3] in 0..1, targets float32[b, classes]).

        The order of the images and their changes are functions of (seed, epoch, step). Where classes are weighted, the
        weights float32[b] of the images' losses come third.
        """
        indices = self.order(config, epoch)
        weights = loss_weights(self.train_targets, config.class_weights) if config.class_weights else None

        def prepare(step: tf.Tensor, places: tf.Tensor) -> tuple[tf.Tensor, ...]:
            images = self._gather(self.train_pixels, places)
            if config.augment is not None:
                images = augment.augment(images, tf.stack([config.seed, step]), config.augment)
            batch = (images, tf.gather(self.train_targets, places))
            return batch if weights is None else (*batch, tf.gather(weights, places))

        numbers = np.arange(epoch * len(indices), (epoch + 1) * len(indices), dtype=np.int32)
        batches = tf.data.Dataset.from_tensor_slices((numbers[first_step:], indices[first_step:]))
        return batches.map(prepare, num_parallel_calls=2, deterministic=True).prefetch(2)

    def selection_images(self) -> tf.data.Dataset:
        """Returns the selection split, unchanged and in its order, as float32[b, h, w, 3] in 0..1."""
        batches = tf.data.Dataset.range(len(self.selection_labels)).batch(_SELECTION_BATCH)
        return batches.map(lambda places: self._gather(self.selection_pixels, places))

    def _gather(self, crops: Crops, places: tf.Tensor) -> tf.Tensor:
        images = tf.numpy_function(lambda found: self._memory.scaled(crops, found), [places], tf.float32)
        return tf.ensure_shape(images, (places.shape[0], *crops.shape[1:]))


def loss_weights(targets: np.ndarray, power: float) -> np.ndarray:
    """Returns what the loss of each image weighs: its class' count to the power of -`power`, scaled to a mean of 1.

    Args:
        targets: float32[n, classes], rows that sum to 1; one that is no single class weighs what its parts do.
        power: from 0 (all images alike) to 1 (all classes alike).

    Returns:
        float32[n].
    """
    counts = targets.sum(axis=0)
    of_class = np.where(counts > 0, np.maximum(counts, 1e-9) ** -power, 0.0)
    weights = targets @ of_class
    return (weights / weights.mean()).astype(np.float32)
