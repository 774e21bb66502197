import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from expressnet import bundle, config, train

_TRAIN = """
import sys
from expressnet import config, train
faces, split, out, work = sys.argv[1:]
train.run(faces, split, out, work, config.recipe("tiny", seed=1, epochs=3))
"""


def test_the_model_folder_holds_all_that_a_consumer_needs(trained):
    folder, report = trained
    assert {path.name for path in folder.iterdir()} == {
        "model.keras", "weights.safetensors", "preprocess.json", "classes.json", "provenance.json", "history.csv",
        "tensorboard",
    }  # fmt: skip
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
    from expressnet import manifest, metrics, pixels

    folder, report = trained
    rows = manifest.read(crops_and_split[1]).query("split == 'val'")
    model = bundle.Bundle(folder)
    prediction = model.predict(pixels.load(crops_and_split[0], rows, 32, folder.parent))
    figures = metrics.headline(manifest.class_indices(rows, model.classes), prediction.probabilities)
    assert figures["loss"] == pytest.approx(report["selection_loss"], rel=1e-5)
    np.testing.assert_allclose(prediction.expression_gates.sum(axis=1), 1, rtol=1e-5)


def test_the_weights_file_holds_every_weight_of_the_model(trained):
    folder, report = trained
    weights = load_file(folder / "weights.safetensors")
    assert sum(values.size for values in weights.values()) == report["parameters"]


def test_a_killed_training_goes_on_and_ends_as_an_unbroken_one(trained, crops_and_split, tmp_path):
    command = [sys.executable, "-c", _TRAIN, *crops_and_split, str(tmp_path / "model"), str(tmp_path / "work")]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 120
        while not list((tmp_path / "work").glob("*/epoch-0001")):
            assert running.poll() is None, running.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
    assert not (tmp_path / "model").exists()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    assert "going on after epoch" in done.stdout
    assert bundle.digest(tmp_path / "model") == trained[1]["model_digest"]


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_sixteen_bits_learn_the_same_and_what_is_written_computes_in_float32(
    trained, crops_and_split, tmp_path, precision
):
    settings = config.recipe("tiny", seed=1, epochs=3, precision=precision)
    report = train.run(*crops_and_split, str(tmp_path / "model"), str(tmp_path / "work"), settings)
    assert report["selection_loss"] == pytest.approx(trained[1]["selection_loss"], rel=0.05)
    model = bundle.Bundle(tmp_path / "model").model
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}


def test_the_mirror_image_has_its_say_where_the_recipe_wants_it(trained, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    alone = bundle.Bundle(trained[0])
    assert not alone.preprocess["test_time_flip"]
    shutil.copytree(trained[0], tmp_path / "model")
    (tmp_path / "model/preprocess.json").write_text(json.dumps(alone.preprocess | {"test_time_flip": True}))
    both = bundle.Bundle(tmp_path / "model").predict(images)
    for mean, one, other in zip(both, alone.predict(images), alone.predict(images[:, :, ::-1]), strict=True):
        np.testing.assert_allclose(mean, (one + other) / 2, rtol=1e-5)


def test_in_the_paper_protocol_the_test_split_selects(crops_and_split, tmp_path):
    from expressnet import split

    split.run(crops_and_split[0], str(tmp_path / "split"), config.SplitConfig(protocol="paper"))
    settings = config.recipe("tiny", seed=1, epochs=1)
    report = train.run(
        crops_and_split[0], str(tmp_path / "split"), str(tmp_path / "model"), str(tmp_path / "work"), settings
    )
    assert report["selected_on"] == "test"


def test_crops_of_another_size_are_refused_and_nothing_is_written(crops_and_split, tmp_path):
    settings = config.recipe("small", seed=1, epochs=1)
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
    settings = config.TrainConfig(epochs=2, batch_size=8, learning_rate=0.1, **schedule)
    rate = train._optimizer(settings, steps=10)._learning_rate
    for step, expected in rates.items():
        assert float(rate(step)) == pytest.approx(expected, abs=1e-6)


_TRAIN_ON_TWO_DEVICES = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
"""


def test_two_devices_train_under_mirrored_strategy_and_save_what_they_measured(crops_and_split, tmp_path):
    from expressnet import manifest, metrics, pixels

    command = [sys.executable, "-c", _TRAIN_ON_TWO_DEVICES + _TRAIN, *crops_and_split]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [*command, str(tmp_path / "model"), str(tmp_path / "work")],
        env=environment, capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert "CPU:0, CPU:1" in done.stdout
    report = json.loads((tmp_path / "model" / "provenance.json").read_text())["training"]
    rows = manifest.read(crops_and_split[1]).query("split == 'val'")
    model = bundle.Bundle(tmp_path / "model")
    prediction = model.predict(pixels.load(crops_and_split[0], rows, 32, tmp_path))
    figures = metrics.headline(manifest.class_indices(rows, model.classes), prediction.probabilities)
    # With unsynchronised BatchNorm the reloaded model is another one than was measured.
    assert figures["loss"] == pytest.approx(report["selection_loss"], rel=1e-4)
