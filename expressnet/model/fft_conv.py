"""Convolution with large kernels in the frequency domain, interchangeable with `keras.layers.Conv2D`."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from expressnet.model import spectra
from expressnet.model.presets import CONV_BACKENDS

# Measured on CPU: from 15x15 on, oneDNN computes the weight gradient with its slow reference kernel,
# one to two orders of magnitude slower than the FFT; at 9x9 and below the direct form wins.
MIN_FFT_KERNEL = 15
# Measured on CPU, forward and backward: products of matrices take 0.3 to 0.6 of the FFT's time at sizes of 35 to 137,
# and 1.3 of it at 261; their operations grow by one factor of the size faster.
MAX_DFT_SIZE = 160


def takes_spectra(conv_backend: str, kernel_size: int) -> bool:
    """Returns whether a kernel of this side goes through the frequency domain."""
    return conv_backend in ("fft", "dft") or (conv_backend == "auto" and kernel_size >= MIN_FFT_KERNEL)


def spectral_conv2d(images: tf.Tensor, kernel: tf.Tensor, conv_backend: str = "auto") -> tf.Tensor:
    """Convolves like `tf.nn.conv2d(images, kernel, strides=1, padding="SAME")`, through the frequency domain.

    Args:
        images: float32 or float64 [batch, height, width, in]; height and width static.
        kernel: same dtype, [kernel_height, kernel_width, in, out]; may be larger than the image.
        conv_backend: "fft", "dft" (products of matrices), or "auto": dft up to a size of `MAX_DFT_SIZE`.

    Returns:
        same dtype, [batch, height, width, out].

    Raises:
        ValueError: height or width is unknown.
    """
    image_hw = images.shape[1:3].as_list()
    if None in image_hw:
        raise ValueError(
            f"spectral_conv2d needs a static height and width; got images of shape {images.shape}. "
            "The size of the transform is chosen while the graph is built."
        )
    reachable = _reachable(kernel, image_hw)
    return _convolve(images, reachable, _transform(reachable, image_hw, conv_backend))


def kernel_spectra(kernel: tf.Tensor, image_hw: Sequence[int], conv_backend: str = "auto") -> tf.Tensor:
    """Returns what `spectral_conv2d` computes of a kernel, for images of one size; see expressnet.model.spectra."""
    reachable = _reachable(kernel, image_hw)
    return _transform(reachable, image_hw, conv_backend).of_kernel(reachable)


def spectral_conv2d_with(
    images: tf.Tensor, of_kernel: tf.Tensor, kernel: tf.Tensor, conv_backend: str = "auto"
) -> tf.Tensor:
    """Returns `spectral_conv2d(images, kernel)` from `kernel_spectra`; only the kernel's shape is used."""
    image_hw = images.shape[1:3].as_list()
    transform = _transform(_reachable(kernel, image_hw), image_hw, conv_backend)
    return transform.to_images(transform.output(transform.of_images(images), of_kernel))


def _reachable(kernel: tf.Tensor, image_hw: Sequence[int]) -> tf.Tensor:
    """Cuts off the kernel's taps that lie outside the image from every pixel; their gradient is zero."""
    slices = []
    for side, size in zip(kernel.shape[:2].as_list(), image_hw, strict=True):
        before = (side - 1) // 2
        slices.append(slice(max(0, before - (size - 1)), before + size))
    return kernel[slices[0], slices[1]]


def _transform(kernel: tf.Tensor, image_hw: Sequence[int], conv_backend: str) -> spectra.Transform:
    geometry = spectra.Geometry((image_hw[0], image_hw[1]), tuple(kernel.shape[:2].as_list()))
    is_small = max(geometry.least_hw) <= MAX_DFT_SIZE
    by_matrices = is_small if conv_backend == "auto" else conv_backend == "dft"
    return spectra.DFT(geometry) if by_matrices else spectra.FFT(geometry)


