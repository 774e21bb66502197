"""Cuts the faces of one part of the photographs, so that many pods can share a large data set; `crop` joins them."""

from __future__ import annotations

from pathlib import Path

from expressnet.artifacts.stored import Facts
from expressnet.config.crop import CropConfig, CutConfig
from expressnet.data import shards
from expressnet.faces import crop_shards
from expressnet.faces.crop_folder import CropFolder
from expressnet.runtime import console


class CutPart(Facts):
    """The report of cut.

    Attributes:
        crops: name of the crops' folder.
        part, num_parts: which part, and of how many.
        num_photos: photographs of the part that were cut now.
    """

    crops: str
    part: int
    num_parts: int
    num_photos: int


def run(dataset_dir: str, store_dir: str | Path, config: CropConfig, which: CutConfig) -> CutPart:
    """Cuts every `num_parts`-th shard of what the stage `crop` will write, into the folder that it goes on from.

    Parts hold no lock and delete nothing, so they do not wait for one another. A part that was killed goes on after its
    last whole shard.

    Args:
        dataset_dir: output of ingest.
        store_dir: where crops are kept.
        config: how faces are cut, the same for all parts and for `crop`.
        which: the part.

    Returns:
        The report.
    """
    folder = CropFolder.of(dataset_dir, store_dir, config)
    num_photos = 0
    if not folder.is_done():
        photos, _ = folder.photos()
        try:
            num_photos = crop_shards.cut_part(
                photos, folder.dataset_dir, folder.partial / shards.FOLDER, config, folder.earlier(), which
            )
        except FileNotFoundError:
            # Another run has joined the same crops meanwhile, and the folder got its final name.
            if not folder.is_done():
                raise
    if folder.is_done():
        console.say("cropped before; the crops are there")
    return CutPart(crops=folder.path.name, part=which.part, num_parts=which.num_parts, num_photos=num_photos)
