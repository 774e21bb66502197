"""What several parts of the tests share: small generated data sets, and the real one where it lies beside us."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from benchmarks import made_crops
from expressnet.config.evaluate import EvaluateConfig
from expressnet.config.promote import PromoteConfig
from expressnet.config.train import recipe

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
    return made_crops.write(tmp_path_factory.mktemp("data"), 72)


@pytest.fixture(scope="session")
def trained(crops_and_split, tmp_path_factory):
    """A model folder of three epochs of the smallest network."""
    from expressnet.stages import train

    folder = tmp_path_factory.mktemp("trained")
    settings = recipe("tiny", seed=1, epochs=3)
    report = train.run(*crops_and_split, str(folder / "model"), str(folder / "work"), settings).plain()
    return folder / "model", report


@pytest.fixture(scope="session")
def evaluated(trained, crops_and_split, tmp_path_factory):
    """The folder and the report of an evaluation of `trained`."""
    from expressnet.stages import evaluate

    folder = tmp_path_factory.mktemp("evaluated")
    report = evaluate.run(
        str(trained[0]), *crops_and_split, str(folder / "evaluation"), str(folder), EvaluateConfig()
    ).plain()
    return folder / "evaluation", report


@pytest.fixture(scope="session")
def champion(trained, evaluated, tmp_path_factory):
    """A workspace whose registry holds `trained` as its only champion; the version's name."""
    from expressnet.stages import promote, register

    workspace = tmp_path_factory.mktemp("champion")
    report = register.run(str(trained[0]), str(evaluated[0]), str(workspace / "registration"), str(workspace)).plain()
    decision = promote.run(
        report["version"], "", str(workspace / "promotion"), str(workspace), PromoteConfig(intended_use="a test")
    ).plain()
    assert decision["promoted"]
    return workspace, report["version"]
