"""What each part of the network is worth: `python -m benchmarks.ablation --help`.

Every variant is trained by the same recipe for the same epochs and measured on val; the test split stays closed. A
killed call goes on where it was.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

from expressnet.artifacts.split_info import SplitInfo
from expressnet.config import base
from expressnet.config.base import digest_fields
from expressnet.config.train import TrainConfig, recipe
from expressnet.model import presets
from expressnet.runtime import console, storage
from expressnet.training import checkpoint, loop
from expressnet.training.batches import Data

VARIANTS: dict[str, dict[str, Any]] = {
    "whole": {},
    **{f"without {name}": {"removed": (name,)} for name in presets.EXTRACTORS},
    # One expert, whose gate is 1.
    "a dense layer for each mixture": {"num_experts": 1, "top_k": 1},
    "direct convolutions only": {"conv_backend": "direct"},
}


def main() -> int:
    """Prints a line per variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faces", help="output of crop")
    parser.add_argument("split", help="output of split")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=52)
    parser.add_argument("--precision", default="float32", choices=base.choices(base.fields(TrainConfig)["precision"]))
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--work", type=Path, default=Path("build/ablation"), help="checkpoints; default: %(default)s")
    options = parser.parse_args()
    settings = recipe("small", seed=options.seed, epochs=options.epochs, precision=options.precision)
    data = Data.read(options.faces, options.split, settings, scratch_dir=str(options.work))
    inputs = [SplitInfo.read(options.split).split_digest, digest_fields(settings)]
    for name in options.variants:
        console.say(name)
        started = time.process_time()
        checkpoints = checkpoint.Checkpoints(options.work, storage.json_digest([name, *inputs]))
        preset = dataclasses.replace(presets.SMALL, **VARIANTS[name])
        state, _ = loop.fit(data, preset, settings, checkpoints, 300.0, options.work / "logs" / name)
        last = state.history[-1]
        print(
            f"{name}: val accuracy {last['accuracy']:.3f}, macro-F1 {last['macro_f1']:.3f}, train accuracy "
            f"{last['train_accuracy']:.3f} after {state.epoch} epochs; {time.process_time() - started:,.0f} CPU-s",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
