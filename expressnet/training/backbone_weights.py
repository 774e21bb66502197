"""Pretrained weights of the ResNet-50 backbone, from HDF5 files that are not trusted.

The file's SHA-256 is checked before it is parsed. Only named arrays of the expected shapes are read, through hard
links, from the file itself; nothing in it is run or followed. Two layouts are known: the VGGFace2 weights that
circulate as `rcmalli_vggface_tf_notop_resnet50.h5`, and the ImageNet weights of keras.applications.ResNet50 without
top, whose biases and epsilon are folded into the batch normalisation so that it computes the same.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path

import h5py
import keras
import numpy as np

from expressnet.runtime import console, storage
from expressnet.sources.mirror import fetch

MAX_BYTES = 2**30
_MAX_NAMES = 2000
_SHOWN = 6
_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
# https://github.com/keras-team/keras: keras/src/applications/resnet.py, ResNet50.
_IMAGENET_BLOCK = re.compile(r"conv(\d)_block(\d)_([0-3])_(conv|bn)")
_IMAGENET_PARTS = {"0": "1x1_proj", "1": "1x1_reduce", "2": "3x3", "3": "1x1_increase"}
_IMAGENET_EPSILON = 1.001e-5

Arrays = dict[str, np.ndarray]  # by "<layer>/<weight>"


def load_into(backbone: keras.Model, uri: str, sha256: str, scratch_dir: str | Path) -> str:
    """Puts the weights of a file into the backbone of the preset `paper`.

    Args:
        backbone: from resnet50.build_backbone.
        uri: path or gs://bucket/object.
        sha256: of the file.
        scratch_dir: gets the file if it comes from a bucket.

    Returns:
        Where the weights come from, in words, for provenance.

    Raises:
        ValueError: the file has another SHA-256, is no such file, or does not fit; the message lists what is missing,
            extra or of another shape. The backbone is unchanged then.
        FileNotFoundError, ConnectionError: it can't be read.
    """
    path = _local(uri, sha256, Path(scratch_dir))
    found = storage.file_sha256(path)
    if found != sha256.lower():
        raise ValueError(
            f"BACKBONE_SHA256 must be the SHA-256 of {uri}; got {sha256 or 'none'}, but the file has {found}. If you "
            "trust that file, give its own."
        )
    wanted = {_key(layer.name, weight.name): weight for layer in backbone.layers for weight in layer.weights}
    shapes = {key: tuple(weight.shape) for key, weight in wanted.items()}
    layout, arrays = _read(path, shapes)
    for key, weight in wanted.items():
        weight.assign(arrays[key])
    console.say(f"backbone starts from {layout}, {len(arrays)} arrays of {path.name}")
    return f"{layout}, sha256 {found}"


def _local(uri: str, sha256: str, scratch: Path) -> Path:
    if uri.startswith("gs://"):
        return fetch(uri, scratch / "backbone" / f"{sha256[:64] or 'unknown'}.h5", max_bytes=MAX_BYTES)
    path = Path(uri).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"BACKBONE_WEIGHTS={uri} is not a file.")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{uri} has {path.stat().st_size:,} bytes; a ResNet-50 has 94 million.")
    return path


def _read(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, Arrays]:
    """Returns the layout's name and arrays of exactly the wanted keys and shapes."""
    try:
        with h5py.File(path, "r") as file:
            root = file["model_weights"] if "model_weights" in file and _is_hard(file, "model_weights") else file
            datasets = _datasets(root)
            is_imagenet = any(key.startswith("conv1_conv/") for key in datasets)
            if is_imagenet:
                shapes = _imagenet_shapes(shapes)
            _require_fit(path, shapes, datasets)
            arrays = {key: _finite(path, key, datasets[key][()].astype(np.float32)) for key in shapes}
    except (OSError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"{path} is not a file of weights that can be read ({error}). Known are the VGGFace2 ResNet-50 without top "
            "(rcmalli_vggface_tf_notop_resnet50.h5) and the ResNet-50 without top of keras.applications."
        ) from error
    if is_imagenet:
        return "ImageNet weights (keras.applications ResNet50), adapted", _folded(arrays)
    return "VGGFace2 weights (non-commercial research only)", arrays


def _datasets(root: h5py.Group) -> dict[str, h5py.Dataset]:
    """Returns the arrays that the layers of a file name, by "<layer>/<weight>"."""
    found = {}
    for layer in _names(root, "layer_names"):
        group = root[_hard(root, layer)]
        for name in _names(group, "weight_names"):
            dataset = group[_hard(group, name)]
            if not isinstance(dataset, h5py.Dataset):
                raise TypeError(f"{layer}/{name} is not an array")
            if dataset.is_virtual or dataset.external:
                raise TypeError(f"{layer}/{name} lies in another file")
            if dataset.dtype.kind != "f":
                raise TypeError(f"{layer}/{name} holds {dataset.dtype}, not floating-point numbers")
            found[_key(layer, name.rpartition("/")[2].removesuffix(":0"))] = dataset
    return found


