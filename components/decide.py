from kfp import dsl

from components import _images


@dsl.component(base_image=_images.REGISTRY, install_kfp_package=False)
def decide(
    photos: dsl.Input[dsl.Dataset],
    preset: str,
    protocol: str,
    seed: int,
    epochs: int,
    precision: str,
    xla: bool,
    class_weights: float,
    moe: str,
    backbone_sha256: str,
    crop_mode: str,
    margin: float,
    detector: str,
    split_file: str,
    split_file_digest: str,
    min_new: int,
    warm_start: bool,
    workspace: str,
    decision: dsl.Output[dsl.Artifact],
    champion: dsl.OutputPath(str),
    kept_file: dsl.OutputPath(str),
    kept_digest: dsl.OutputPath(str),
    initial_weights: dsl.OutputPath(str),
    initial_sha256: dsl.OutputPath(str),
) -> bool:
    """Says whether data, code or settings are a reason to retrain the champion."""
    given = dict(locals())
    from expressnet.runtime import journal

    with journal.stage("decide", "Comparing with what the champion was made of") as entry:
        from expressnet.stages import decide

        report = decide.run(photos.path, decision.path, workspace, *decide.asked_for(given))
        entry.update(report)
    decision.metadata.update(report)
    decide.hand_over(report, given)
    return report["retrain"]
