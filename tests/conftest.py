"""What several parts of the tests share: small generated data sets, and the real one where it lies beside us."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from PIL import Image

from expressnet import config, fingerprint, images, manifest, shards, split, storage

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# A busy machine must not fail a test, and a failure must come back on the next machine.
settings.register_profile("reproducible", deadline=None, derandomize=True, database=None)
settings.load_profile("reproducible")


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real photographs and FER-2013 rows; it is no part of the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder shared/data does not lie beside the checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def write_tree():
    """`write_tree(root, {"happy": 2})` writes happy/000.png and happy/001.png; the same call, the same bytes."""

    def write(root, counts, side_px=24):
        for folder, count in counts.items():
            (root / folder).mkdir(parents=True)
            for number in range(count):
                noise = np.random.default_rng([number, *folder.encode()])
                pixels = noise.integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / folder / f"{number:03d}.png")
        return root

    return write


@pytest.fixture(scope="session")
def write_fer2013():
    """`write_fer2013(path, [(3, "Training", pixels)])` writes a csv with the columns of `header`, in its order."""

    def write(path, rows, header="emotion,pixels,Usage"):
        lines = [header]
        for emotion, usage, pixels in rows:
            values = {"emotion": str(emotion), "Usage": usage, "pixels": " ".join(map(str, pixels))}
            lines.append(",".join(values[name.strip()] for name in header.split(",")))
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture(scope="session")
def crops_and_split(tmp_path_factory):
    """Folders as crop and split leave them: 32 px squares whose brightness tells the class, 24 of each of three."""
    folder = tmp_path_factory.mktemp("data")
    classes = ["anger", "happy", "sad"]
    noise = np.random.default_rng(0)
    examples = []
    for place in range(72):
        pixels = noise.integers(0, 90, (32, 32, 3), dtype=np.uint8) + np.uint8(80 * (place % 3))
        png = images.encode_png(pixels)
        examples.append((storage.bytes_sha256(png), classes[place % 3], f"p{place // 6}", png))
    examples.sort()
    pngs = {sha256: png for sha256, _, _, png in examples}
    places = shards.fill(
        folder / "faces/shards", set(pngs), lambda keys: (shards.Payload(key, "png", pngs[key]) for key in keys),
        bytes_each=2000,
    )  # fmt: skip
    frame = pd.DataFrame(
        [
            {
                "sha256": sha, "label": label, "source_split": "none", "subject": subject,
                "source_uri": sha[:6], "generation": "", "given_box_xyxy": (), "target": (), "attributes": "",
                "copies": 1, "bytes": len(png),
                "format": "PNG", "width": 32, "height": 32, "problem": "",
                **fingerprint.of(images.decode_rgb(png))._asdict(), "face_found": True, "num_faces": 1, "score": 0.9,
                "box_xyxy": (0, 0, 32, 32), "angle_deg": 0.0, "face_width": 20.0, "yaw": 0.0,
            }
            for sha, label, subject, png in examples
        ]
    ).merge(places, on="sha256")  # fmt: skip
    manifest.write(frame, folder / "faces", manifest.CROPPED)
    dataset = {"dataset": "folder", "dataset_id": "folder", "dataset_digest": "d" * 64, "licence": "ours",
               "real_faces": False, "classes": classes, "num_subjects": 12}  # fmt: skip
    crops = {"crops_digest": "c" * 64, "config": config.digest_fields(config.CropConfig(size_px=32))}
    storage.write_json(folder / "faces/crops.json", {**crops, "dataset": dataset})
    split.run(str(folder / "faces"), str(folder / "split"), config.SplitConfig(val_fraction=0.2, test_fraction=0.25))
    return str(folder / "faces"), str(folder / "split")


@pytest.fixture(scope="session")
def trained(crops_and_split, tmp_path_factory):
    """A model folder of three epochs of the smallest network."""
    from expressnet import train

    folder = tmp_path_factory.mktemp("trained")
    settings = config.recipe("tiny", seed=1, epochs=3)
    report = train.run(*crops_and_split, str(folder / "model"), str(folder / "work"), settings)
    return folder / "model", report


@pytest.fixture(scope="session")
def evaluated(trained, crops_and_split, tmp_path_factory):
    """The folder and the report of an evaluation of `trained`."""
    from expressnet import evaluate

    folder = tmp_path_factory.mktemp("evaluated")
    report = evaluate.run(
        str(trained[0]), *crops_and_split, str(folder / "evaluation"), str(folder), config.EvaluateConfig()
    )
    return folder / "evaluation", report
