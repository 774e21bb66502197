import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from expressnet.config.split import SplitConfig
from expressnet.config.train import CheckpointConfig, TrainConfig, recipe
from expressnet.data import manifest
from expressnet.evaluation import metrics
from expressnet.faces import crop_pixels
from expressnet.inference import bundle
from expressnet.sources import bucket
from expressnet.stages import train
from expressnet.training import devices, loop, optimizers
from tests.made import object_store

_TRAIN = """
import sys

from expressnet.config.train import CheckpointConfig, recipe
from expressnet.stages import train
faces, split, out, work, every_s = sys.argv[1:]
checkpointing = CheckpointConfig(every_s=float(every_s))
train.run(faces, split, out, work, recipe("tiny", seed=1, epochs=3), checkpointing)
"""
_ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}


def _wait(running, happened):
    deadline = time.monotonic() + 120
    while not happened():
        assert running.poll() is None, running.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_model_folder_holds_all_that_a_consumer_needs(trained):
    folder, report = trained
    assert {path.name for path in folder.iterdir()} == {
        "model.keras",
        "weights.safetensors",
        "preprocess.json",
        "classes.json",
        "provenance.json",
        "history.csv",
        "tensorboard",
    }
    assert json.loads((folder / "classes.json").read_text()) == ["anger", "happy", "sad"]
    assert json.loads((folder / "preprocess.json").read_text())["size_px"] == 32
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["dataset_digest"] == "d" * 64
    assert provenance["backbone_weights"] == "none: trained from scratch"
    assert report["model_digest"] == bundle.digest(folder)


def test_the_saved_epoch_is_the_best_by_the_selection_figure(trained):
    folder, report = trained
    history = pd.read_csv(folder / "history.csv")
    assert report["best_epoch"] == int(history["macro_f1"].idxmax()) + 1
    assert report["selection_macro_f1"] == pytest.approx(history["macro_f1"].max())


def test_the_reloaded_model_computes_what_was_measured(trained, crops_and_split):
    folder, report = trained
    rows = manifest.read(crops_and_split[1]).query("split == 'val'")
    model = bundle.Bundle(folder)
    prediction = model.predict(crop_pixels.load(crops_and_split[0], rows, 32, folder.parent))
    figures = metrics.headline(manifest.class_indices(rows, model.classes), prediction.probabilities)
    assert figures["loss"] == pytest.approx(report["selection_loss"], rel=1e-5)
    np.testing.assert_allclose(prediction.expression_gates.sum(axis=1), 1, rtol=1e-5)


def test_the_weights_file_holds_every_weight_of_the_model(trained):
    folder, report = trained
    weights = load_file(folder / "weights.safetensors")
    assert sum(values.size for values in weights.values()) == report["parameters"]


def _command(crops_and_split, tmp_path, every_s):
    folders = (str(tmp_path / "model"), str(tmp_path / "work"))
    return [sys.executable, "-c", _TRAIN, *crops_and_split, *folders, str(every_s)]


@pytest.mark.parametrize(("every_s", "point"), [(300, "0001-0000000"), (0, "0001-0000001")], ids=["epoch", "step"])
def test_a_killed_training_goes_on_and_ends_as_an_unbroken_one(trained, crops_and_split, tmp_path, every_s, point):
    command = _command(crops_and_split, tmp_path, every_s)
    with subprocess.Popen(command, env=_ENVIRONMENT, stdout=subprocess.PIPE, text=True) as running:
        _wait(running, lambda: list((tmp_path / "work").glob(f"*/{point}-*")))
        running.send_signal(signal.SIGKILL)
    assert not (tmp_path / "model").exists()
    done = subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True, check=True, timeout=300)
    assert "going on after epoch" in done.stdout
    assert bundle.digest(tmp_path / "model") == trained[1]["model_digest"]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "model/history.csv"), pd.read_csv(trained[0] / "history.csv"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, -signal.SIGINT)])
def test_a_training_that_is_asked_to_end_saves_its_last_step(trained, crops_and_split, tmp_path, number, code):
    command = _command(crops_and_split, tmp_path, 300)
    # A test run in the background hands on that SIGINT is ignored.
    default = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    with subprocess.Popen(command, env=_ENVIRONMENT, stdout=subprocess.PIPE, text=True, preexec_fn=default) as running:
        _wait(running, lambda: list((tmp_path / "work").glob("*/0001-*")))
        asked = time.monotonic()
        running.send_signal(number)
        output = running.stdout.read()
        assert running.wait(timeout=60) == code, output
    assert time.monotonic() - asked < 10
    (place,) = re.findall(r"asked to end: stopped after epoch (\d), step (\d)", output)
    newest = max(path.name for path in (tmp_path / "work").glob("*/*.safetensors"))
    assert newest.startswith(f"000{place[0]}-000000{place[1]}-")
    subprocess.run(command, env=_ENVIRONMENT, capture_output=True, check=True, timeout=300)
    assert bundle.digest(tmp_path / "model") == trained[1]["model_digest"]


