"""One training for `drill_resume`, ours or Keras' way, that may kill itself: `python -m benchmarks.resumed --help`."""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

EPOCHS = 4


def main() -> None:
    """Trains to the end, unless told to die before."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=("ours", "keras"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--die-in-write", type=int, default=0, help="number of the checkpoint's write to die in")
    parser.add_argument("--delay-s", type=float, default=0.0, help="after its beginning")
    options = parser.parse_args()
    if options.die_in_write:
        _die_in_write(options.die_in_write, options.delay_s)
    {"ours": _ours, "keras": _keras}[options.way](options.folder)


def _die_in_write(number: int, delay_s: float) -> None:
    """Kills the process `delay_s` after the n-th unfinished file was opened for writing."""
    count = 0

    def die() -> None:
        time.sleep(delay_s)
        os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event == "open" and ".safetensors." in str(arguments[0]):
            count += 1
            if count == number:
                threading.Thread(target=die).start()

    sys.addaudithook(hook)


def _recipe() -> Any:
    from expressnet.config.train import AugmentConfig, recipe

    settings = recipe("tiny", seed=1, epochs=EPOCHS)
    return dataclasses.replace(settings, batch_size=8, augment=AugmentConfig())


def _ours(folder: Path) -> None:
    from expressnet.config.train import CheckpointConfig
    from expressnet.stages import train

    faces, split = (str(folder.parent / name) for name in ("faces", "split"))
    checkpointing = CheckpointConfig(every_s=0)
    train.run(faces, split, str(folder / "model"), str(folder / "work"), _recipe(), checkpointing)


def _keras(folder: Path) -> None:
    """Trains the same network on the same images with `fit` and BackupAndRestore, as its documentation shows it."""
    import keras
    import numpy as np
    import tensorflow as tf

    from expressnet.model import expressnet, presets
    from expressnet.training import checkpoint, optimizers
    from expressnet.training.batches import Data

    settings = _recipe()
    faces, split = (str(folder.parent / name) for name in ("faces", "split"))
    data = Data.read(faces, split, settings, scratch_dir=str(folder))
    keras.utils.set_random_seed(1)
    tf.config.experimental.enable_op_determinism()
    model = expressnet.build(presets.PRESETS["tiny"], len(data.classes), 1)
    model.compile(optimizers.adam(settings, data.steps(settings)), "categorical_crossentropy", jit_compile=False)
    images = data.train_pixels.astype(np.float32) / 255
    batches = tf.data.Dataset.from_tensor_slices((images, data.train_targets)).shuffle(1000, seed=1)
    backup = keras.callbacks.BackupAndRestore(str(folder / "backup"), save_freq=5)
    # With the first batch, so that a kill can be told to come after it.
    begun = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: (folder / "begun").touch())
    model.fit(batches.batch(8, drop_remainder=True), epochs=EPOCHS, verbose=0, callbacks=[backup, begun])
    np.savez(folder / "final.npz", *checkpoint.values([*model.variables, *model.optimizer.variables]))


if __name__ == "__main__":
    main()
