"""Crops and a split of made pictures, as the stages leave them, for tests and drills of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from expressnet.artifacts.crops_info import CropsInfo
from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.config.base import digest_fields
from expressnet.config.crop import CropConfig
from expressnet.config.split import SplitConfig
from expressnet.data import manifest, shards
from expressnet.imaging import codec, fingerprint
from expressnet.runtime import code_version, storage
from expressnet.stages import split

CLASSES = ["anger", "happy", "sad"]


def write(folder: Path, count: int) -> tuple[str, str]:
    """Writes 32 px squares whose brightness tells one of three classes, `count` of them, six of a person.

    Returns:
        The folders of the crops and of the split.
    """
    noise = np.random.default_rng(0)
    examples = []
    for place in range(count):
        pixels = noise.integers(0, 90, (32, 32, 3), dtype=np.uint8) + np.uint8(80 * (place % 3))
        png = codec.encode_png(pixels)
        examples.append((storage.bytes_sha256(png), CLASSES[place % 3], f"p{place // 6}", png))
    examples.sort()
    pngs = {sha256: png for sha256, _, _, png in examples}
    places = shards.fill(
        folder / "faces/shards",
        set(pngs),
        lambda keys: (shards.Payload(key, "png", pngs[key]) for key in keys),
        bytes_each=2000,
    )
    rows = [
        {
            "sha256": sha256,
            "label": label,
            "source_split": "none",
            "subject": subject,
            "source_uri": sha256[:6],
            "generation": "",
            "given_box_xyxy": (),
            "target": (),
            "attributes": "",
            "copies": 1,
            "bytes": len(png),
            "format": "PNG",
            "width": 32,
            "height": 32,
            "problem": "",
            **fingerprint.of(codec.decode_rgb(png))._asdict(),
            "face_found": True,
            "num_faces": 1,
            "score": 0.9,
            "box_xyxy": (0, 0, 32, 32),
            "angle_deg": 0.0,
            "face_width": 20.0,
            "yaw": 0.0,
        }
        for sha256, label, subject, png in examples
    ]
    manifest.write(pd.DataFrame(rows).merge(places, on="sha256"), folder / "faces", manifest.CROPPED)
    dataset = DatasetInfo(
        dataset="folder",
        dataset_id="folder",
        dataset_digest="d" * 64,
        licence="ours",
        real_faces=False,
        classes=list(CLASSES),
        num_subjects=count // 6,
    )
    CropsInfo(
        crops_digest="c" * 64,
        code_digest=code_version.digest("faces.crop_shards"),
        config=digest_fields(CropConfig(size_px=32)),
        dataset=dataset,
    ).write(folder / "faces")
    settings = SplitConfig(val_fraction=0.2, test_fraction=0.25)
    split.run(str(folder / "faces"), str(folder / "split"), settings)
    return str(folder / "faces"), str(folder / "split")
