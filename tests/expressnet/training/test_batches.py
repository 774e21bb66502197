import dataclasses

import numpy as np
import pytest

from expressnet.config.base import digest_fields
from expressnet.config.train import AugmentConfig, TrainConfig
from expressnet.training import batches


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own(crops_and_split, tmp_path):
    settings = TrainConfig(preset="tiny", epochs=2, batch_size=1, learning_rate=0.1)
    data = batches.Data.read(*crops_and_split, settings, str(tmp_path))

    def order(epoch, first_step=0):
        return [float(image.numpy().sum()) for image, _ in data.batches(settings, epoch, first_step)]

    assert len(order(0)) == data.steps(settings) == len(data.train_ids) == 42
    assert sorted(order(0)) == sorted(order(1))
    assert order(0) != order(1)
    assert order(1) == order(1)
    assert order(1, first_step=40) == order(1)[40:]


def test_what_is_left_after_whole_batches_is_left_out_of_an_epoch_and_comes_in_another(crops_and_split, tmp_path):
    settings = TrainConfig(preset="tiny", epochs=2, batch_size=16, learning_rate=0.1)
    data = batches.Data.read(*crops_and_split, settings, str(tmp_path))
    shown = [data.order(settings, epoch) for epoch in range(6)]
    assert {order.shape for order in shown} == {(2, 16)}
    assert len({int(place) for order in shown for place in order.ravel()}) == 42


def test_a_step_is_augmented_alike_wherever_the_epoch_begins(crops_and_split, tmp_path):
    settings = TrainConfig(preset="tiny", epochs=1, batch_size=8, learning_rate=0.1, augment=AugmentConfig())
    data = batches.Data.read(*crops_and_split, settings, str(tmp_path))
    whole = [images.numpy() for images, _ in data.batches(settings, 0)]
    rest = [images.numpy() for images, _ in data.batches(settings, 0, 3)]
    assert len(rest) == 2
    assert all((one == other).all() for one, other in zip(whole[3:], rest, strict=True))


def test_crops_that_are_decoded_for_every_batch_are_the_same(crops_and_split, tmp_path):
    settings = TrainConfig(preset="tiny", epochs=1, batch_size=8, learning_rate=0.1, augment=AugmentConfig())
    stored = dataclasses.replace(settings, crop_cache=False)
    cached, read = (batches.Data.read(*crops_and_split, each, str(tmp_path)) for each in (settings, stored))
    for (images, targets), (others, other_targets) in zip(
        cached.batches(settings, 0), read.batches(stored, 0), strict=True
    ):
        np.testing.assert_array_equal(images, others)
        np.testing.assert_array_equal(targets, other_targets)
    assert digest_fields(settings) == digest_fields(stored)


@pytest.mark.parametrize(("power", "weights"), [(0.0, [1, 1, 1, 1]), (1.0, [2 / 3] * 3 + [2.0]), (0.5, None)])
def test_a_rare_class_weighs_more_and_the_mean_weight_is_one(power, weights):
    targets = np.eye(3, dtype=np.float32)[[0, 0, 0, 1]]  # of class 2 there is none
    found = batches.loss_weights(targets, power)
    assert found.mean() == pytest.approx(1)
    if weights:
        np.testing.assert_allclose(found, weights, rtol=1e-6)
    else:
        assert found[3] / found[0] == pytest.approx(3**0.5)


def test_weights_come_with_their_images_where_classes_are_weighted(crops_and_split, tmp_path):
    settings = TrainConfig(preset="tiny", epochs=1, batch_size=8, learning_rate=0.1, class_weights=1.0)
    data = batches.Data.read(*crops_and_split, settings, str(tmp_path))
    data.train_targets = data.train_targets.copy()
    data.train_targets[:30] = data.train_targets[0]
    per_class = {}
    for _, targets, weights in data.batches(settings, 0):
        for target, weight in zip(targets.numpy().argmax(axis=1), weights.numpy(), strict=True):
            per_class.setdefault(int(target), set()).add(float(weight))
    assert all(len(found) == 1 for found in per_class.values())
    assert len(per_class) > 1
