"""On what a network is trained."""

from __future__ import annotations

import tensorflow as tf


def names() -> list[str]:
    """Returns the names of all GPUs, or of the CPU (of all, where it was divided) if there is none."""
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in found]


def strategy(batch_size: int) -> tf.distribute.Strategy:
    """Returns MirroredStrategy over all devices, TensorFlow's default for one.

    Raises:
        ValueError: a batch can't be divided equally among the devices.
    """
    devices = names()
    if batch_size % len(devices):
        # Replicas of unequal share would weigh their images unequally.
        raise ValueError(
            f"batch_size must be divisible by the number of devices, {len(devices)}; got {batch_size}. Hide devices "
            "with CUDA_VISIBLE_DEVICES, or choose another batch size."
        )
    return tf.distribute.MirroredStrategy(devices) if len(devices) > 1 else tf.distribute.get_strategy()
