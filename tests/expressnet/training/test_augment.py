import numpy as np
import pytest
import tensorflow as tf

from expressnet.training import augment

NOTHING = {
    "flip": 0,
    "shift": 0,
    "rotation_deg": 0,
    "zoom": 0,
    "brightness": 0,
    "contrast": 0,
    "erase": 0,
    "erase_side": 0,
}


def _images(count=6, height=12, width=10, channels=3):
    shape = (count, height, width, channels)
    return np.random.default_rng(0).uniform(size=shape).astype("float32")


def _augmented(images, seed=1, **strengths):
    config = augment.AugmentConfig(**{**NOTHING, **strengths})
    return augment.augment(tf.constant(images), tf.constant([seed, 2]), config).numpy()


def test_zero_strength_changes_nothing():
    np.testing.assert_array_equal(_augmented(_images()), _images())


def test_the_same_seed_makes_the_same_images_in_a_graph_too():
    images, seed, config = tf.constant(_images()), tf.constant([3, 4]), augment.AugmentConfig()
    first = augment.augment(images, seed, config)
    np.testing.assert_array_equal(first, augment.augment(images, seed, config))
    in_graph = tf.function(lambda *values: augment.augment(*values, config))(images, seed)
    np.testing.assert_allclose(in_graph, first, atol=1e-5)
    assert np.abs(first - augment.augment(images, tf.constant([3, 5]), config)).max() > 0.05


def test_the_global_seed_has_no_say():
    outputs = []
    for global_seed in (0, 1):
        tf.random.set_seed(global_seed)
        outputs.append(augment.augment(tf.constant(_images()), tf.constant([3, 4]), augment.AugmentConfig()))
    np.testing.assert_array_equal(*outputs)


def test_pixels_stay_between_0_and_1_at_full_strength():
    strengths = dict.fromkeys(NOTHING, 1.0) | {"rotation_deg": 180.0}
    changed = _augmented(_images(), **strengths)
    assert changed.dtype == "float32"
    assert changed.shape == _images().shape
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_grey_images_stay_grey():
    grey = np.repeat(_images(channels=1), 3, axis=-1)
    changed = augment.augment(tf.constant(grey), tf.constant([1, 2]), augment.AugmentConfig()).numpy()
    np.testing.assert_array_equal(changed[..., 0], changed[..., 1])
    np.testing.assert_array_equal(changed[..., 0], changed[..., 2])


def test_one_channel_is_enough():
    assert _augmented(_images(channels=1), shift=0.1, erase=1, erase_side=0.5).shape == (6, 12, 10, 1)


def test_a_certain_flip_mirrors_left_and_right():
    np.testing.assert_allclose(_augmented(_images(), flip=1), _images()[:, :, ::-1], atol=1e-5)


def test_each_image_of_a_batch_gets_its_own_change():
    same = np.repeat(_images(count=1), 8, axis=0)
    changed = _augmented(same, rotation_deg=30)
    assert len({image.tobytes() for image in changed}) == 8


def test_a_shift_moves_a_dot_by_at_most_its_fraction():
    dots = np.zeros((32, 21, 21, 1), "float32")
    dots[:, 10, 10] = 1
    ys, xs = np.mgrid[:21, :21]
    changed = _augmented(dots, shift=0.2)[..., 0]
    mass = changed.sum(axis=(1, 2))
    for positions in (ys, xs):
        moved = (changed * positions).sum(axis=(1, 2)) / mass - 10
        assert np.abs(moved).max() <= 0.2 * 21 + 1e-3
        assert np.abs(moved).max() > 0.1 * 21


def test_brightness_adds_one_amount_to_all_pixels_of_an_image():
    images = 0.3 + 0.4 * _images()
    difference = _augmented(images, brightness=0.2) - images
    assert np.abs(difference).max() <= 0.2 + 1e-6
    np.testing.assert_allclose(difference, difference[:, :1, :1, :1] + np.zeros_like(images), atol=1e-6)


def test_contrast_keeps_the_mean():
    images = 0.3 + 0.4 * _images()
    changed = _augmented(images, contrast=0.5)
    np.testing.assert_allclose(changed.mean(axis=(1, 2, 3)), images.mean(axis=(1, 2, 3)), atol=1e-5)
    ratio = changed.std(axis=(1, 2, 3)) / images.std(axis=(1, 2, 3))
    assert ratio.min() >= 0.5 - 1e-4
    assert ratio.max() <= 1.5 + 1e-4


def test_an_erased_rectangle_has_the_mean_colour_and_at_most_its_side():
    images = _images(count=32)
    changed = _augmented(images, erase=1, erase_side=0.5)
    for before, after in zip(images, changed, strict=True):
        covered = np.any(before != after, axis=-1)
        assert covered.any(axis=1).sum() <= 6
        assert covered.any(axis=0).sum() <= 5
        colours = np.broadcast_to(before.mean(axis=(0, 1)), before.shape)
        np.testing.assert_allclose(after[covered], colours[covered], atol=1e-5)
    assert np.any(images != changed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flip": 1.5}, r"flip must be in \[0, 1\]"),
        ({"rotation_deg": 200}, r"rotation_deg must be in \[0, 180\]"),
    ],
)
def test_nonsense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        augment.AugmentConfig(**change)
