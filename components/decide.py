from kfp import dsl

from components import _images, _stage
from expressnet.config.crop import CropConfig
from expressnet.config.decide import RetrainConfig
from expressnet.config.split import SplitConfig
from expressnet.config.train import TrainConfig


@_stage.stage(_images.REGISTRY, CropConfig, SplitConfig, TrainConfig, RetrainConfig)
def decide(
    dataset_digest: str,
    options: dict,
    workspace: str,
    decision: dsl.Output[dsl.Artifact],
    champion: dsl.OutputPath(str),
    kept_file: dsl.OutputPath(str),
    kept_digest: dsl.OutputPath(str),
    initial_weights: dsl.OutputPath(str),
    initial_sha256: dsl.OutputPath(str),
) -> bool:
    """Decides whether data, code or settings are a reason to retrain the champion."""
    from expressnet.config.base import chosen
    from expressnet.config.decide import RetrainConfig
    from expressnet.runtime import journal
    from expressnet.runtime import workspace as folders

    with journal.stage("decide", "Comparing with what the champion was made of") as entry:
        from expressnet.stages import decide

        settings = RetrainConfig(**chosen(RetrainConfig, options))
        asked_for = decide.Settings.of_run(options)
        report = decide.run(
            str(folders.dataset(workspace, dataset_digest)), decision.path, workspace, asked_for, settings
        )
        entry.update(report.plain())
    decision.metadata.update(report.plain())
    decide.hand_over(
        report,
        champion=champion,
        kept_file=kept_file,
        kept_digest=kept_digest,
        initial_weights=initial_weights,
        initial_sha256=initial_sha256,
    )
    return report.retrain
