"""Cuts one face out of every photograph, once, so that training never detects anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from expressnet import config as configs
from expressnet import console, faces, manifest, shards, storage
from expressnet.config import CropConfig

INFO_FILE = "crops.json"


def run(dataset_dir: str, out_dir: str, config: CropConfig) -> dict[str, Any]:
    """Cuts a face out of every example of an ingested data set (see expressnet.faces).

    Returns:
        The report: how many faces were found.
    """
    frame = manifest.read(dataset_dir)
    info = storage.read_json(Path(dataset_dir) / "dataset.json")
    with storage.committed_dir(out_dir) as partial:
        cropped = faces.crop_all(frame, dataset_dir, partial / shards.FOLDER, config)
        crops_digest = manifest.digest(cropped, ("sha256", "label", "face_found", "box_xyxy", "crop_sha256"))
        manifest.write(cropped.drop(columns="crop_sha256"), partial, manifest.CROPPED)
        report = {
            "num_examples": len(cropped),
            "num_faces_found": int(cropped["face_found"].sum()),
            "face_rate": float(cropped["face_found"].mean()),
            "several_faces_rate": float((cropped["num_faces"] > 1).mean()),
            "size_px": config.size_px,
            "detector": config.detector,
            "crops_digest": crops_digest,
        }
        by_class = cropped.groupby("label")["face_found"].mean()
        storage.write_json(
            partial / INFO_FILE,
            {**report, "config": configs.digest_fields(config), "dataset": info,
             "face_rate_by_class": {str(label): float(rate) for label, rate in by_class.items()}},
        )  # fmt: skip
    console.say(f"faces found in {report['num_faces_found']:,} of {len(cropped):,} ({report['face_rate']:.1%})")
    return report
