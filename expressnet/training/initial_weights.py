"""A network that starts from the weights of an earlier model."""

from __future__ import annotations

from pathlib import Path

import keras
from safetensors import SafetensorError
from safetensors.numpy import load

from expressnet.artifacts.provenance import Provenance
from expressnet.runtime import console, storage


def load_into(model: keras.Model, path: str | Path, sha256: str) -> str:
    """Puts the weights of a model folder into a network of the same shape.

    Args:
        model: as expressnet.model.expressnet builds it.
        path: weights.safetensors of a model folder (see expressnet.inference.bundle).
        sha256: of that file.

    Returns:
        Where the weights come from, in words, for provenance; the earlier model's own origin is part of it.

    Raises:
        ValueError: the file has another SHA-256, is no such file, or its arrays have other shapes. The network is
            unchanged then.
    """
    path = Path(path)
    data = path.read_bytes()
    if (found := storage.bytes_sha256(data)) != sha256:
        raise ValueError(f"The initial weights {path} must have the SHA-256 {sha256 or '(none)'}; got {found}.")
    try:
        arrays = [array for _, array in sorted(load(data).items())]
    except SafetensorError as error:
        raise ValueError(f"{path} is not the weights.safetensors of a model ({error}).") from error
    wanted, given = [tuple(weight.shape) for weight in model.weights], [array.shape for array in arrays]
    if wanted != given:
        differing = next((pair for pair in zip(wanted, given, strict=False) if pair[0] != pair[1]), "their number")
        raise ValueError(
            f"The network has {len(wanted)} arrays of weights and {path} {len(given)}, which differ first in "
            f"{differing}. Do preset and MOE= differ from the champion's? WARM_START= starts from scratch."
        )
    for weight, array in zip(model.weights, arrays, strict=True):
        weight.assign(array)
    origin = Provenance.read(path.parent).backbone_weights
    console.say(f"all weights start from an earlier model, sha256 {sha256[:8]}")
    return f"all weights of an earlier model, sha256 {sha256}, whose backbone weights were: {origin}"
