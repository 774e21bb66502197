"""ExpressNet-MoE: two convolutional extractors, a residual backbone and two mixtures of experts."""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np

from expressnet.model import feature_extractors, moe, presets, resnet50

EXPRESSION_MOE = "moe_expression"
CNN_MOE = "moe_cnn"
EMBEDDING = "join_mixtures"


def build(preset: presets.Preset, num_classes: int, seed: int, precision: str = "float32") -> keras.Model:
    """Builds the network of arXiv preprint "ExpressNet-MoE" (10 October 2025) at a preset's size.

    Initial weights and dropout are functions of `seed` alone; no global generator is read or set.

    Args:
        preset: the numbers, such as `presets.PRESETS["small"]`.
        num_classes: expressions to tell apart, at least 2.
        seed: of all random numbers.
        precision: Keras dtype policy: "float32", "mixed_bfloat16" or "mixed_float16". Variables, convolutions through
            the FFT and the classifier are float32 in all of them.

    Returns:
        a model from images float32 [batch, size, size, 3] in 0..1, channels in the preset's order, to
        probabilities float32 [batch, num_classes]; float32 under mixed precision too.

    Raises:
        ValueError: num_classes is below 2.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2; got {num_classes}.")
    with _dtype_policy(precision):
        return _connect(preset, num_classes, _seed_stream(seed))


def _connect(preset: presets.Preset, num_classes: int, seeds: Iterator[int]) -> keras.Model:
    images = keras.Input((preset.size_px, preset.size_px, 3), name="images")
    extractors = (
        feature_extractors.build_cnnfe1(preset, seeds),
        feature_extractors.build_cnnfe2(preset, seeds),
        resnet50.build_backbone(preset, seeds),
    )
    cnnfe1_features, cnnfe2_features, backbone_features = (
        _zeros(extractor, images) if extractor.name in preset.removed else extractor(images) for extractor in extractors
    )

    joined = keras.layers.Concatenate(name="join_features")([cnnfe2_features, backbone_features])
    fused = _dense(preset.fusion_units, "relu", "fusion", seeds)(joined)
    fused = keras.layers.Dropout(preset.feature_dropout, seed=next(seeds), name="fusion_dropout")(fused)
    expression, _ = _mixture(preset, EXPRESSION_MOE, seeds)(fused)
    cnn, _ = _mixture(preset, CNN_MOE, seeds)(cnnfe1_features)
    mixtures = keras.layers.Concatenate(name=EMBEDDING)([expression, cnn])
    classifier = _dense(num_classes, "softmax", "classifier", seeds, dtype="float32")
    return keras.Model(images, classifier(mixtures), name="expressnet")


def with_gates(model: keras.Model) -> keras.Model:
    """Adds the gates of both mixtures to a model's outputs; weights are shared.

    Args:
        model: from `build`, or such a model loaded from a file.

    Returns:
        a model from the same images to (probabilities [batch, classes], gates of the expression
        mixture [batch, experts], gates of the CNN mixture [batch, experts]); every row sums to 1.
    """
    gates = [model.get_layer(name).output[1] for name in (EXPRESSION_MOE, CNN_MOE)]
    return keras.Model(model.input, [model.outputs[0], *gates], name="expressnet_with_gates")


def with_embedding(model: keras.Model) -> keras.Model:
    """Adds what the classifier gets, both mixtures side by side, to the outputs of `with_gates`: float[batch, dim]."""
    outputs = [*with_gates(model).outputs, model.get_layer(EMBEDDING).output]
    return keras.Model(model.input, outputs, name="expressnet_with_embedding")


def with_mixture_inputs(model: keras.Model) -> keras.Model:
    """Adds what both mixtures get to the outputs of `with_gates`: float[batch, dim] each, expression first."""
    inputs = [model.get_layer(name).input for name in (EXPRESSION_MOE, CNN_MOE)]
    return keras.Model(model.input, [*with_gates(model).outputs, *inputs], name="expressnet_with_mixture_inputs")


def without_expert(
    model: keras.Model, expression: np.ndarray, cnn: np.ndarray, mixture: str, expert: int | None
) -> np.ndarray:
    """Computes the end of a model with one expert switched off.

    Args:
        model: from `build`, or such a model loaded from a file.
        expression: float[batch, dim], what the expression mixture gets; see `with_mixture_inputs`.
        cnn: float[batch, dim], what the other mixture gets.
        mixture: EXPRESSION_MOE or CNN_MOE, whose expert it is.
        expert: which; None for all experts.

    Returns:
        probabilities float[batch, classes].
    """
    mixed = [
        model.get_layer(name)(features, without=expert if name == mixture else None)[0]
        for name, features in ((EXPRESSION_MOE, expression), (CNN_MOE, cnn))
    ]
    return np.asarray(model.get_layer("classifier")(keras.ops.concatenate(mixed, axis=-1)))


def parameter_counts(model: keras.Model) -> dict[str, int]:
    """Counts the parameters of each part, by layer name, then "total", "trainable", "non_trainable"."""
    parts = {layer.name: layer.count_params() for layer in model.layers if layer.weights}
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    total = sum(parts.values())
    return {**parts, "total": total, "trainable": trainable, "non_trainable": total - trainable}


def _zeros(extractor: keras.Model, images: keras.KerasTensor) -> keras.KerasTensor:
    """Returns zeros of the shape of an extractor's features."""
    zeros = keras.layers.Dense(
        extractor.output_shape[-1], use_bias=False, kernel_initializer="zeros", trainable=False, name=extractor.name
    )
    return zeros(keras.layers.GlobalAveragePooling2D(name=f"no_{extractor.name}")(images))


@contextlib.contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    """Makes `name` the dtype policy of the layers that are made meanwhile."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _seed_stream(seed: int) -> Iterator[int]:
    generator = np.random.default_rng(seed)
    while True:
        yield int(generator.integers(2**31))


def _dense(
    units: int, activation: str, name: str, seeds: Iterator[int], dtype: str | None = None
) -> keras.layers.Dense:
    initializer = keras.initializers.GlorotUniform(seed=next(seeds))
    return keras.layers.Dense(units, activation=activation, kernel_initializer=initializer, name=name, dtype=dtype)


def _mixture(preset: presets.Preset, name: str, seeds: Iterator[int]) -> moe.TopKMixtureOfExperts:
    return moe.TopKMixtureOfExperts(
        preset.moe_units,
        preset.num_experts,
        preset.top_k,
        renormalize=preset.moe_renormalize,
        gate_noise=preset.moe_gate_noise,
        balance=preset.moe_balance,
        seed=next(seeds),
        name=name,
    )
