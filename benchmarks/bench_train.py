"""Times training against stock TensorFlow: `python -m benchmarks.bench_train`.

Every figure is a ratio of the fastest of several calls, ours and the peer's in turn. The peer is the same network or
layer with TensorFlow's own convolution, at the better of oneDNN on and off; where it takes more than a minute a step,
the ratio is a lower bound.
"""

from __future__ import annotations

import os
import subprocess
import sys

from expressnet.model import presets

ROUNDS = 2
_LONGEST_S = 90.0


def _time(*arguments: str, onednn: bool = True) -> tuple[float, float]:
    """Returns seconds and GiB of the fastest call, (longest, 0) if it takes longer."""
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": str(int(onednn)), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "benchmarks.train_steps", *arguments]
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
            timeout=_LONGEST_S,
        )
    except subprocess.TimeoutExpired:
        return _LONGEST_S, 0.0
    seconds, gib = map(float, done.stdout.split("figures ")[1].split())
    return seconds, gib


def _best(*arguments: str, onednn: bool = True) -> tuple[float, float]:
    found = [_time(*arguments, onednn=onednn)]
    while len(found) < ROUNDS and found[0][0] < _LONGEST_S:
        found.append(_time(*arguments, onednn=onednn))
    return min(found)


def _stock(*arguments: str) -> tuple[float, float, str]:
    """Returns seconds and GiB of the better of oneDNN on and off, and which it was."""
    ways = {"on": _best(*arguments), "off": _best(*arguments, onednn=False)}
    best = min(ways, key=lambda name: ways[name])
    return *ways[best], best


def _say(case: str, measured: str, ratio: float, wanted: str, bound: str = "") -> None:
    print(f"{case}: {measured}: {bound}{ratio:.2f} x, asked {wanted}", flush=True)


def _large_kernels() -> None:
    for kernel, wanted in ((75, 50), (50, 50), (25, 15)):
        case = ("convolution", "--kernel", str(kernel))
        ours, _ = _best(*case, "--way", "auto")
        stock, _, setting = _stock(*case)
        measured = f"{ours * 1e3:.0f} ms against {stock * 1e3:.0f} ms (oneDNN {setting})"
        bound = "at least " if stock >= _LONGEST_S else ""
        _say(f"{kernel} x {kernel}, training, batch 8", measured, stock / ours, f"{wanted} x", bound)


def _all_kernels() -> None:
    for kernel in (3, 7, 9, 15):
        for phase in ("training", "inference"):
            case = ("convolution", "--kernel", str(kernel), *(("--infer",) if phase == "inference" else ()))
            times = {way: _best(*case, "--way", way)[0] for way in presets.CONV_BACKENDS}
            measured = ", ".join(f"{way} {seconds * 1e3:.1f} ms" for way, seconds in times.items())
            better = min(times["direct"], times["fft"])
            _say(f"{kernel} x {kernel}, {phase}, batch 8", measured, better / times["auto"], "0.9 x")


def _whole_network() -> None:
    ours, ours_gib = _best("network", "--way", "auto")
    stock, stock_gib, setting = _stock("network")
    measured = f"{ours:.2f} s against {stock:.1f} s (oneDNN {setting})"
    _say("paper preset, training step, batch 8", measured, stock / ours, "13 x")
    if stock_gib:
        _say("its memory", f"{ours_gib:.1f} against {stock_gib:.1f} GiB", ours_gib / stock_gib, "0.5 x at most")
    peak = 2 * 4096**3 / _best("matmul")[0]
    reached = _best("operations")[0] / ours
    measured = f"{reached / 1e9:.0f} GFLOP/s without the FFTs' against {peak / 1e9:.0f} GFLOP/s of a matrix product"
    _say("its share of the peak", measured, reached / peak, "0.8 x")
    # As a loaded model answers: its kernels' spectra are kept.
    forward, _ = _best("network", "--way", "kept", "--infer", "--batch", "32")
    stock, _, setting = _stock("network", "--infer", "--batch", "32")
    measured = f"{forward:.2f} s against {stock:.1f} s (oneDNN {setting})"
    _say("paper preset, forward, batch 32", measured, stock / forward, "3 x")
    one = ("network", "--infer", "--batch", "1")
    again, kept = (_best(*one, "--way", way)[0] for way in ("auto", "kept"))
    measured = f"{kept * 1e3:.0f} ms against {again * 1e3:.0f} ms with the spectra of the kernels made each time"
    _say("paper preset, forward, batch 1, spectra kept", measured, again / kept, "nothing")
    half, _ = _best("network", "--way", "auto", "--precision", "mixed_bfloat16")
    _say("paper preset, training step in mixed_bfloat16", f"{half:.2f} s against float32", ours / half, "nothing")


def main() -> int:
    """Prints all ratios."""
    _large_kernels()
    _all_kernels()
    _whole_network()
    return 0


if __name__ == "__main__":
    sys.exit(main())
