"""The sizes in which the network is built."""

import dataclasses

EXTRACTORS = ("cnnfe1", "cnnfe2", "backbone")
# How a convolution is computed; "auto" goes by the kernel and the map (see expressnet.model.fft_conv).
CONV_BACKENDS = ("auto", "direct", "fft", "dft")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """The architecture's numbers. The wiring is the same in every preset.

    Attributes:
        name: how configurations refer to the preset.
        size_px: side of the square input image.
        channel_order: "rgb" or "bgr", the order of the input's three channels.
        cnnfe1_filters: output channels of each convolution block of the first extractor.
        cnnfe1_kernels: side of each block's kernel, pixels of that block's map.
        cnnfe1_units: width of the first extractor's feature vector.
        cnnfe1_batchnorm: whether the Dense of that vector is normalised before its ReLU. Its thousands of inputs let
            one step of a large learning rate silence a unit for good.
        cnnfe2_filters: as `cnnfe1_filters`, for the second extractor.
        cnnfe2_kernels: as `cnnfe1_kernels`, for the second extractor.
        conv_dropout: rate of the dropout after each extractor convolution.
        stem_filters: output channels of the backbone's first convolution.
        stem_kernel: side of its kernel.
        stem_stride: its stride.
        stem_pool: whether a 3x3 max-pooling of stride 2 follows it.
        stage_filters: width of the backbone's stages; every stage but the first halves the map.
        stage_blocks: residual blocks in each stage.
        bottleneck: blocks of 1x1, 3x3, 1x1 convolutions with four times the width in the output
            (ResNet-50) instead of two 3x3 convolutions (ResNet-18).
        fusion_units: width of the Dense that joins the second extractor and the backbone.
        feature_dropout: rate of the dropout after the backbone and after each Dense.
        moe_units: width of every expert.
        num_experts: experts in each of the two mixtures.
        top_k: experts mixed for one image.
        moe_renormalize: whether the gates of the mixed experts are scaled to sum to 1.
        moe_gate_noise: standard deviation of the noise on the gates' logits while training.
        moe_balance: weight of the loss that spreads the images over the experts.
        removed: extractors ("cnnfe1", "cnnfe2", "backbone") that give zeros instead of features, to measure what the
            others do without them.
        batchnorm_momentum: how much of the running statistics a training step keeps.
        batchnorm_synchronized: whether replicas share their batch statistics. Without it,
            MirroredStrategy saves the statistics of replica 0 only.
        conv_backend: how extractor convolutions are computed: one of CONV_BACKENDS.
    """

    name: str
    size_px: int
    channel_order: str = "rgb"
    cnnfe1_filters: tuple[int, ...]
    cnnfe1_kernels: tuple[int, ...]
    cnnfe1_units: int
    cnnfe1_batchnorm: bool = False
    cnnfe2_filters: tuple[int, ...]
    cnnfe2_kernels: tuple[int, ...]
    conv_dropout: float = 0.1
    stem_filters: int
    stem_kernel: int
    stem_stride: int
    stem_pool: bool
    stage_filters: tuple[int, ...]
    stage_blocks: tuple[int, ...]
    bottleneck: bool
    fusion_units: int
    feature_dropout: float = 0.5
    moe_units: int
    num_experts: int = 4
    top_k: int = 2
    moe_renormalize: bool = False
    moe_gate_noise: float = 0.0
    moe_balance: float = 0.0
    removed: tuple[str, ...] = ()
    batchnorm_momentum: float = 0.99
    batchnorm_synchronized: bool = True
    conv_backend: str = "auto"

    def __post_init__(self) -> None:
        """Refuses numbers no network can be built from."""
        self._check_choices()
        self._check_positive()
        self._check_lengths()
        for name in ("conv_dropout", "feature_dropout", "batchnorm_momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be in [0, 1); got {getattr(self, name)}.")
        if self.top_k > self.num_experts:
            raise ValueError(f"top_k must be at most num_experts={self.num_experts}; got {self.top_k}.")
        smallest = 2 ** (max(len(self.cnnfe1_filters), len(self.cnnfe2_filters)) - 1)
        if self.size_px < smallest:
            raise ValueError(
                f"size_px must be at least {smallest}, since every extractor block but the last halves "
                f"the map; got {self.size_px}."
            )

    def _check_choices(self) -> None:
        choices = {"channel_order": ("rgb", "bgr"), "conv_backend": CONV_BACKENDS}
        if unknown := set(self.removed) - set(EXTRACTORS):
            raise ValueError(f"removed must name some of {EXTRACTORS}; got {sorted(unknown)}.")
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}; got {getattr(self, name)!r}.")

    def _check_positive(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            numbers = value if isinstance(value, tuple) else (value,)
            if field.type in (int, tuple[int, ...]) and (not numbers or min(numbers) < 1):
                raise ValueError(f"{field.name} must be positive; got {value}.")

    def _check_lengths(self) -> None:
        pairs = (
            ("cnnfe1_filters", "cnnfe1_kernels"),
            ("cnnfe2_filters", "cnnfe2_kernels"),
            ("stage_filters", "stage_blocks"),
        )
        for left, right in pairs:
            if len(getattr(self, left)) != len(getattr(self, right)):
                raise ValueError(
                    f"{left} and {right} must be equally long; got {getattr(self, left)} and {getattr(self, right)}."
                )


# The published network, numbers and all.
PAPER = Preset(
    name="paper",
    size_px=224,
    channel_order="bgr",
    cnnfe1_filters=(8, 16, 32, 64, 128, 256),
    cnnfe1_kernels=(75, 50, 25, 15, 9, 3),
    cnnfe1_units=512,
    cnnfe2_filters=(16, 32, 64, 128, 256),
    cnnfe2_kernels=(15, 7, 5, 3, 3),
    stem_filters=64,
    stem_kernel=7,
    stem_stride=2,
    stem_pool=True,
    stage_filters=(64, 128, 256, 512),
    stage_blocks=(3, 4, 6, 3),
    bottleneck=True,
    fusion_units=512,
    moe_units=512,
)

# For 48x48 faces and two CPU cores. Runs are short: dropout at the published rates kept the loss at
# chance for the first epochs, and a BatchNorm momentum of 0.99 would outlast a run of a few hundred steps.
# Without BatchNorm in its Dense all units of the first extractor died within two epochs, and without the
# balancing loss two of four experts were hardly ever asked.
SMALL = Preset(
    name="small",
    size_px=48,
    cnnfe1_filters=(8, 16, 32, 64),
    cnnfe1_kernels=(15, 9, 5, 3),
    cnnfe1_units=256,
    cnnfe1_batchnorm=True,
    cnnfe2_filters=(16, 32, 64, 128),
    cnnfe2_kernels=(7, 5, 3, 3),
    conv_dropout=0.0,
    stem_filters=32,
    stem_kernel=3,
    stem_stride=1,
    stem_pool=True,
    stage_filters=(64, 128, 256),
    stage_blocks=(2, 2, 2),
    bottleneck=False,
    fusion_units=256,
    feature_dropout=0.2,
    moe_units=256,
    moe_balance=0.01,
    batchnorm_momentum=0.9,
)

# For tests: traces fast and learns a toy task in seconds.
TINY = Preset(
    name="tiny",
    size_px=32,
    cnnfe1_filters=(4, 8),
    cnnfe1_kernels=(15, 5),
    cnnfe1_units=16,
    cnnfe2_filters=(8, 16),
    cnnfe2_kernels=(5, 3),
    stem_filters=8,
    stem_kernel=3,
    stem_stride=2,
    stem_pool=True,
    stage_filters=(8, 16),
    stage_blocks=(1, 1),
    bottleneck=False,
    fusion_units=16,
    feature_dropout=0.1,
    moe_units=16,
    batchnorm_momentum=0.9,
)

PRESETS = {preset.name: preset for preset in (PAPER, SMALL, TINY)}
