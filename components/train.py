from typing import NamedTuple

from kfp import dsl

from components import _images


@dsl.component(base_image=_images.TRAIN, install_kfp_package=False)
def train(
    faces: dsl.Input[dsl.Dataset],
    splits: dsl.Input[dsl.Dataset],
    split_digest: str,
    code_digest: str,
    preset: str,
    seed: int,
    epochs: int,
    precision: str,
    xla: bool,
    class_weights: float,
    crop_cache: bool,
    moe: str,
    backbone_weights: str,
    backbone_sha256: str,
    initial_weights: str,
    initial_sha256: str,
    checkpoint_uri: str,
    workspace: str,
    model: dsl.Output[dsl.Model],
) -> NamedTuple("Outputs", [("model_digest", str)]):
    """Trains ExpressNet-MoE and keeps the best epoch."""
    from expressnet import config
    from expressnet.runtime import journal

    with journal.stage("train", "Training ExpressNet-MoE") as entry:
        from expressnet.stages import train

        settings = config.recipe(
            preset,
            seed=seed,
            epochs=epochs,
            precision=precision,
            xla=xla,
            class_weights=class_weights,
            crop_cache=crop_cache,
            moe=moe,
            backbone_weights=backbone_weights,
            backbone_sha256=backbone_sha256,
            initial_weights=initial_weights,
            initial_sha256=initial_sha256,
        )
        checkpointing = config.CheckpointConfig(mirror_uri=checkpoint_uri)
        report = train.run(faces.path, splits.path, model.path, f"{workspace}/work", settings, checkpointing)
        entry.update(report)
    model.metadata.update(report, split_digest=split_digest, code_digest=code_digest)
    return (report["model_digest"],)
