import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from expressnet.model import fft_conv, spectra

TRANSFORMS = ("fft", "dft")
CASES = {
    "odd kernel": (12, 17, 5),
    "even kernel": (12, 17, 4),
    "one pixel": (5, 6, 1),
    "one pixel of image": (1, 1, 3),
    "kernel as large as the image": (16, 16, 16),
    "odd kernel larger than the image": (6, 9, 25),
    "even kernel larger than the image": (9, 6, 50),
}


def _images_and_kernel(height, width, side, dtype="float64"):
    generator = np.random.default_rng(0)
    images = generator.normal(size=(2, height, width, 3)).astype(dtype)
    return tf.constant(images), tf.constant(generator.normal(size=(side, side, 3, 4)).astype(dtype))


def _output_and_gradients(convolve, images, kernel):
    with tf.GradientTape() as tape:
        tape.watch([images, kernel])
        output = convolve(images, kernel)
        weights = tf.reshape(tf.sin(tf.range(tf.size(output), dtype=output.dtype)), tf.shape(output))
        loss = tf.reduce_sum(output * weights)
    return [output, *tape.gradient(loss, [images, kernel])]


def _direct(images, kernel):
    return tf.nn.conv2d(images, kernel, strides=1, padding="SAME")


def _through(transform):
    return functools.partial(fft_conv.spectral_conv2d, conv_backend=transform)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("case", CASES)
def test_output_and_both_gradients_are_those_of_direct_convolution(case, transform):
    images, kernel = _images_and_kernel(*CASES[case])
    expected = _output_and_gradients(_direct, images, kernel)
    for ours, reference in zip(_output_and_gradients(_through(transform), images, kernel), expected, strict=True):
        np.testing.assert_allclose(ours, reference, rtol=0, atol=1e-11)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_an_even_kernel_is_padded_less_before_than_after(transform):
    images = np.arange(25, dtype="float32").reshape(1, 5, 5, 1)
    kernel = np.zeros((4, 4, 1, 1), "float32")
    kernel[1, 1] = 1  # one of four pixels before the centre, two after
    ours = _through(transform)(tf.constant(images), tf.constant(kernel))
    np.testing.assert_allclose(ours, images, atol=1e-5)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_taps_that_reach_no_pixel_have_no_gradient(transform):
    images, kernel = _images_and_kernel(3, 3, 9)
    _, _, gradient = _output_and_gradients(_through(transform), images, kernel)
    reachable = np.zeros((9, 9), bool)
    reachable[2:7, 2:7] = True  # centre 4, at most 2 pixels away in a 3x3 image
    assert np.array_equal(np.any(gradient.numpy() != 0, axis=(2, 3)), reachable)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_float32_rounding_is_no_worse_than_twice_that_of_direct_convolution(transform):
    images, kernel = _images_and_kernel(24, 24, 15, "float32")
    exact = _output_and_gradients(_direct, tf.cast(images, "float64"), tf.cast(kernel, "float64"))
    spectral, direct = (_output_and_gradients(way, images, kernel) for way in (_through(transform), _direct))
    for reference, ours, theirs in zip(exact, spectral, direct, strict=True):
        our_error, direct_error = (np.abs(value.numpy() - reference.numpy()).max() for value in (ours, theirs))
        assert our_error < 2 * direct_error


@pytest.mark.parametrize(
    ("kernel_px", "image_px", "channels", "filters"), [(15, 28, 32, 64), (25, 56, 16, 32), (50, 112, 8, 16)]
)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_published_layers_round_no_worse_than_direct_convolution(kernel_px, image_px, channels, filters, transform):
    noise = np.random.default_rng(0)
    images = tf.constant(noise.normal(size=(1, image_px, image_px, channels)), tf.float32)
    kernel = tf.constant(noise.normal(size=(kernel_px, kernel_px, channels, filters)), tf.float32)
    exact = _direct(tf.cast(images, "float64"), tf.cast(kernel, "float64"))
    our_error, direct_error = (
        np.abs(convolve(images, kernel).numpy() - exact.numpy()).max() for convolve in (_through(transform), _direct)
    )
    assert our_error < direct_error


