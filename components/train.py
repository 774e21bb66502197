from typing import NamedTuple

from kfp import dsl

from components import _images, _stage
from expressnet.config.train import CheckpointConfig, TrainConfig


@_stage.stage(_images.TRAIN, TrainConfig, CheckpointConfig)
def train(
    crops: str,
    splits: dsl.Input[dsl.Dataset],
    split_digest: str,
    code_digest: str,
    options: dict,
    initial_weights: str,
    initial_sha256: str,
    workspace: str,
    model: dsl.Output[dsl.Model],
) -> NamedTuple("Outputs", [("model_digest", str)]):
    """Trains ExpressNet-MoE and keeps the best epoch."""
    from expressnet.config.base import chosen
    from expressnet.config.train import CheckpointConfig, TrainConfig, recipe
    from expressnet.runtime import journal
    from expressnet.runtime import workspace as folders

    with journal.stage("train", "Training ExpressNet-MoE") as entry:
        from expressnet.stages import train

        given = chosen(TrainConfig, options)
        settings = recipe(**given, initial_weights=initial_weights, initial_sha256=initial_sha256)
        checkpointing = CheckpointConfig(**chosen(CheckpointConfig, options))
        faces = str(folders.crops(workspace, crops))
        report = train.run(faces, splits.path, model.path, f"{workspace}/work", settings, checkpointing)
        entry.update(report.plain())
    model.metadata.update(report.plain(), split_digest=split_digest, code_digest=code_digest)
    return (report.model_digest,)
