"""Cuts one face out of every photograph, once, so that training never detects anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from expressnet import code, console, crop_report, cutting, faces, manifest, shards, storage
from expressnet.config.base import digest_fields
from expressnet.config.crop import CropConfig

INFO_FILE = "crops.json"


def run(dataset_dir: str, store_dir: str | Path, config: CropConfig) -> dict[str, Any]:
    """Cuts a face out of every readable example of an ingested data set (see expressnet.faces).

    The output folder is `store_dir`/<settings>-<data set>. Crops that the same settings and code made for another
    state of the data set are taken over; a killed run goes on after its last whole shard.

    Returns:
        The report: how many faces were found; `path` is the output folder.
    """
    store = Path(store_dir)
    info = storage.read_json(Path(dataset_dir) / "dataset.json")
    settings = storage.json_digest([digest_fields(config), code.digest("cutting")])
    out_dir = store / f"{settings[:16]}-{info['dataset_digest'][:16]}"
    with storage.lock(out_dir.with_name(out_dir.name + ".lock"), wait=True):
        if (out_dir / INFO_FILE).exists():
            console.say("cut before; the crops are used again")
        else:
            earlier = [path.parent / shards.FOLDER for path in sorted(store.glob(f"{settings[:16]}-*/{INFO_FILE}"))]
            partial = out_dir.with_name(out_dir.name + storage.PARTIAL_SUFFIX)
            with storage.removed_on_error(partial):
                _crop(dataset_dir, info, partial, config, earlier)
            partial.replace(out_dir)
        crops = storage.read_json(out_dir / INFO_FILE)
        crop_report.write(out_dir, crops, pictures=config.pictures)
    console.say(f"faces found in {crops['num_faces_found']:,} of {crops['num_examples']:,} ({crops['face_rate']:.1%})")
    report = {key: value for key, value in crops.items() if isinstance(value, (str, int, float))}
    return {**report, "path": str(out_dir)}


def _crop(dataset_dir: str, info: dict[str, Any], partial: Path, config: CropConfig, earlier: list[Path]) -> None:
    frame = manifest.read(dataset_dir)
    readable = frame[frame["problem"] == ""]
    cropped = cutting.cut_all(readable, dataset_dir, partial / shards.FOLDER, config, earlier)
    digest = manifest.digest(cropped, ("sha256", "label", "face_found", "box_xyxy", "crop_sha256"))
    manifest.write(cropped[manifest.CROPPED.names], partial, manifest.CROPPED)
    crops: dict[str, Any] = {
        "num_examples": len(cropped),
        "num_left_out": len(frame) - len(cropped),
        "num_faces_found": int(cropped["face_found"].sum()),
        "face_rate": float(cropped["face_found"].mean()),
        "several_faces_rate": float((cropped["num_faces"] > 1).mean()),
        "size_px": config.size_px,
        "mode": config.mode,
        "detector": config.detector_model,
        **_agreement(cropped),
        "crops_digest": digest,
        "code_digest": code.digest("cutting"),
        "config": digest_fields(config),
        "dataset": info,
    }
    by_class = cropped.groupby("label")["face_found"].mean()
    crops["face_rate_by_class"] = {str(label): float(rate) for label, rate in by_class.items()}
    storage.write_json(partial / INFO_FILE, crops)


def _agreement(cropped: pd.DataFrame) -> dict[str, Any]:
    """Returns how many images both models saw, in which share each finds a face, and in which both or neither do."""
    pairs = cropped[list(faces.FOUND_BY.values())].dropna().astype(bool)
    if pairs.empty:
        return {"num_compared": 0}
    rates = {f"{name}_rate": float(pairs[column].mean()) for name, column in faces.FOUND_BY.items()}
    return {"num_compared": len(pairs), **rates, "agreement": float((pairs.nunique(axis=1) == 1).mean())}
