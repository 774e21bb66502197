"""Pictures for the pages; each has a table beside it for those who can't see it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.figure import Figure

from expressnet import html

_MOST_BARS = 40


def picture(figure: Figure, alt: str) -> str:
    """Returns an embedded PNG of a figure and closes it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, bbox_inches="tight")
    pyplot.close(figure)
    return html.png(buffer.getvalue(), alt)


def heat_map(
    shares: np.ndarray, columns: Sequence[str], rows: Sequence[str], texts: Sequence[Sequence[str]],
    axes: tuple[str, str],
) -> Figure:  # fmt: skip
    """Draws float[rows, columns] in 0..1 as colours with a text in every field; `axes` names x and y."""
    figure, axis = pyplot.subplots(figsize=(1.2 + 0.85 * len(columns), 1 + 0.5 * len(rows)))
    axis.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    axis.set_xticks(range(len(columns)), list(map(_plain, columns)), rotation=30, ha="right")
    axis.set_yticks(range(len(rows)), list(map(_plain, rows)))
    axis.set_xlabel(axes[0])
    axis.set_ylabel(axes[1])
    for (row, column), share in np.ndenumerate(shares):
        axis.text(column, row, texts[row][column], ha="center", va="center", color="white" if share > 0.5 else "black")
    return figure


def history(rows: pd.DataFrame) -> Figure:
    """Draws loss and accuracy of the training and the selection split by epoch."""
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.2))
    for axis, name in zip(axes, ("loss", "accuracy"), strict=True):
        axis.plot(rows["epoch"], rows[f"train_{name}"], label="train")
        axis.plot(rows["epoch"], rows[name], label="selection")
        axis.set_xlabel("epoch")
        axis.set_title(name)
        axis.grid(alpha=0.3)
        axis.legend()
    return figure


def stacked_bars(counts: pd.DataFrame) -> Figure:
    """Draws a bar for each row, made of its columns; of more than 40 rows the largest."""
    largest = counts.sum(axis=1).sort_values(ascending=False, kind="stable").index[:_MOST_BARS]
    shown = counts.loc[[name for name in counts.index if name in set(largest)]].iloc[::-1]
    figure, axis = pyplot.subplots(figsize=(8, 1 + 0.3 * len(shown)))
    left = np.zeros(len(shown))
    for column in shown:
        axis.barh(list(map(_plain, shown.index)), shown[column], left=left, label=_plain(str(column)))
        left += shown[column].to_numpy()
    axis.set_xlabel("images")
    axis.legend()
    return figure


def histogram(edges: np.ndarray, counts: np.ndarray, label: str, *, logarithmic: bool = False) -> Figure:
    """Draws counts int[n] between edges float[n + 1]."""
    figure, axis = pyplot.subplots(figsize=(8, 2.4))
    axis.stairs(counts, edges, fill=True)
    if logarithmic:
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_xlabel(label)
    axis.set_ylabel("images")
    return figure


def colours(by_data_set: Mapping[str, Sequence[Sequence[float]]]) -> Figure:
    """Draws the mean distributions of red, green and blue of one or more data sets side by side.

    Args:
        by_data_set: float[3, bins] each, summing to 1 along the bins; see fingerprint.mean_colours.
    """
    figure, axes = pyplot.subplots(1, len(by_data_set), figsize=(4.5 * len(by_data_set), 3), sharey=True, squeeze=False)
    for axis, (name, channels) in zip(axes[0], by_data_set.items(), strict=True):
        edges = np.linspace(0, 256, len(channels[0]) + 1)
        for channel, colour, style in zip(channels, ("red", "green", "blue"), ("-", "--", ":"), strict=True):
            axis.stairs(channel, edges, color=colour, linestyle=style, label=colour)
        axis.set_title(_plain(name))
        axis.set_xlabel("value of the pixel")
        axis.legend()
    axes[0][0].set_ylabel("share of pixels")
    return figure


def _plain(text: str) -> str:
    """Returns a name that came from data so that matplotlib draws it as it is, not as mathematics, and not too long."""
    short = text if len(text) <= 40 else f"{text[:39]}…"
    return short.replace("$", r"\$")