def test_a_node_that_vanished_with_its_disk_is_replaced_by_the_bucket(
    trained, crops_and_split, tmp_path, monkeypatch, capsys
):
    settings = recipe("tiny", seed=1, epochs=3)
    with object_store.running() as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        client = bucket.client()
        client.create_bucket("trainings")
        client.close()
        checkpointing = CheckpointConfig(mirror_uri="gs://trainings/runs")
        with monkeypatch.context() as broken:
            broken.setattr(loop, "_log_epoch", _die_after_the_first_epoch)
            with pytest.raises(ConnectionAbortedError):
                train.run(*crops_and_split, str(tmp_path / "model"), str(tmp_path / "one"), settings, checkpointing)
        report = train.run(
            *crops_and_split, str(tmp_path / "model"), str(tmp_path / "two"), settings, checkpointing
        ).plain()
    assert "going on after epoch 1, step 0" in capsys.readouterr().out
    assert report["model_digest"] == trained[1]["model_digest"]


def _die_after_the_first_epoch(_writer, _row):
    raise ConnectionAbortedError


def test_a_loss_that_is_no_number_stops_with_the_batch_and_keeps_the_last_checkpoint(crops_and_split, tmp_path):
    settings = dataclasses.replace(
        recipe("tiny", seed=1, epochs=40), learning_rate=1e30, warmup_epochs=0.0, batch_size=8
    )
    with pytest.raises(FloatingPointError, match=r"after step (\d) of epoch (\d+)\. Its batch: [0-9a-f]{64}") as error:
        train.run(*crops_and_split, str(tmp_path / "model"), str(tmp_path / "work"), settings)
    frame = pd.read_parquet(f"{crops_and_split[1]}/manifest.parquet")
    named = set(re.findall("[0-9a-f]{64}", str(error.value).split("The last good")[0]))
    assert len(named) == 8
    assert named <= set(frame["sha256"][frame["split"] == "train"])
    assert not (tmp_path / "model").exists()
    for path in (tmp_path / "work").glob("*/*.safetensors"):
        assert all(np.isfinite(array).all() for array in load_file(path).values())


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_sixteen_bits_learn_the_same_and_what_is_written_computes_in_float32(
    trained, crops_and_split, tmp_path, precision
):
    settings = recipe("tiny", seed=1, epochs=3, precision=precision)
    report = train.run(*crops_and_split, str(tmp_path / "model"), str(tmp_path / "work"), settings).plain()
    assert report["selection_loss"] == pytest.approx(trained[1]["selection_loss"], rel=0.05)
    model = bundle.Bundle(tmp_path / "model").model
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}


def test_mixtures_beyond_the_paper_train_and_are_saved(trained, crops_and_split, tmp_path):
    settings = recipe("tiny", seed=1, epochs=1, moe="renormalize=1,gate_noise=0.5,balance=0.1")
    train.run(*crops_and_split, str(tmp_path / "model"), str(tmp_path / "work"), settings)
    layer = bundle.Bundle(tmp_path / "model").model.get_layer("moe_cnn")
    assert (layer.renormalize, layer.gate_noise, layer.balance) == (True, 0.5, 0.1)
    losses = [pd.read_csv(folder / "history.csv")["train_loss"][0] for folder in (tmp_path / "model", trained[0])]
    assert losses[0] - losses[1] > 0.1  # two mixtures, each of which costs its weight at least


def test_the_mirror_image_has_its_say_where_the_recipe_wants_it(trained, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    alone = bundle.Bundle(trained[0])
    assert not alone.preprocess.test_time_flip
    shutil.copytree(trained[0], tmp_path / "model")
    (tmp_path / "model/preprocess.json").write_text(json.dumps(alone.preprocess.as_dict() | {"test_time_flip": True}))
    both = bundle.Bundle(tmp_path / "model").predict(images)
    for mean, one, other in zip(both, alone.predict(images), alone.predict(images[:, :, ::-1]), strict=True):
        np.testing.assert_allclose(mean, (one + other) / 2, rtol=1e-5)


def test_in_the_paper_protocol_the_test_split_selects(crops_and_split, tmp_path):
    from expressnet.stages import split

    split.run(crops_and_split[0], str(tmp_path / "split"), SplitConfig(protocol="paper"))
    settings = recipe("tiny", seed=1, epochs=1)
    report = train.run(
        crops_and_split[0], str(tmp_path / "split"), str(tmp_path / "model"), str(tmp_path / "work"), settings
    ).plain()
    assert report["selected_on"] == "test"


def test_crops_of_another_size_are_refused_and_nothing_is_written(crops_and_split, tmp_path):
    settings = recipe("small", seed=1, epochs=1)
    with pytest.raises(ValueError, match="takes 48x48 crops, but the crops are 32x32"):
        train.run(*crops_and_split, str(tmp_path / "model"), str(tmp_path / "work"), settings)
    assert not list(tmp_path.glob("model*"))


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        # 2 epochs of 10 steps: half a cosine from 0.1 to 0.
        ({"schedule": "cosine"}, {0: 0.1, 10: 0.05, 20: 0.0}),
        ({"schedule": "cosine", "warmup_epochs": 1.0}, {10: 0.1, 20: 0.0}),
        # The authors' rule: times 0.95 at the start of every epoch, the first included.
        ({"schedule": "stepwise", "decay": 0.95}, {0: 0.095, 9: 0.095, 10: 0.09025}),
    ],
    ids=["cosine", "warm-up", "stepwise"],
)
def test_the_learning_rate_follows_its_schedule(schedule, rates):
    settings = TrainConfig(epochs=2, batch_size=8, learning_rate=0.1, **schedule)
    rate = optimizers.adam(settings, steps=10)._learning_rate
    for step, expected in rates.items():
        assert float(rate(step)) == pytest.approx(expected, abs=1e-6)


