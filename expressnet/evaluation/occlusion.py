"""Where in a picture the model finds what it says: what happens when a part is covered."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from expressnet.imaging import codec

if TYPE_CHECKING:
    from expressnet.inference import bundle

_GRID = 8
_COVER = 2  # side of what is covered, cells of the grid; a smaller cover hides too little of a face
_SHOWN_PX = 144


class Map(NamedTuple):
    """One example: its crop, and beside it the crop with what the answer hangs on.

    Attributes:
        sha256: of the original file.
        text: label, answer and its probability.
        png: both pictures side by side.
    """

    sha256: str
    text: str
    png: bytes


def choose(labels: np.ndarray, probabilities: np.ndarray, count: int) -> np.ndarray:
    """Returns the places of the surest right and the surest wrong answers, in turn by class; half of each."""
    predicted, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    chosen: list[int] = []
    for is_kind, wanted in ((predicted == labels, count - count // 2), (predicted != labels, count // 2)):
        places = np.flatnonzero(is_kind)
        places = places[np.argsort(-sure[places], kind="stable")]
        rank = np.zeros(len(places), int)  # among the answers of the same class
        for label in np.unique(labels):
            of_class = labels[places] == label
            rank[of_class] = np.arange(of_class.sum())
        chosen += places[np.argsort(rank, kind="stable")][:wanted].tolist()
    return np.array(chosen, int)


def heat(model: bundle.Bundle, crop: np.ndarray) -> np.ndarray:
    """Covers one part after the other (Zeiler and Fergus 2014, section 4.2).

    Args:
        model: that answers.
        crop: uint8[size, size, 3].

    Returns:
        float[8, 8], by how much the probability of the answer falls, on average over the covers that lie on a cell;
        0 where it does not fall.
    """
    size_px = crop.shape[0]
    edges = np.linspace(0, size_px, _GRID + 1).round().astype(int)
    steps = range(_GRID - _COVER + 1)
    corners = [(row, column) for row in steps for column in steps]
    covered = np.repeat(crop[None], len(corners) + 1, axis=0)
    mean = crop.mean(axis=(0, 1)).astype(np.uint8)
    for place, (row, column) in enumerate(corners):
        covered[place, edges[row] : edges[row + _COVER], edges[column] : edges[column + _COVER]] = mean
    probabilities = model.predict(covered).probabilities  # the last one is not covered
    answer = probabilities[-1].argmax()
    sums, counts = np.zeros((_GRID, _GRID)), np.zeros((_GRID, _GRID))
    for (row, column), probability in zip(corners, probabilities[:-1, answer], strict=True):
        sums[row : row + _COVER, column : column + _COVER] += probabilities[-1, answer] - probability
        counts[row : row + _COVER, column : column + _COVER] += 1
    return np.maximum(sums / counts, 0)


def maps(
    model: bundle.Bundle, crops: np.ndarray, sha256s: list[str], labels: np.ndarray, probabilities: np.ndarray
) -> list[Map]:
    """Draws crops uint8[n, size, size, 3] with their heat."""
    found = []
    for crop, sha256, label, each in zip(crops, sha256s, labels, probabilities, strict=True):
        answer = int(each.argmax())
        text = f"label {model.classes[label]}, answer {model.classes[answer]} ({each[answer]:.2f})"
        found.append(Map(sha256, text, codec.encode_png(_drawn(crop, heat(model, crop)))))
    return found


def _drawn(crop: np.ndarray, falls: np.ndarray) -> np.ndarray:
    side = (_SHOWN_PX, _SHOWN_PX)
    shown = cv2.resize(crop, side, interpolation=cv2.INTER_CUBIC)
    level = np.clip(cv2.resize(falls / max(falls.max(), 1e-6), side, interpolation=cv2.INTER_CUBIC), 0, 1)
    colours = cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    gray = cv2.cvtColor(cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.hstack([shown, (0.45 * gray + 0.55 * colours).astype(np.uint8)])
