"""The whole life of a run on this machine, with the smallest network."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from expressnet.registry import registry
from tests import every_page

ROOT = Path(__file__).parents[2]
STAGES = ("ingest", "validate", "crop", "split", "train", "evaluate", "register", "promote")


def _run(out, *options, data_uri="", dataset="demo"):
    command = [sys.executable, "-m", "pipelines", "run", "train", "--out", str(out), "--dataset", dataset]
    command += ["--data-uri", str(data_uri), "--preset", "tiny", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)


def _summary(out):
    return json.loads((max((out / "runs").iterdir()) / "run_summary.json").read_text())


def _partials(out):
    return list(out.rglob("*.partial"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A workspace in which one run has ended well, and what it printed."""
    out = tmp_path_factory.mktemp("workspace") / "out"
    done = _run(out, "--limit", "210", "--epochs", "2", "--intended-use", "testing")
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done


def test_a_first_run_ends_with_a_promoted_champion(finished):
    out, done = finished
    champion = registry.Registry(out).champion("expressnet-demo")
    assert champion["previous"] == ""
    assert champion["settings"]["intended_use"] == "testing"
    assert champion["version"] in done.stdout
    summary = _summary(out)
    assert summary["state"] == "SUCCEEDED"
    assert tuple(summary["stages"]) == STAGES


def test_what_people_see_has_no_machine_talk(finished):
    out, done = finished
    assert "executor" not in done.stdout
    assert "parameterValues" in (next((out / "runs").iterdir()) / "run.log").read_text()
    for word in ("accuracy", "split", "version", "promoted", "report"):
        assert word in done.stdout


def test_the_report_is_one_file_that_asks_for_nothing(finished):
    out, done = finished
    path = _summary(out)["stages"]["promote"]["report"]["report_path"]
    assert path in done.stdout
    page = Path(path).read_text()
    assert "expressnet-demo had no champion. Promoted: the first" in every_page.text(page)
    assert "http" not in page.replace("http-equiv", "")
    assert len(page) < 3_000_000


def test_the_matrix_repeats_the_evaluation_where_model_and_test_split_belong_together(finished, tmp_path):
    out, _ = finished
    command = [sys.executable, "-m", "pipelines", "matrix", "expressnet-demo", "--out", str(out), "--to", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (cell,) = json.loads((tmp_path / "matrix.json").read_text())["cells"]
    evaluated = _summary(out)["stages"]["evaluate"]["report"]
    assert (cell["num_rows"], cell["num_seen"], cell["own_split_known"]) == (evaluated["num_test"], 0, True)
    for name in ("accuracy", "macro_f1"):
        found = {"value": evaluated[name], "low": evaluated[f"{name}_low"], "high": evaluated[f"{name}_high"]}
        assert cell[name] == pytest.approx(found, abs=1e-6)
    assert "not known" not in (tmp_path / "matrix.html").read_text().lower()


def test_a_second_run_does_nothing_twice(finished):
    out, _ = finished
    models = registry.Registry(out)
    before = models.champion("expressnet-demo")
    again = _run(out, "--limit", "210", "--epochs", "2", "--intended-use", "testing")
    assert again.returncode == 0, again.stdout + again.stderr
    stages = _summary(out)["stages"]
    reused = {name for name, entry in stages.items() if entry.get("reused")}
    assert reused == {"validate", "crop", "split", "train", "evaluate"}
    assert not stages["register"]["report"]["is_new"]
    assert models.champion("expressnet-demo") == before
    assert stages["train"]["report"]["model_digest"] == before["model_digest"]


def test_another_seed_trains_a_challenger_that_is_compared_on_the_same_rows(finished):
    out, _ = finished
    done = _run(out, "--limit", "210", "--epochs", "1", "--seed", "53")
    assert done.returncode == 0, done.stdout + done.stderr
    stages = _summary(out)["stages"]
    assert {name for name, entry in stages.items() if entry.get("reused")} == {"validate", "crop"}
    promotion = stages["promote"]["report"]
    assert promotion["promoted"] == (promotion["gain_low"] > 0)
    assert "McNemar p =" in promotion["reason"]
    champion = promotion["champion_before"]
    page = every_page.text(Path(promotion["report_path"]).read_text())
    assert f"{champion} was champion, since" in page
    assert "not like with like" in page  # another seed, another draw of the test split
    assert f"{promotion['accuracy_gain_value']:+.3f} ({promotion['accuracy_gain_low']:+.3f} to" in page


def test_other_photographs_are_a_new_data_set(tmp_path, finished):
    out, _ = finished
    demo = tmp_path / "demo"
    shutil.copytree(ROOT / "data" / "demo" / "images", demo / "images")
    rows = (ROOT / "data" / "demo" / "labels.csv").read_text().splitlines()
    (demo / "labels.csv").write_text("\n".join(rows[:-70]) + "\n")
    done = _run(out, "--limit", "210", "--epochs", "1", data_uri=demo)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [name for name, entry in _summary(out)["stages"].items() if entry.get("reused")]


def _no_path(folder):
    return folder / "nowhere"


def _empty_folder(folder):
    return folder


def _unknown_class(folder):
    (folder / "bored").mkdir()
    return folder


def _no_image(folder):
    for label in ("happy", "sad"):
        (folder / label).mkdir()
        for number, source in enumerate(sorted((ROOT / "data/demo/images").glob(f"*_{label}.jpg"))[:12]):
            (folder / label / f"{number}.jpg").write_bytes(source.read_bytes())
    (folder / "sad" / "notes.jpg").write_text("dear diary")
    return folder


def _torn_csv(folder):
    whole = "0," + " ".join(["7"] * 2304) + ",Training\n"
    (folder / "fer2013.csv").write_text("emotion,pixels,Usage\n" + whole + whole[:100])
    return folder / "fer2013.csv"


@pytest.mark.parametrize(
    ("make", "dataset", "message"),
    [
        (_no_path, "folder", "nothing is there"),
        (_empty_folder, "folder", "is empty"),
        (_unknown_class, "folder", "Folder 'bored'"),
        (_no_image, "folder", "sad/notes.jpg"),
        (_torn_csv, "fer2013", "row 2 (line 3)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_bad_input_ends_with_one_clear_message(tmp_path, make, dataset, message):
    source = tmp_path / "source"
    source.mkdir()
    out = tmp_path / "out"
    done = _run(out, "--accept-licence", dataset=dataset, data_uri=make(source))
    assert done.returncode == 1
    assert message in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    summary = _summary(out)
    assert summary["failed_stage"]
    assert message in summary["error"]
    assert _partials(out) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize(
    ("options", "message"),
    [("size=64k", "full"), ("size=3m", "full"), ("ro,size=1m", "OUT")],
    ids=["full disk", "a disk that fills in ingest", "read-only disk"],
)
def test_an_out_that_takes_no_data_is_named(tmp_path, options, message):
    out = tmp_path / "disk"
    out.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", out], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        done = _run(out)
        left = _partials(out)
    finally:
        subprocess.run(["umount", out], check=True)
    assert done.returncode == 1
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert left == []