def _key(layer: str, weight: str) -> str:
    return f"{layer.replace('/', '_')}/{weight}"


def _names(group: h5py.Group, attribute: str) -> list[str]:
    """Reads a list of names that an attribute holds."""
    if not isinstance(group, h5py.Group):
        raise TypeError(f"{attribute} is looked for in something that is no group")
    if attribute not in group.attrs:
        raise KeyError(f"the attribute {attribute} is missing")
    shape = group.attrs.get_id(attribute).shape
    if len(shape) != 1 or shape[0] > _MAX_NAMES:
        raise TypeError(f"{attribute} is no list of at most {_MAX_NAMES} names")
    return [name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs[attribute]]


def _hard(group: h5py.Group, name: str) -> str:
    """Returns a path whose every step is a hard link, so that it can't lead into another file."""
    steps = name.split("/")
    for count in range(1, len(steps) + 1):
        if not _is_hard(group, "/".join(steps[:count])):
            raise TypeError(f"{name} is a link")
    return name


def _is_hard(group: h5py.Group, name: str) -> bool:
    return isinstance(group.get(name, getlink=True), h5py.HardLink)


def _require_fit(path: Path, shapes: Mapping[str, tuple[int, ...]], datasets: Mapping[str, h5py.Dataset]) -> None:
    wrong = [
        f"{key} {tuple(datasets[key].shape)} instead of {shapes[key]}"
        for key in shapes
        if key in datasets and tuple(datasets[key].shape) != shapes[key]
    ]
    problems = {
        "missing": [key for key in shapes if key not in datasets],
        "extra": [key for key in datasets if key not in shapes],
        "of another shape": wrong,
    }
    if any(problems.values()):
        listed = "; ".join(f"{len(keys)} {kind} ({_listed(keys)})" for kind, keys in problems.items() if keys)
        raise ValueError(
            f"{path} does not fit the backbone: {listed}. Is the preset `paper`, and the file one of a ResNet-50 "
            "without its classifier?"
        )


def _listed(keys: list[str]) -> str:
    return ", ".join(keys[:_SHOWN]) + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")


def _finite(path: Path, key: str, array: np.ndarray) -> np.ndarray:
    if not np.isfinite(array).all():
        raise ValueError(f"{path}: {key} holds numbers that are not finite. Was the file damaged?")
    return array


def _ours(layer: str) -> str:
    """Returns our name of a layer of keras.applications."""
    match = _IMAGENET_BLOCK.fullmatch(layer)
    name = f"conv{match[1]}_{match[2]}_{_IMAGENET_PARTS[match[3]]}" if match else "conv1_7x7_s2"
    return f"{name}_bn" if layer.endswith("bn") else name


def _imagenet_names() -> list[str]:
    blocks = {2: 3, 3: 4, 4: 6, 5: 3}
    units = ["conv1"] + [
        f"conv{stage}_block{block}_{part}"
        for stage, count in blocks.items()
        for block in range(1, count + 1)
        for part in ("0123" if block == 1 else "123")
    ]
    return [f"{unit}_{kind}" for unit in units for kind in ("conv", "bn")]


def _imagenet_shapes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Translates the wanted shapes into the names of keras.applications, whose convolutions have biases."""
    found: dict[str, tuple[int, ...]] = {}
    with contextlib.suppress(KeyError):  # a backbone of another preset: its own message follows
        for layer in _imagenet_names():
            if layer.endswith("bn"):
                found |= {f"{layer}/{name}": shapes[f"{_ours(layer)}/{name}"] for name in _BATCH_NORM}
            else:
                shape = shapes[f"{_ours(layer)}/kernel"]
                found |= {f"{layer}/kernel": shape, f"{layer}/bias": shape[-1:]}
        return found
    return dict(shapes)


def _folded(arrays: Arrays) -> Arrays:
    """Returns our arrays: BN(conv(x) + bias) with epsilon 1.001e-5 as BN'(conv(x)) with Keras' 1e-3."""
    folded = {}
    for layer in _imagenet_names():
        if layer.endswith("conv"):
            folded[f"{_ours(layer)}/kernel"] = arrays[f"{layer}/kernel"]
            continue
        values = {name: arrays[f"{layer}/{name}"] for name in _BATCH_NORM}
        variance = values["moving_variance"]
        values["gamma"] = values["gamma"] * np.sqrt((variance + 1e-3) / (variance + _IMAGENET_EPSILON))
        values["moving_mean"] = values["moving_mean"] - arrays[f"{layer.removesuffix('bn')}conv/bias"]
        folded |= {f"{_ours(layer)}/{name}": value for name, value in values.items()}
    return folded
