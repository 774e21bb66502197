"""The graph with a loop of parts, really run on this machine, against the graph without one."""

import colorsys
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from expressnet.data import manifest, shards
from expressnet.runtime import journal, storage

ROOT = Path(__file__).parents[3]
# At 224 px a crop is taken for 98 KiB, so that so many fill 16 shards.
NUM_EXAMPLES = 1400
NUM_PARTS = 3

RUN = """
import sys
from kfp import dsl, local
from expressnet.config import options
from pipelines.graphs import fan_out, shared_tasks

local.init(local.SubprocessRunner(use_venv=False), pipeline_root=f"{sys.argv[2]}/artifacts", enable_caching=True,
           cache_root=f"{sys.argv[2]}/cache")


def to_crops(workspace: str, data_uri: str, crop_mode: str):
    given = dict(workspace=workspace, data_uri=data_uri, crop_mode=crop_mode, dataset="folder", preset="paper",
                 min_per_class=3)
    settings = {**options.defaults("train"), **given}
    shared_tasks.cropped(shared_tasks.ingested(settings), settings)


with fan_out.using(fan_out.FanOut(parts=int(sys.argv[3]), parallelism=min(2, int(sys.argv[3])))):
    graph = dsl.pipeline(name="to-crops")(to_crops)
graph(workspace=sys.argv[2], data_uri=sys.argv[1], crop_mode="whole")
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A folder of colours in two classes."""
    folder = tmp_path_factory.mktemp("tree")
    for name in ("happy", "neutral"):
        (folder / name).mkdir()
    for number in range(NUM_EXAMPLES):
        rgb = colorsys.hsv_to_rgb(number / NUM_EXAMPLES, 0.2 + 0.7 * (number % 7) / 7, 0.9)
        picture = Image.linear_gradient("L").resize((48, 48)).rotate(90 * (number % 4))
        bands = [picture.point(lambda value, share=share: int(value * share)) for share in rgb]
        Image.merge("RGB", bands).save(folder / ("happy", "neutral")[number % 2] / f"{number:04}.png")
    return folder


def _run(tree, out, num_parts):
    """Runs the graph; returns its exit code, the entries of its journal and what it said."""
    run_dir = out / "runs" / str(len(list(out.glob("runs/*"))))
    script = out / "graph.py"
    run_dir.mkdir(parents=True)
    script.write_text(RUN)
    done = subprocess.run(
        [sys.executable, script, tree, out, str(num_parts)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, journal.RUN_DIR_VARIABLE: str(run_dir), "PYTHONPATH": str(ROOT)},
    )
    entries = {path.stem: storage.read_json(path) for path in run_dir.glob("journal/*.json")}
    return done.returncode, entries, done.stdout + done.stderr


def _shards(out):
    (folder,) = out.glob(f"crops/*/{shards.FOLDER}")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_a_loop_of_parts_gives_the_crops_of_the_graph_without_one(tree, tmp_path):
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    code, plain, said = _run(tree, alone, 1)
    assert code == 0, said
    wanted = _shards(alone)
    names = sorted(name for name in wanted if name.endswith(".tar"))
    assert len(names) == 16

    # A folder in the place of one shard: its part fails, the others do not.
    (crops,) = alone.glob("crops/*/crops.json")
    begun = shared / "crops" / f"{crops.parent.name}.partial" / shards.FOLDER
    (begun / names[1]).mkdir(parents=True)
    code, failed, said = _run(tree, shared, NUM_PARTS)
    assert code != 0, said
    assert "crop" not in failed
    assert failed["cut-001"]["status"] == "failed"
    others = [entry for name, entry in failed.items() if name in ("cut-000", "cut-002")]
    assert [entry["status"] for entry in others] == ["succeeded"] * len(others)
    cut_before = {path.name: path.stat().st_mtime_ns for path in begun.glob("*.tar") if path.is_file()}
    assert cut_before

    (begun / names[1]).rmdir()
    code, joined, said = _run(tree, shared, NUM_PARTS)
    assert code == 0, said
    assert joined["cut-001"]["status"] == "succeeded"
    assert not {name for name in joined if name.startswith("cut-")} & {
        name for name, entry in failed.items() if name.startswith("cut-") and entry["status"] == "succeeded"
    }  # what succeeded is taken from the cache
    assert joined["crop"]["report"]["crops_digest"] == plain["crop"]["report"]["crops_digest"]
    assert _shards(shared) == wanted
    stamps = {path.name: path.stat().st_mtime_ns for path in shared.glob(f"crops/*/{shards.FOLDER}/*.tar")}
    assert cut_before.items() <= stamps.items()
    assert len(manifest.read(shared / "crops" / crops.parent.name)) == NUM_EXAMPLES

    code, reused, said = _run(tree, shared, NUM_PARTS)
    assert (code, set(reused)) == (0, {"ingest"}), said