def _convolve(images: tf.Tensor, kernel: tf.Tensor, transform: spectra.Transform) -> tf.Tensor:
    @tf.custom_gradient
    def convolve(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
        of_images, of_kernel = transform.of_images(images), transform.of_kernel(kernel)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            of_upstream = transform.of_images(upstream)
            # When nobody asks for the gradient of the images, the graph optimiser prunes this branch.
            return (
                transform.to_images(transform.image_gradient(of_upstream, of_kernel)),
                transform.to_kernel(transform.kernel_gradient(of_images, of_upstream)),
            )

        return transform.to_images(transform.output(of_images, of_kernel)), gradient

    return convolve(images, kernel)


@keras.saving.register_keras_serializable(package="expressnet")
class FFTConv2D(keras.layers.Conv2D):
    """A `keras.layers.Conv2D` ("same" padding, stride 1) that may compute in the frequency domain.

    Variables, their order and initialisers are those of Conv2D, so weights are interchangeable.
    There the layer keeps the dtype policy float32, under mixed precision too: bfloat16 has no complex counterpart, and
    its rounding would spread over the whole map.

    Shapes: images float[batch, height, width, in] -> float[batch, height, width, filters].
    """

    def __init__(self, filters: int, kernel_size: int, conv_backend: str = "auto", **kwargs: Any) -> None:
        """Makes the layer.

        Args:
            filters: number of output channels.
            kernel_size: side of the square kernel, pixels.
            conv_backend: "direct", "fft", "dft", or "auto": from kernels of `MIN_FFT_KERNEL` on the better of the
                latter two (see `spectral_conv2d`), else direct.
            **kwargs: of Conv2D, such as activation, kernel_initializer, name.

        Raises:
            ValueError: the backend is unknown, or padding, strides and the like are not the supported ones.
        """
        if conv_backend not in CONV_BACKENDS:
            raise ValueError(f"conv_backend must be one of {CONV_BACKENDS}; got {conv_backend!r}.")
        if not isinstance(kernel_size, int):
            raise ValueError(f"kernel_size must be an int, the side of a square kernel; got {kernel_size!r}.")
        self.conv_backend = conv_backend
        self.uses_spectra = takes_spectra(conv_backend, kernel_size)
        self._spectra: np.ndarray | None = None
        if self.uses_spectra:
            kwargs["dtype"] = "float32"
        super().__init__(filters, kernel_size, padding="same", data_format="channels_last", **kwargs)
        if self.strides != (1, 1) or self.dilation_rate != (1, 1) or self.groups != 1:
            raise ValueError(
                "FFTConv2D has stride 1, no dilation and one group; got "
                f"strides={self.strides}, dilation_rate={self.dilation_rate}, groups={self.groups}."
            )

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Convolves; the hook that Conv2D.call leaves to its subclasses."""
        if not self.uses_spectra:
            return super().convolution_op(inputs, kernel)
        inputs, kernel = tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel)
        if self._spectra is not None:
            return spectral_conv2d_with(inputs, tf.constant(self._spectra), kernel, self.conv_backend)
        return spectral_conv2d(inputs, kernel, self.conv_backend)

    def keep_spectra(self) -> None:
        """Transforms the kernel once for all images that follow; it must not change any more. For inference."""
        if self.uses_spectra:
            kernel = tf.convert_to_tensor(self.kernel)
            self._spectra = kernel_spectra(kernel, self.input.shape[1:3], self.conv_backend).numpy()

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs; padding and data format are fixed."""
        config = super().get_config()
        for fixed in ("padding", "data_format"):
            del config[fixed]
        return {**config, "kernel_size": self.kernel_size[0], "conv_backend": self.conv_backend}


def layers(model: keras.Model) -> Iterator[FFTConv2D]:
    """Yields the layers of a model, and of the models within, that may compute in the frequency domain."""
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
    """Lets no layer leave the pixels, for runtimes without an FFT."""
    for layer in layers(model):
        layer.uses_spectra = False
