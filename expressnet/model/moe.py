"""Top-k mixture of experts over feature vectors."""

from typing import Any

import keras
from keras import ops

_CERTAINLY_NOT = 1e9  # a logit that the softmax turns into 0; infinity minus infinity would be no number


@keras.saving.register_keras_serializable(package="expressnet")
class TopKMixtureOfExperts(keras.layers.Layer):
    """Mixes the `top_k` experts that a gate prefers, per image.

    Each expert is a Dense(units, ReLU); gates = softmax(Dense(num_experts)). The mixture is the sum
    of gate_i * expert_i(x) over the k largest gates. As in the authors' code those k gates are NOT
    renormalised to sum to 1, and all experts are computed; top-k selects. What the authors do not
    have is off unless asked for: renormalised gates, noise on the gates while training (Shazeer et
    al. 2017, without the learned width) and a loss that spreads the images over the experts (Fedus et
    al. 2021, equation 4).

    Shapes: features float[batch, dim] -> (mixture float[batch, units], gates float[batch, experts]).
    The gates are those of all experts: each row sums to 1.
    """

    def __init__(
        self,
        units: int,
        num_experts: int = 4,
        top_k: int = 2,
        *,
        renormalize: bool = False,
        gate_noise: float = 0.0,
        balance: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Makes the layer.

        Args:
            units: width of every expert's output.
            num_experts: experts to choose from.
            top_k: experts mixed for one image, from 1 to `num_experts`.
            renormalize: whether the chosen gates are scaled to sum to 1.
            gate_noise: standard deviation of normal noise added to the gate's logits while training.
            balance: weight of the load-balancing loss, which is 1 times this for an even load.
            seed: of the initial weights and the noise.
            **kwargs: of Layer, such as name and dtype.

        Raises:
            ValueError: top_k is not between 1 and num_experts, or a strength is negative.
        """
        super().__init__(**kwargs)
        if not 1 <= top_k <= num_experts:
            raise ValueError(f"top_k must be between 1 and num_experts={num_experts}; got {top_k}.")
        if gate_noise < 0 or balance < 0:
            raise ValueError(f"gate_noise and balance must not be negative; got {gate_noise} and {balance}.")
        self.renormalize = renormalize
        self.gate_noise = gate_noise
        self.balance = balance
        self.units = units
        self.num_experts = num_experts
        self.top_k = top_k
        self.seed = seed
        # Only where it is used, because it is one more variable of the model.
        self.noise_seed = keras.random.SeedGenerator(seed) if gate_noise else None

    def build(self, features_shape: tuple[Any, int]) -> None:
        """Adds the stacked experts and the gate, all initialised as Dense would be."""
        dim = features_shape[-1]
        # Glorot uniform of one expert. The initialiser of that name would take the experts' axis of
        # the stacked kernel for a receptive field and make the limit half as wide.
        limit = (6.0 / (dim + self.units)) ** 0.5
        self.expert_kernel = self.add_weight(
            name="expert_kernel",
            shape=(self.num_experts, dim, self.units),
            initializer=keras.initializers.RandomUniform(-limit, limit, seed=self.seed),
        )
        self.expert_bias = self.add_weight(
            name="expert_bias", shape=(self.num_experts, self.units), initializer="zeros"
        )
        self.gate_kernel = self.add_weight(
            name="gate_kernel",
            shape=(dim, self.num_experts),
            initializer=keras.initializers.GlorotUniform(seed=self.seed),
        )
        self.gate_bias = self.add_weight(name="gate_bias", shape=(self.num_experts,), initializer="zeros")

    def call(self, features: Any, training: bool = False, without: int | None = None) -> tuple[Any, Any]:
        """Returns the mixture and the gates of all experts.

        Args:
            features: float[batch, dim].
            training: whether gates get noise and the load its loss.
            without: an expert that is switched off, as if it had never been: its gate is 0, the others' gates sum to
                1 and the best of them take its place. None for all experts.
        """
        experts = ops.relu(ops.einsum("bd,edu->beu", features, self.expert_kernel) + self.expert_bias)
        logits = ops.matmul(features, self.gate_kernel) + self.gate_bias
        if training and self.gate_noise:
            noise = keras.random.normal(ops.shape(logits), 0.0, self.gate_noise, logits.dtype, self.noise_seed)
            logits = logits + noise
        if without is not None:
            logits = logits - _CERTAINLY_NOT * ops.one_hot(without, self.num_experts, dtype=logits.dtype)
        gates = ops.softmax(logits, axis=-1)
        _, chosen = ops.top_k(gates, self.top_k)  # [batch, top_k]; of equal gates the first wins
        mask = ops.sum(ops.one_hot(chosen, self.num_experts, dtype=gates.dtype), axis=1)
        if training and self.balance:
            self.add_loss(self.balance * self._imbalance(gates, mask))
        kept = gates * mask
        if self.renormalize:
            kept = kept / ops.sum(kept, axis=-1, keepdims=True)
        return ops.einsum("be,beu->bu", kept, experts), gates

    def _imbalance(self, gates: Any, mask: Any) -> Any:
        """Returns experts * sum over experts of (share of the choices * mean gate): 1 if even, `experts` at most."""
        share = ops.mean(ops.cast(mask, "float32"), axis=0) / self.top_k
        return self.num_experts * ops.sum(share * ops.mean(ops.cast(gates, "float32"), axis=0))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "num_experts": self.num_experts,
            "top_k": self.top_k,
            "renormalize": self.renormalize,
            "gate_noise": self.gate_noise,
            "balance": self.balance,
            "seed": self.seed,
        }
