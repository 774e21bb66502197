"""The optimizer of a recipe."""

from __future__ import annotations

from typing import Any

import keras

from expressnet.config.train import TrainConfig


def adam(config: TrainConfig, steps: int) -> keras.optimizers.Optimizer:
    """Returns Adam, or AdamW where there is weight decay, under the schedule of a recipe with `steps` an epoch."""
    schedules = keras.optimizers.schedules
    if config.schedule == "cosine":
        warmup = round(config.warmup_epochs * steps)
        rate: Any = (
            schedules.CosineDecay(
                config.learning_rate / 100,
                decay_steps=max(1, config.epochs * steps - warmup),
                warmup_target=config.learning_rate,
                warmup_steps=warmup,
            )
            if warmup
            else schedules.CosineDecay(config.learning_rate, config.epochs * steps)
        )
    else:
        rate = schedules.ExponentialDecay(config.learning_rate * config.decay, steps, config.decay, staircase=True)
    if not config.weight_decay:
        return keras.optimizers.Adam(rate)
    decaying = keras.optimizers.AdamW(rate, weight_decay=config.weight_decay)
    decaying.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return decaying