_TRAIN_ON_DEVICES = """
import dataclasses, json, sys
import tensorflow as tf
count, changes = map(json.loads, sys.argv[-2:])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)

from expressnet.config.train import AugmentConfig, recipe
from expressnet.stages import train
from expressnet.model import presets
# Replicas draw dropout of their own, and so does XLA, so that only a network without it is the same for all of them.
presets.PRESETS["tiny"] = dataclasses.replace(presets.TINY, conv_dropout=0.0, feature_dropout=0.0)
settings = dataclasses.replace(
    recipe("tiny", seed=1, epochs=5), batch_size=8, augment=AugmentConfig(), learning_rate=1e-3,
    class_weights=1.0, **changes,
)
train.run(*sys.argv[1:-2], settings)
"""


def _train_on(count, crops_and_split, folder, **changes):
    command = [sys.executable, "-c", _TRAIN_ON_DEVICES, *crops_and_split, str(folder / "model"), str(folder / "work")]
    # With TensorFlow's own choice of threads: XLA rounds otherwise where it has one alone.
    environment = {name: value for name, value in _ENVIRONMENT.items() if not name.startswith("TF_NUM_")}
    return subprocess.run(
        [*command, str(count), json.dumps(changes)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )


def _with_a_rare_class(crops_and_split, folder):
    """Returns the same crops and a split that trains on a third of one class."""
    shutil.copytree(crops_and_split[1], folder)
    frame = manifest.read(folder)
    rare = frame.index[(frame["split"] == "train") & (frame["label"] == "sad")]
    frame.loc[rare[len(rare) // 3 :], "split"] = "dropped"
    manifest.write(frame, folder, manifest.SPLIT)
    return crops_and_split[0], str(folder)


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_any_number_of_devices_trains_the_same_network_and_saves_what_was_measured(crops_and_split, tmp_path, count):
    crops_and_split = _with_a_rare_class(crops_and_split, tmp_path / "split")
    _train_on(1, crops_and_split, tmp_path / "one")
    done = _train_on(count, crops_and_split, tmp_path / "many")
    assert f"batch 8: {8 // count} on each of CPU:0, CPU:1" in done.stdout
    one, many = (load_file(tmp_path / name / "model/weights.safetensors") for name in ("one", "many"))
    for name, expected in one.items():
        np.testing.assert_allclose(many[name], expected, atol=1e-4, err_msg=name)
    histories = [pd.read_csv(tmp_path / name / "model/history.csv") for name in ("one", "many")]
    pd.testing.assert_frame_equal(*histories, atol=1e-3)
    assert len(histories[0]) == 5  # of 4 steps
    report = json.loads((tmp_path / "many/model/provenance.json").read_text())["training"]
    rows = manifest.read(crops_and_split[1]).query("split == 'val'")
    model = bundle.Bundle(tmp_path / "many/model")
    prediction = model.predict(crop_pixels.load(crops_and_split[0], rows, 32, tmp_path))
    figures = metrics.headline(manifest.class_indices(rows, model.classes), prediction.probabilities)
    # With unsynchronised BatchNorm the reloaded model is another one than was measured.
    assert figures["loss"] == pytest.approx(report["selection_loss"], rel=1e-4)


def test_xla_trains_the_same_network(crops_and_split, tmp_path):
    for name, xla in (("compiled", True), ("not", False)):
        _train_on(1, crops_and_split, tmp_path / name, xla=xla, epochs=2)
    histories = [pd.read_csv(tmp_path / name / "model/history.csv") for name in ("compiled", "not")]
    pd.testing.assert_frame_equal(*histories, atol=1e-3)


def test_a_batch_that_cannot_be_divided_equally_is_refused(crops_and_split, tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "names", lambda: ["CPU:0", "CPU:1", "CPU:2"])
    with pytest.raises(ValueError, match="batch_size must be divisible by the number of devices, 3; got 16"):
        train.run(*crops_and_split, str(tmp_path / "model"), str(tmp_path / "work"), recipe("tiny", seed=1, epochs=1))
