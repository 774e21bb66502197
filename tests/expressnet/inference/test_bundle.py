import json
import shutil

import numpy as np
import pytest

from expressnet.inference import bundle
from expressnet.model import expressnet


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "mirrored"])
def model(request, trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "model"
    shutil.copytree(trained[0], folder)
    preprocess = json.loads((folder / "preprocess.json").read_text()) | {"test_time_flip": request.param}
    (folder / "preprocess.json").write_text(json.dumps(preprocess))
    return bundle.Bundle(folder)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(3).integers(0, 256, (20, 32, 32, 3), np.uint8)


def test_an_answer_is_the_same_whether_experts_are_switched_off_beside_it_or_not(model, images):
    for one, other in zip(model.predict(images), model.predict_ablated(images).prediction, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    ("mixture", "field"),
    [(expressnet.EXPRESSION_MOE, "expression_without"), (expressnet.CNN_MOE, "cnn_without")],
)
def test_an_expert_that_is_switched_off_is_one_whose_gate_can_not_open(model, images, mixture, field):
    ablated = getattr(model.predict_ablated(images), field)
    gate_bias = model.model.get_layer(mixture).gate_bias
    trained = np.array(gate_bias)
    assert ablated.shape == (len(images), len(trained))
    for expert in range(len(trained)):
        gate_bias.assign(np.where(np.arange(len(trained)) == expert, -1e9, trained))
        expected = model.predict(images).probabilities.argmax(axis=1)
        gate_bias.assign(trained)
        np.testing.assert_array_equal(ablated[:, expert], expected)


def test_how_many_experts_answer_is_read_from_the_model(model):
    assert model.top_k == {"expression": 2, "cnn": 2}


def test_bgr_turns_the_channels_round_and_values_lie_in_0_to_1():
    rgb = np.array([[[[255, 0, 51]]]], dtype=np.uint8)
    np.testing.assert_allclose(bundle.as_input(rgb, "bgr"), [[[[0.2, 0.0, 1.0]]]])
    np.testing.assert_allclose(bundle.as_input(rgb, "rgb"), [[[[1.0, 0.0, 0.2]]]])
