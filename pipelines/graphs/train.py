"""From raw photographs to a promoted model."""

from kfp import dsl

from components.summary import summary
from expressnet.config import (
    AUTO,
    CheckpointConfig,
    CropConfig,
    IngestConfig,
    PromoteConfig,
    SplitConfig,
    TrainConfig,
    ValidateConfig,
)
from pipelines.graphs import shared_tasks


@dsl.pipeline(name="expressnet-train", description=__doc__)
def train(
    workspace: str,
    dataset: str = IngestConfig.dataset,
    data_uri: str = "",
    preset: str = "small",
    protocol: str = SplitConfig.protocol,
    seed: int = SplitConfig.seed,
    limit: int = IngestConfig.limit,
    label_mode: str = IngestConfig.label_mode,
    licence_accepted: bool = IngestConfig.licence_accepted,
    split_file: str = SplitConfig.split_file,
    split_file_digest: str = SplitConfig.split_file_digest,
    epochs: int = 0,
    precision: str = TrainConfig.precision,
    xla: bool = TrainConfig.xla,
    class_weights: float = TrainConfig.class_weights,
    crop_cache: bool = TrainConfig.crop_cache,
    moe: str = TrainConfig.moe,
    backbone_weights: str = TrainConfig.backbone_weights,
    backbone_sha256: str = TrainConfig.backbone_sha256,
    checkpoint_uri: str = CheckpointConfig.mirror_uri,
    min_per_class: int = ValidateConfig.min_per_class,
    severities: str = ValidateConfig.severities,
    compare_with: str = ValidateConfig.compare_with,
    crop_mode: str = AUTO,
    margin: float = CropConfig.margin,
    detector: str = CropConfig.detector,
    pictures: bool = CropConfig.pictures,
    intended_use: str = PromoteConfig.intended_use,
    jurisdiction: str = PromoteConfig.jurisdiction,
):
    """Ingests, validates, crops, splits, trains, evaluates, registers and promotes.

    Args:
        workspace: folder for data, artifacts and the registry.
        dataset: name of the data set.
        data_uri: folder, file, archive or gs://bucket/prefix; empty for the embedded demo set.
        preset: size of the network and its training recipe: paper, small or tiny.
        protocol: honest (train/val/test) or paper (the authors' own, selected on the test split).
        seed: of the split and the training.
        limit: at most this many examples, a stratified sample; 0 takes all.
        label_mode: of data sets with votes, majority or probability.
        licence_accepted: whether the user acknowledged the data set's licence; needed but for demo and folder.
        split_file: a split.csv that another run wrote (path or gs://bucket/object), used instead of a draw.
        split_file_digest: its SHA-256, so that a changed file is no cached result.
        epochs: passes over the training split; 0 takes the preset's own.
        precision: float32, mixed_bfloat16 or mixed_float16.
        xla: whether XLA compiles the training step.
        class_weights: from 0, all images weigh alike, to 1, all classes do.
        crop_cache: whether crops are decoded once and kept as pixels, or for every batch.
        moe: what the mixtures of experts do beyond the paper, as renormalize=1,gate_noise=0.5,balance=0.01.
        backbone_weights: path or gs://bucket/object of pretrained ResNet-50 weights (HDF5), for the preset paper.
        backbone_sha256: of that file.
        checkpoint_uri: gs://bucket/prefix that gets a copy of every checkpoint, for nodes that vanish.
        min_per_class: fewest examples of a class that pass validation.
        severities: what failed checks of the data do, as `copies=off,exposure=stop`.
        compare_with: first digits of another data set's digest, to show the colours of both side by side.
        crop_mode: aligned (level eyes, square), paper (the authors' own box), whole (the image as it is) or auto, the
            one of the protocol.
        margin: of aligned: context around a face, in face widths.
        detector: BlazeFace model: auto, short_range or full_range.
        pictures: whether the pages show crops, and where the model looked, where the data set's licence allows it.
        intended_use: what the model is meant for; recorded with a promotion, which models of real faces get for a
            use only.
        jurisdiction: whose prohibitions the intended use is compared with: eu or none.
    """
    settings = dict(locals())
    with dsl.ExitHandler(summary().set_caching_options(False)):
        source = shared_tasks.ingested(settings)
        faces = shared_tasks.cropped(source, settings)
        shared_tasks.promoted(faces, settings)
