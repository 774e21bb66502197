"""Convolution with large kernels through the FFT, interchangeable with `keras.layers.Conv2D`."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from expressnet.model.presets import CONV_BACKENDS

# Measured on CPU: from 15x15 on, oneDNN computes the weight gradient with its slow reference kernel,
# one to two orders of magnitude slower than the FFT; at 9x9 and below the direct form wins.
MIN_FFT_KERNEL = 15


def takes_fft(conv_backend: str, kernel_size: int) -> bool:
    """Says whether a kernel of this side goes through the FFT."""
    return conv_backend == "fft" or (conv_backend == "auto" and kernel_size >= MIN_FFT_KERNEL)


def fast_fft_size(min_size: int) -> int:
    """Returns the smallest even number >= `min_size` whose prime factors are 2, 3, 5 and 7 only."""
    size = max(2, min_size + min_size % 2)
    while not _is_smooth(size):
        size += 2
    return size


def _is_smooth(number: int) -> bool:
    for prime in (2, 3, 5, 7):
        while number % prime == 0:
            number //= prime
    return number == 1


def fft_conv2d(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves like `tf.nn.conv2d(images, kernel, strides=1, padding="SAME")`, through the FFT.

    In the frequency domain (X, K, DY are the spectra of images, kernel and output gradient, all of
    size N), by the correlation theorem: y = irfft2(sum_in X conj(K)), dx = irfft2(sum_out DY K),
    dw = irfft2(sum_batch X conj(DY)). The gradient reuses X and K of the forward pass.

    An even kernel is padded as TensorFlow does: one pixel less before than after (24 and 25 for 50).

    Args:
        images: float32 or float64 [batch, height, width, in]; height and width static.
        kernel: same dtype, [kernel_height, kernel_width, in, out]; may be larger than the image.

    Returns:
        same dtype, [batch, height, width, out].

    Raises:
        ValueError: height or width is unknown.
    """
    image_hw = images.shape[1:3].as_list()
    if None in image_hw:
        raise ValueError(
            f"fft_conv2d needs a static height and width; got images of shape {images.shape}. "
            "The FFT size is chosen while the graph is built."
        )
    return _convolve(images, _reachable(kernel, image_hw), image_hw)


def kernel_spectra(kernel: tf.Tensor, image_hw: Sequence[int]) -> tf.Tensor:
    """Returns what `fft_conv2d` computes of a kernel, for images of one size.

    Returns:
        complex [in, out, u, v].
    """
    reachable = _reachable(kernel, image_hw)
    return _kernel_spectra(reachable, *_geometry(reachable, image_hw))


