"""Crops one face out of every photograph, once, so that training never detects anything."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from expressnet.artifacts.crops_info import CropsInfo
from expressnet.artifacts.stored import Facts, Plain
from expressnet.config.base import digest_fields
from expressnet.config.crop import CropConfig
from expressnet.data import manifest, shards
from expressnet.faces import crop_shards, cropper
from expressnet.faces.crop_folder import CropFolder
from expressnet.report import crop_page
from expressnet.runtime import code_version, console, storage


class Cropped(Facts):
    """The report of crop.

    Attributes:
        info: what is said of the crops.
        name: of their folder in the store.
        path: of their folder.
    """

    info: CropsInfo
    name: str
    path: str

    def plain(self) -> dict[str, Plain]:
        """Returns what a run view can show."""
        facts = {key: value for key, value in self.info.as_dict().items() if isinstance(value, (str, int, float))}
        return {**facts, "crops": self.name, "path": self.path}


def run(dataset_dir: str, store_dir: str | Path, config: CropConfig) -> Cropped:
    """Cuts a face out of every readable example of an ingested data set (see expressnet.faces.cropper).

    The output folder is `store_dir`/<settings>-<data set>. Crops that the same settings and code made for another
    state of the data set are taken over; so is what the stage `cut` did, and a killed run goes on after its last
    whole shard.

    Returns:
        The report.
    """
    folder = CropFolder.of(dataset_dir, store_dir, config)
    with storage.lock(folder.path.with_name(folder.path.name + ".lock"), wait=True):
        if folder.is_done():
            console.say("cropped before; the crops are used again")
            shutil.rmtree(folder.partial, ignore_errors=True)  # of a part whose attempt was given up, and came late
        else:
            # What others have cut stays if this fails: the next attempt goes on from it.
            undo = contextlib.nullcontext() if folder.partial.exists() else storage.removed_on_error(folder.partial)
            with undo:
                _crop(folder, config)
            folder.partial.replace(folder.path)
        crops = CropsInfo.read(folder.path)
        crop_page.write(folder.path, crops.as_dict(), pictures=config.pictures)
    console.say(f"faces found in {crops.num_faces_found:,} of {crops.num_examples:,} ({crops.face_rate:.1%})")
    return Cropped(info=crops, name=folder.path.name, path=str(folder.path))


def _crop(folder: CropFolder, config: CropConfig) -> None:
    photos, num_left_out = folder.photos()
    shards_dir = folder.partial / shards.FOLDER
    cropped = crop_shards.cut_all(photos, folder.dataset_dir, shards_dir, config, folder.earlier())
    digest = manifest.digest(cropped, ("sha256", "label", "face_found", "box_xyxy", "crop_sha256"))
    manifest.write(cropped[manifest.CROPPED.names], folder.partial, manifest.CROPPED)
    by_class = cropped.groupby("label")["face_found"].mean()
    CropsInfo(
        num_examples=len(cropped),
        num_left_out=num_left_out + len(photos) - len(cropped),
        num_faces_found=int(cropped["face_found"].sum()),
        face_rate=float(cropped["face_found"].mean()),
        several_faces_rate=float((cropped["num_faces"] > 1).mean()),
        face_rate_by_class={str(label): float(rate) for label, rate in by_class.items()},
        size_px=config.size_px,
        mode=config.mode,
        detector=config.detector_model,
        crops_digest=digest,
        code_digest=code_version.digest("faces.crop_shards"),
        config=digest_fields(config),
        dataset=folder.dataset,
        **_agreement(cropped),
    ).write(folder.partial)


def _agreement(cropped: pd.DataFrame) -> dict[str, Any]:
    """Returns how many images both models saw, in which share each finds a face, and in which both or neither do."""
    pairs = cropped[list(cropper.FOUND_BY.values())].dropna().astype(bool)
    if pairs.empty:
        return {"num_compared": 0}
    rates = {f"{name}_rate": float(pairs[column].mean()) for name, column in cropper.FOUND_BY.items()}
    return {"num_compared": len(pairs), **rates, "agreement": float((pairs.nunique(axis=1) == 1).mean())}
