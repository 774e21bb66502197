"""Random changes to training images that leave the expression as it is."""

import math

import tensorflow as tf

from expressnet.config.train import AugmentConfig


def augment(images: tf.Tensor, seed: tf.Tensor, config: AugmentConfig) -> tf.Tensor:
    """Flips, moves, relights and partly covers every image of a batch at random.

    A function of its arguments alone: the same seed changes the same batch in the same way. All
    channels of an image are treated alike, so grey images stay grey. Pixels that come from outside
    the image repeat its border.

    Args:
        images: float32 [batch, height, width, channels] in 0..1.
        seed: int32 [2]; a new one for every batch.
        config: the strengths.

    Returns:
        float32, same shape, in 0..1.
    """
    # One draw for all decisions: a generator call costs more than its numbers.
    draws = tf.random.stateless_uniform([tf.shape(images)[0], 12], seed)
    move, light, cover = tf.split(draws, [5, 2, 5], axis=1)
    moved = _move(images, move, config)
    return _cover(_relight(moved, light, config), cover, config)


def _move(images: tf.Tensor, draws: tf.Tensor, config: AugmentConfig) -> tf.Tensor:
    """Flips, shifts, rotates and zooms in one resampling. Draws: uniform [batch, 5]."""
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    height_px, width_px = tf.cast(height, tf.float32), tf.cast(width, tf.float32)
    flip, shift_x, shift_y, angle, zoom = tf.unstack(draws, axis=1)
    mirror = tf.where(flip < config.flip, -1.0, 1.0)
    angle_rad = _symmetric(angle) * math.radians(config.rotation_deg)
    # Log-uniform, so that growing and shrinking are equally likely.
    scale = tf.exp(_symmetric(zoom) * math.log1p(config.zoom))
    cos, sin = scale * tf.cos(angle_rad), scale * tf.sin(angle_rad)
    center_x, center_y = (width_px - 1) / 2, (height_px - 1) / 2
    # Maps output to input pixels about the centre: x_in = a x + b y + c, y_in = d x + e y + f.
    a, b, d, e = mirror * cos, -mirror * sin, sin, cos
    c = center_x + _symmetric(shift_x) * config.shift * width_px - a * center_x - b * center_y
    f = center_y + _symmetric(shift_y) * config.shift * height_px - d * center_x - e * center_y
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, b, c, d, e, f, zero, zero], axis=1),
        output_shape=tf.stack([height, width]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def _relight(images: tf.Tensor, draws: tf.Tensor, config: AugmentConfig) -> tf.Tensor:
    """Scales each image about its mean and adds a constant. Draws: uniform [batch, 2]."""
    contrast, brightness = tf.unstack(_symmetric(draws)[:, :, None, None, None], axis=1)
    factor = 1 + contrast * config.contrast
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return tf.clip_by_value(images * factor + (mean * (1 - factor) + brightness * config.brightness), 0, 1)


def _cover(images: tf.Tensor, draws: tf.Tensor, config: AugmentConfig) -> tf.Tensor:
    """Paints a rectangle with the mean colour, after Zhong et al. 2020, "Random erasing".

    Draws: uniform [batch, 5]. The rectangle's centre lies anywhere in the image.
    """
    happens, *box = tf.unstack(draws[:, :, None, None, None], axis=1)
    center_y, center_x, side_y, side_x = box
    inside_y = tf.abs(_pixel_centers(images, 1) - center_y) < side_y * config.erase_side / 2
    inside_x = tf.abs(_pixel_centers(images, 2) - center_x) < side_x * config.erase_side / 2
    covered = (happens < config.erase) & inside_y & inside_x
    return tf.where(covered, tf.reduce_mean(images, axis=[1, 2], keepdims=True), images)


def _pixel_centers(images: tf.Tensor, axis: int) -> tf.Tensor:
    """Returns the pixels' centres along one axis as fractions of the side, shaped to broadcast."""
    size = tf.shape(images)[axis]
    centers = (tf.range(tf.cast(size, tf.float32)) + 0.5) / tf.cast(size, tf.float32)
    return tf.reshape(centers, [-1 if index == axis else 1 for index in range(4)])


def _symmetric(uniform: tf.Tensor) -> tf.Tensor:
    """Turns numbers uniform in 0..1 into numbers uniform in -1..1."""
    return 2 * uniform - 1
