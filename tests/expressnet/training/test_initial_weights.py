import keras
import numpy as np
import pytest

from expressnet.artifacts.provenance import MODEL_FILE, WEIGHTS_FILE
from expressnet.config.train import recipe
from expressnet.model import expressnet, presets
from expressnet.runtime import storage
from expressnet.stages import train
from expressnet.training import initial_weights


def _sha256(folder):
    return storage.file_sha256(folder / WEIGHTS_FILE)


def test_a_network_starts_as_the_earlier_model_ended(trained):
    folder, _ = trained
    network = expressnet.build(presets.PRESETS["tiny"], 3, seed=99)
    origin = initial_weights.load_into(network, folder / WEIGHTS_FILE, _sha256(folder))
    for mine, its in zip(network.weights, keras.models.load_model(folder / MODEL_FILE).weights, strict=True):
        np.testing.assert_array_equal(mine, its)
    assert origin.endswith("whose backbone weights were: none: trained from scratch")


@pytest.mark.parametrize(
    ("num_classes", "sha256", "message"),
    [(3, "0" * 64, "must have the SHA-256 0000"), (4, "", r"differ first in .*\(\d+, 4\).*WARM_START=")],
    ids=["another file", "another network"],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(trained, num_classes, sha256, message):
    folder, _ = trained
    network = expressnet.build(presets.PRESETS["tiny"], num_classes, seed=99)
    before = [np.array(weight) for weight in network.weights]
    with pytest.raises(ValueError, match=message):
        initial_weights.load_into(network, folder / WEIGHTS_FILE, sha256 or _sha256(folder))
    for weight, was in zip(network.weights, before, strict=True):
        np.testing.assert_array_equal(weight, was)


def test_a_training_from_them_says_so_and_is_another_than_one_from_scratch(trained, crops_and_split, tmp_path):
    folder, earlier = trained
    settings = recipe(
        "tiny", seed=1, epochs=1, initial_weights=str(folder / WEIGHTS_FILE), initial_sha256=_sha256(folder)
    )
    report = train.run(*crops_and_split, str(tmp_path / "model"), str(tmp_path / "work"), settings).plain()
    provenance = storage.read_json(tmp_path / "model/provenance.json")
    assert provenance["backbone_weights"].startswith("all weights of an earlier model, sha256 " + _sha256(folder))
    assert provenance["config"]["initial_sha256"] == _sha256(folder)
    assert "initial_weights" not in provenance["config"]
    assert provenance["config_digest"] != storage.read_json(folder / "provenance.json")["config_digest"]
    assert report["model_digest"] != earlier["model_digest"]
