"""What several parts of the tests share: small generated data sets, and the real one where it lies beside us."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

# Workers of pytest-xdist share the processors; this must be said before anything starts threads.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(_name, "1")

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import settings
from PIL import Image

from expressnet.config.evaluate import EvaluateConfig
from expressnet.config.promote import PromoteConfig
from expressnet.config.train import recipe
from tests import tools
from tests.made import made_crops

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# A busy machine must not fail a test, and a failure must come back on the next machine.
settings.register_profile("reproducible", deadline=None, derandomize=True, database=None)
settings.load_profile("reproducible")


def pytest_runtest_setup(item):
    """Looks for the programs that a test needs."""
    for mark in item.iter_markers("needs_tool"):
        tools.require(*mark.args)


def _belongings():
    """Returns what lies in the checkout that no test may touch: a person's settings, results and unknown files."""
    own = [path for name in ("expressnet.yaml", "images.lock.json") if (path := ROOT / name).exists()]
    files = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in own}
    for name in ("out", "build"):
        files |= {str(path): str(path.stat().st_mtime_ns) for path in (ROOT / name).rglob("*") if path.is_file()}
    command = ["git", "status", "--porcelain"]
    status = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    unknown = [line for line in status.splitlines() if line.startswith("??")]
    return {**files, **dict.fromkeys(unknown, "")}


def pytest_sessionstart(session):
    """Remembers what lies in the checkout."""
    session.belongings = _belongings()


def pytest_sessionfinish(session):
    """Fails a run of tests that left something in the checkout, or changed what was there."""
    if hasattr(session.config, "workerinput") or _belongings() == session.belongings:
        return
    now, before = _belongings(), session.belongings
    changed = sorted(name for name in {*now, *before} if now.get(name) != before.get(name))
    print(f"\nerror: a test changed the checkout: {', '.join(changed[:5])}")
    session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """`once(name, make)`: what `make(folder)` returns, as JSON; workers of one run share the folder and the answer."""

    def share(name, make):
        base = tmp_path_factory.getbasetemp()
        base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
        folder, answer = base / f"once-{name}", base / f"once-{name}.json"
        with FileLock(f"{answer}.lock"):
            if not answer.exists():
                folder.mkdir()
                answer.write_text(json.dumps(make(folder)))
        return json.loads(answer.read_text())

    return share


@pytest.fixture
def strangers_checkout(tmp_path, monkeypatch):
    """The commands see an empty folder in the place of this checkout's own settings and image lock."""
    from pipelines import image_lock

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(image_lock, "LOCK", tmp_path / "images.lock.json")


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
def crops_and_split(once):
    """Folders as crop and split leave them: 32 px squares whose brightness tells the class, 24 of each of three."""
    return tuple(once("crops", lambda folder: made_crops.write(folder, 72)))


@pytest.fixture(scope="session")
def trained(crops_and_split, once):
    """A model folder of three epochs of the smallest network, and the report of its training."""

    def make(folder):
        from expressnet.stages import train

        settings = recipe("tiny", seed=1, epochs=3)
        report = train.run(*crops_and_split, str(folder / "model"), str(folder / "work"), settings)
        return str(folder / "model"), report.plain()

    model_dir, report = once("trained", make)
    return Path(model_dir), report


@pytest.fixture(scope="session")
def evaluated(trained, crops_and_split, once):
    """The folder and the report of an evaluation of `trained`."""

    def make(folder):
        from expressnet.stages import evaluate

        target = str(folder / "evaluation")
        report = evaluate.run(str(trained[0]), *crops_and_split, target, str(folder), EvaluateConfig())
        return target, report.plain()

    evaluation_dir, report = once("evaluated", make)
    return Path(evaluation_dir), report


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
