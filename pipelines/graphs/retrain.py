"""Trains the champion anew if data, code or settings changed, and does nothing otherwise."""

from kfp import dsl

from components.decide import decide
from components.drift import drift
from components.summary import summary
from expressnet.config import (
    AUTO,
    CheckpointConfig,
    CropConfig,
    DriftConfig,
    IngestConfig,
    PromoteConfig,
    RetrainConfig,
    SplitConfig,
    TrainConfig,
    ValidateConfig,
)
from pipelines.graphs import shared_tasks


@dsl.pipeline(name="expressnet-retrain", description=__doc__)
def retrain(
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
    min_new: int = RetrainConfig.min_new,
    warm_start: bool = RetrainConfig.warm_start,
    on_drift: str = DriftConfig.on_drift,
):
    """Compares with what the champion was made of, and goes the way of the pipeline train where that is another.

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
        pictures: whether the crops' page shows some, where the data set's licence allows it.
        intended_use: what the model is meant for; recorded with a promotion, which models of real faces get for a
            use only.
        jurisdiction: whose prohibitions the intended use is compared with: eu or none.
        min_new: fewest images that must have come, gone or changed their label; 0 for any change of the data, -1 for
            5 % of the champion's, 50 at least.
        warm_start: whether the training starts from the champion's weights.
        on_drift: go trains on new photographs of another kind and tells, stop ends the run where they came twice in a
            row.
    """
    settings = dict(locals())
    with dsl.ExitHandler(summary().set_caching_options(False)):
        source = shared_tasks.ingested(settings)
        # Like drift it looks at the champion, which changes behind our back.
        decided = decide(
            photos=source.outputs["photos"],
            preset=preset,
            protocol=protocol,
            seed=seed,
            epochs=epochs,
            precision=precision,
            xla=xla,
            class_weights=class_weights,
            moe=moe,
            backbone_sha256=backbone_sha256,
            crop_mode=crop_mode,
            margin=margin,
            detector=detector,
            split_file=split_file,
            split_file_digest=split_file_digest,
            min_new=min_new,
            warm_start=warm_start,
            workspace=workspace,
        ).set_caching_options(False)
        # The answer is the task's only unnamed output, because kfp.local takes a condition on a named one for false.
        with dsl.If(decided.outputs["Output"] == True, name="retrain"):  # noqa: E712, a condition that Kubeflow reads
            faces = shared_tasks.cropped(source, settings)
            watched = drift(
                faces=faces.outputs["faces"],
                champion=decided.outputs["champion"],
                on_drift=on_drift,
                workspace=workspace,
            ).set_caching_options(False)
            made_of = {name: decided.outputs[name] for name in shared_tasks.FROM_CHAMPION}
            shared_tasks.promoted(faces, settings, **made_of, after=(watched,))