@pytest.mark.parametrize(
    ("image_px", "kernel_px", "fft_px"),
    [(224, 75, 270), (112, 50, 140), (56, 25, 70), (28, 15, 36), (224, 15, 240)],
)
def test_the_published_layers_get_the_smallest_even_smooth_size(image_px, kernel_px, fft_px):
    after = kernel_px - 1 - (kernel_px - 1) // 2
    assert spectra.fast_fft_size(image_px + after) == fft_px


def test_auto_leaves_the_pixels_from_15_on():
    assert [fft_conv.FFTConv2D(1, side).uses_spectra for side in (3, 9, 15, 50)] == [False, False, True, True]


def test_weights_are_interchangeable_with_conv2d():
    images, _ = _images_and_kernel(10, 10, 3, "float32")
    reference = keras.layers.Conv2D(4, 6, padding="same", activation="relu", bias_initializer="normal")
    expected = reference(images)
    ours = fft_conv.FFTConv2D(4, 6, conv_backend="fft", activation="relu")
    ours.build(images.shape)
    ours.set_weights(reference.get_weights())
    np.testing.assert_allclose(ours(images), expected, atol=2e-5)


def test_the_initial_kernel_is_that_of_conv2d():
    ours = fft_conv.FFTConv2D(4, 15, kernel_initializer=keras.initializers.GlorotUniform(seed=7))
    reference = keras.layers.Conv2D(4, 15, kernel_initializer=keras.initializers.GlorotUniform(seed=7))
    for layer in (ours, reference):
        layer.build((None, 20, 20, 3))
    np.testing.assert_array_equal(ours.kernel, reference.kernel)


@pytest.mark.parametrize(("image_px", "kernel_px", "taken"), [(56, 25, "dft"), (112, 50, "dft"), (224, 15, "fft")])
def test_auto_multiplies_matrices_up_to_a_size(image_px, kernel_px, taken):
    images, kernel = _images_and_kernel(image_px, image_px, kernel_px, "float32")
    auto, same = (fft_conv.kernel_spectra(kernel, images.shape[1:3], way) for way in ("auto", taken))
    np.testing.assert_array_equal(auto, same)


def test_mixed_precision_leaves_the_fft_in_float32():
    images = tf.ones([1, 8, 8, 3], "bfloat16")
    layers = {name: fft_conv.FFTConv2D(2, 5, conv_backend=name, dtype="mixed_bfloat16") for name in ("direct", "fft")}
    assert layers["direct"](images).dtype == "bfloat16"
    assert layers["fft"](images).dtype == "float32"


def test_config_round_trip_keeps_the_backend():
    layer = fft_conv.FFTConv2D(2, 5, conv_backend="fft", activation="relu", name="large")
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert copy.get_config() == layer.get_config()
    assert copy.uses_spectra


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize(("kernel", "side"), [(15, 20), (8, 13), (25, 9)])
def test_spectra_that_are_kept_give_the_same_output(kernel, side, transform):
    inputs = keras.Input((side, side, 3))
    layer = fft_conv.FFTConv2D(4, kernel, conv_backend=transform, activation="relu", bias_initializer="ones")
    model = keras.Model(inputs, layer(inputs))
    images = np.random.default_rng(0).normal(size=(2, side, side, 3)).astype("float32")
    before = model(images)
    fft_conv.keep_spectra(keras.Model(inputs, model(inputs)))
    assert layer._spectra is not None
    np.testing.assert_allclose(model(images), before, atol=1e-6)


def test_a_direct_layer_keeps_no_spectra():
    inputs = keras.Input((9, 9, 3))
    layer = fft_conv.FFTConv2D(4, 3)
    fft_conv.keep_spectra(keras.Model(inputs, layer(inputs)))
    assert layer._spectra is None


def test_an_unknown_height_is_refused():
    function = tf.function(
        fft_conv.spectral_conv2d,
        input_signature=[tf.TensorSpec([None, None, 8, 1]), tf.TensorSpec([3, 3, 1, 1])],
    )
    with pytest.raises(ValueError, match="static height and width"):
        function.get_concrete_function()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"conv_backend": "cuda"}, "conv_backend must be one of"),
        ({"kernel_size": (3, 5)}, "side of a square kernel"),
        ({"strides": 2}, "has stride 1"),
        ({"dilation_rate": 2}, "no dilation"),
    ],
)
def test_what_the_layer_cannot_do_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fft_conv.FFTConv2D(**{"filters": 1, "kernel_size": 3, **arguments})
