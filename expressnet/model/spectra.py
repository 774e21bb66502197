"""Convolution in the frequency domain, with the FFT or with the DFT as products of matrices.

X, K and DY are the spectra of images, kernel and output gradient, all of one size. By the correlation theorem
y = inverse(sum_in X conj(K)), dx = inverse(sum_out DY K), dw = inverse(sum_batch X conj(DY)).
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Geometry:
    """Sizes of a convolution with stride 1 and "SAME" padding, and of its transform.

    An even kernel is padded as TensorFlow does: one pixel less before than after (24 and 25 for 50).

    Attributes:
        image_hw: height and width of the images, pixels.
        kernel_hw: the same of the kernel; no larger than reaches from one end of the image to the other.
    """

    image_hw: tuple[int, int]
    kernel_hw: tuple[int, int]

    @property
    def before(self) -> tuple[int, int]:
        """How far the kernel reaches up and left of its pixel."""
        return (self.kernel_hw[0] - 1) // 2, (self.kernel_hw[1] - 1) // 2

    @property
    def least_hw(self) -> tuple[int, int]:
        """The smallest transform: one zero tail serves both borders, because the transform is periodic."""
        height, width = (
            size + max(left, side - 1 - left)
            for size, left, side in zip(self.image_hw, self.before, self.kernel_hw, strict=True)
        )
        return height, width


class Transform(abc.ABC):
    """A way into the frequency domain, in layouts of its own, and the three products of spectra there."""

    def __init__(self, geometry: Geometry):
        self.geometry = geometry

    @abc.abstractmethod
    def of_images(self, images: tf.Tensor) -> tf.Tensor:
        """Transforms [batch, height, width, channels]."""

    @abc.abstractmethod
    def of_kernel(self, kernel: tf.Tensor) -> tf.Tensor:
        """Transforms [height, width, in, out], with the kernel's centre at the origin."""

    @abc.abstractmethod
    def to_images(self, spectra: tf.Tensor) -> tf.Tensor:
        """Inverts `of_images`, cut to the size of the images."""

    @abc.abstractmethod
    def to_kernel(self, spectra: tf.Tensor) -> tf.Tensor:
        """Inverts `of_kernel`."""

    @abc.abstractmethod
    def output(self, images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Returns sum_in X conj(K)."""

    @abc.abstractmethod
    def image_gradient(self, upstream: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Returns sum_out DY K."""

    @abc.abstractmethod
    def kernel_gradient(self, images: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
        """Returns sum_batch X conj(DY)."""


class FFT(Transform):
    """TensorFlow's FFT. Spectra are complex [batch, channels, u, v]; of a kernel [in, out, u, v]."""

    def __init__(self, geometry: Geometry):
        super().__init__(geometry)
        self._fft_hw = [fast_fft_size(size) for size in geometry.least_hw]

    def of_images(self, images: tf.Tensor) -> tf.Tensor:
        return tf.signal.rfft2d(tf.transpose(images, [0, 3, 1, 2]), fft_length=self._fft_hw)

    def of_kernel(self, kernel: tf.Tensor) -> tf.Tensor:
        tails = [[0, fft - side] for fft, side in zip(self._fft_hw, self.geometry.kernel_hw, strict=True)]
        padded = tf.pad(tf.transpose(kernel, [2, 3, 0, 1]), [[0, 0], [0, 0], *tails])
        return tf.signal.rfft2d(tf.roll(padded, [-left for left in self.geometry.before], axis=[2, 3]))

    def to_images(self, spectra: tf.Tensor) -> tf.Tensor:
        height, width = self.geometry.image_hw
        return tf.transpose(self._inverse(spectra)[:, :, :height, :width], [0, 2, 3, 1])

    def to_kernel(self, spectra: tf.Tensor) -> tf.Tensor:
        height, width = self.geometry.kernel_hw
        rolled = tf.roll(self._inverse(spectra), self.geometry.before, axis=[2, 3])
        return tf.transpose(rolled[:, :, :height, :width], [2, 3, 0, 1])

    def _inverse(self, spectra: tf.Tensor) -> tf.Tensor:
        return tf.signal.irfft2d(spectra, fft_length=self._fft_hw)

    def output(self, images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return tf.einsum("biuv,iouv->bouv", images, tf.math.conj(kernel))

    def image_gradient(self, upstream: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return tf.einsum("bouv,iouv->biuv", upstream, kernel)

    def kernel_gradient(self, images: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
        return tf.einsum("biuv,bouv->iouv", images, tf.math.conj(upstream))


class DFT(Transform):
    """The transform as products with its matrices, one for each axis; more operations, all in matrix products.

    Cutting, padding and the kernel's shift to the origin are in the matrices. Spectra are real, [frequencies, 2, batch,
    channels], the real before the imaginary part; of a kernel [frequencies, 2, in, out].
    """

    def of_images(self, images: tf.Tensor) -> tf.Tensor:
        return self._forward(tf.transpose(images, [1, 2, 0, 3]), (0, 0))

    def of_kernel(self, kernel: tf.Tensor) -> tf.Tensor:
        return self._forward(kernel, self.geometry.before)

    def to_images(self, spectra: tf.Tensor) -> tf.Tensor:
        return tf.transpose(self._inverse(spectra, self.geometry.image_hw, (0, 0)), [2, 0, 1, 3])

    def to_kernel(self, spectra: tf.Tensor) -> tf.Tensor:
        return self._inverse(spectra, self.geometry.kernel_hw, self.geometry.before)

    def output(self, images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        (real, from_imaginary), (from_real, imaginary) = self._products(images, kernel)
        return tf.stack([real + imaginary, from_imaginary - from_real], axis=1)

    def image_gradient(self, upstream: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        (real, from_imaginary), (from_real, imaginary) = self._products(upstream, kernel, transpose_b=True)
        return tf.stack([real - imaginary, from_imaginary + from_real], axis=1)

    def kernel_gradient(self, images: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
        real, imaginary = tf.unstack(images, axis=1)
        pairs = tf.stack([tf.concat([real, imaginary], axis=1), tf.concat([imaginary, -real], axis=1)], axis=1)
        return tf.matmul(pairs, _both_parts(upstream), transpose_a=True)

    def _products(self, left: tf.Tensor, kernel: tf.Tensor, **how: bool) -> list[list[tf.Tensor]]:
        """Returns [[left.re K.re, left.im K.re], [left.re K.im, left.im K.im]] at every frequency."""
        product = tf.matmul(_both_parts(left), kernel, **how)  # [frequencies, parts of K, parts of left * batch, to]
        parts = tf.reshape(product, [product.shape[0], 2, 2, -1, product.shape[-1]])
        return [tf.unstack(row, axis=1) for row in tf.unstack(parts, axis=1)]

    def _forward(self, maps: tf.Tensor, before: Sequence[int]) -> tf.Tensor:
        """Transforms [height, width, rows, columns], whose first pixel lies `before` pixels up and left of the origin.

        Returns:
            [frequencies, 2, rows, columns].
        """
        height, width, _, columns = maps.shape.as_list()
        (size_u, size_v), half = self.geometry.least_hw, self.geometry.least_hw[0] // 2 + 1
        along_height = _as_rows(_waves(half, height, size_u, before[0]))  # [(u, part), height]
        along_width = _as_real(_waves(size_v, width, size_v, before[1]))  # [v, part, part, width]
        along_width = along_width.reshape(1, 2 * size_v, 2 * width)
        partly = tf.matmul(tf.constant(along_height, maps.dtype), tf.reshape(maps, [height, -1]))
        partly = tf.reshape(partly, [half, 2 * width, -1])
        wholly = tf.matmul(tf.constant(along_width, maps.dtype), partly)
        return tf.reshape(wholly, [half * size_v, 2, -1, columns])

    def _inverse(self, spectra: tf.Tensor, hw: Sequence[int], before: Sequence[int]) -> tf.Tensor:
        """Inverts `_forward` for the pixels of a map of this height and width."""
        columns = spectra.shape[-1]
        (size_u, size_v), half = self.geometry.least_hw, self.geometry.least_hw[0] // 2 + 1
        # The other half of the frequencies holds the conjugates, so all but its own mirror images count twice.
        weights = np.full(half, 2.0)
        weights[0] = 1
        if size_u % 2 == 0:
            weights[-1] = 1
        along_height = _as_rows(_waves(half, hw[0], size_u, before[0]) * weights[:, None] / size_u).T
        along_width = _as_real(_waves(size_v, hw[1], size_v, before[1]) / size_v)
        along_width = along_width.transpose(2, 3, 0, 1).reshape(1, 2 * hw[1], 2 * size_v)
        partly = tf.matmul(tf.constant(along_width, spectra.dtype), tf.reshape(spectra, [half, 2 * size_v, -1]))
        wholly = tf.matmul(tf.constant(along_height, spectra.dtype), tf.reshape(partly, [2 * half, -1]))
        return tf.reshape(wholly, [*hw, -1, columns])


def _waves(num_frequencies: int, num_pixels: int, size: int, before: int) -> np.ndarray:
    """Returns exp(-2 pi i u x / size), complex128[frequencies, pixels], of pixels that begin `before` the origin."""
    phases = np.outer(np.arange(num_frequencies), np.arange(num_pixels) - before) % size
    return np.exp(-2j * np.pi / size * phases)


def _as_rows(waves: np.ndarray) -> np.ndarray:
    """Returns float64[(frequency, part), pixels], which takes real pixels to both parts of their spectrum."""
    return np.stack([waves.real, waves.imag], axis=1).reshape(-1, waves.shape[1])


def _as_real(waves: np.ndarray) -> np.ndarray:
    """Returns float64[frequency, part, part, pixel], which takes both parts to both parts."""
    real, imaginary = waves.real, waves.imag
    return np.stack([np.stack([real, -imaginary], axis=1), np.stack([imaginary, real], axis=1)], axis=1)


def _both_parts(spectra: tf.Tensor) -> tf.Tensor:
    """Puts the parts above each other: [frequencies, 2, rows, columns] -> [frequencies, 1, 2 * rows, columns]."""
    return tf.reshape(spectra, [spectra.shape[0], 1, -1, spectra.shape[-1]])


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