def fft_conv2d_with(images: tf.Tensor, spectra: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns `fft_conv2d(images, kernel)` from spectra that are there already; only the kernel's shape is used."""
    image_hw = images.shape[1:3].as_list()
    _, fft_hw = _geometry(_reachable(kernel, image_hw), image_hw)
    image_spectra = _rfft2(tf.transpose(images, [0, 3, 1, 2]), fft_hw)
    product = tf.einsum("biuv,iouv->bouv", image_spectra, tf.math.conj(spectra))
    return tf.transpose(_irfft2(product, fft_hw, image_hw), [0, 2, 3, 1])


def _reachable(kernel: tf.Tensor, image_hw: Sequence[int]) -> tf.Tensor:
    """Cuts off the kernel's taps that lie outside the image from every pixel; their gradient is zero."""
    slices = []
    for side, size in zip(kernel.shape[:2].as_list(), image_hw, strict=True):
        before = (side - 1) // 2
        slices.append(slice(max(0, before - (size - 1)), before + size))
    return kernel[slices[0], slices[1]]


def _geometry(kernel: tf.Tensor, image_hw: Sequence[int]) -> tuple[list[int], list[int]]:
    """Returns how far a kernel reaches up and left of its pixel, and the size of the transform."""
    kernel_hw = kernel.shape[:2].as_list()
    before = [(side - 1) // 2 for side in kernel_hw]
    # One zero tail serves both borders, because the transform is periodic.
    fft_hw = [
        fast_fft_size(size + max(left, side - 1 - left))
        for size, left, side in zip(image_hw, before, kernel_hw, strict=True)
    ]
    return before, fft_hw


def _convolve(images: tf.Tensor, kernel: tf.Tensor, image_hw: Sequence[int]) -> tf.Tensor:
    kernel_hw = kernel.shape[:2].as_list()
    before, fft_hw = _geometry(kernel, image_hw)

    @tf.custom_gradient
    def convolve(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
        image_spectra = _rfft2(tf.transpose(images, [0, 3, 1, 2]), fft_hw)  # [batch, in, u, v]
        spectra = _kernel_spectra(kernel, before, fft_hw)  # [in, out, u, v]
        product = tf.einsum("biuv,iouv->bouv", image_spectra, tf.math.conj(spectra))

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            upstream_spectra = _rfft2(tf.transpose(upstream, [0, 3, 1, 2]), fft_hw)
            # When nobody asks for the gradient of the images, the graph optimiser prunes this branch.
            image_product = tf.einsum("bouv,iouv->biuv", upstream_spectra, spectra)
            kernel_product = tf.einsum("biuv,bouv->iouv", image_spectra, tf.math.conj(upstream_spectra))
            kernel_gradient = tf.roll(_irfft2(kernel_product, fft_hw), before, axis=[2, 3])
            return (
                tf.transpose(_irfft2(image_product, fft_hw, image_hw), [0, 2, 3, 1]),
                tf.transpose(kernel_gradient[:, :, : kernel_hw[0], : kernel_hw[1]], [2, 3, 0, 1]),
            )

        return tf.transpose(_irfft2(product, fft_hw, image_hw), [0, 2, 3, 1]), gradient

    return convolve(images, kernel)


def _kernel_spectra(kernel: tf.Tensor, before: Sequence[int], fft_hw: Sequence[int]) -> tf.Tensor:
    """Transforms kernels with their centre rolled to the origin: [kh, kw, in, out] -> [in, out, u, v]."""
    kernel_hw = kernel.shape[:2].as_list()
    tails = [[0, fft - side] for fft, side in zip(fft_hw, kernel_hw, strict=True)]
    padded = tf.pad(tf.transpose(kernel, [2, 3, 0, 1]), [[0, 0], [0, 0], *tails])
    return _rfft2(tf.roll(padded, [-left for left in before], axis=[2, 3]), fft_hw)


def _rfft2(maps: tf.Tensor, fft_hw: Sequence[int]) -> tf.Tensor:
    return tf.signal.rfft2d(maps, fft_length=fft_hw)


def _irfft2(spectra: tf.Tensor, fft_hw: Sequence[int], crop_hw: Sequence[int] | None = None) -> tf.Tensor:
    maps = tf.signal.irfft2d(spectra, fft_length=fft_hw)
    return maps if crop_hw is None else maps[:, :, : crop_hw[0], : crop_hw[1]]


@keras.saving.register_keras_serializable(package="expressnet")
class FFTConv2D(keras.layers.Conv2D):
    """A `keras.layers.Conv2D` ("same" padding, stride 1) that may compute through the FFT.

    Variables, their order and initialisers are those of Conv2D, so weights are interchangeable.
    Through the FFT the layer keeps the dtype policy float32, under mixed precision too: bfloat16 has
    no complex counterpart.

    Shapes: images float[batch, height, width, in] -> float[batch, height, width, filters].
    """

    def __init__(self, filters: int, kernel_size: int, conv_backend: str = "auto", **kwargs: Any) -> None:
        """Makes the layer.

        Args:
            filters: number of output channels.
            kernel_size: side of the square kernel, pixels.
            conv_backend: "direct", "fft", or "auto": fft from `MIN_FFT_KERNEL` on.
            **kwargs: of Conv2D, such as activation, kernel_initializer, name.

        Raises:
            ValueError: the backend is unknown, or padding, strides and the like are not the supported ones.
        """
        if conv_backend not in CONV_BACKENDS:
            raise ValueError(f"conv_backend must be one of {CONV_BACKENDS}; got {conv_backend!r}.")
        if not isinstance(kernel_size, int):
            raise ValueError(f"kernel_size must be an int, the side of a square kernel; got {kernel_size!r}.")
        self.conv_backend = conv_backend
        self.uses_fft = takes_fft(conv_backend, kernel_size)
        self._spectra: np.ndarray | None = None
        if self.uses_fft:
            kwargs["dtype"] = "float32"
        super().__init__(filters, kernel_size, padding="same", data_format="channels_last", **kwargs)
        if self.strides != (1, 1) or self.dilation_rate != (1, 1) or self.groups != 1:
            raise ValueError(
                "FFTConv2D has stride 1, no dilation and one group; got "
                f"strides={self.strides}, dilation_rate={self.dilation_rate}, groups={self.groups}."
            )

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Convolves; the hook that Conv2D.call leaves to its subclasses."""
        if not self.uses_fft:
            return super().convolution_op(inputs, kernel)
        inputs, kernel = tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel)
        if self._spectra is not None:
            return fft_conv2d_with(inputs, tf.constant(self._spectra), kernel)
        return fft_conv2d(inputs, kernel)

    def keep_spectra(self) -> None:
        """Transforms the kernel once for all images that follow; it must not change any more. For inference."""
        if self.uses_fft:
            self._spectra = kernel_spectra(tf.convert_to_tensor(self.kernel), self.input.shape[1:3]).numpy()

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs; padding and data format are fixed."""
        config = super().get_config()
        for fixed in ("padding", "data_format"):
            del config[fixed]
        return {**config, "kernel_size": self.kernel_size[0], "conv_backend": self.conv_backend}


def layers(model: keras.Model) -> Iterator[FFTConv2D]:
    """Yields the layers of a model, and of the models within, that may compute through the FFT."""
    for layer in model.layers:
        if isinstance(layer, FFTConv2D):
            yield layer
        elif isinstance(layer, keras.Model):
            yield from layers(layer)


def keep_spectra(model: keras.Model) -> None:
    """Lets every layer of a model that will not be trained any more transform its kernel once."""
    for layer in layers(model):
        layer.keep_spectra()


def compute_directly(model: keras.Model) -> None:
    """Lets no layer go through the FFT, for runtimes that have none."""
    for layer in layers(model):
        layer.uses_fft = False
