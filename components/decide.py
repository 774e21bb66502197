from kfp import dsl

from components import _images


@dsl.component(base_image=_images.REGISTRY, install_kfp_package=False)
def decide(
    photos: dsl.Input[dsl.Dataset], preset: str, protocol: str, seed: int, epochs: int, precision: str, xla: bool,
    class_weights: float, moe: str, backbone_sha256: str, crop_mode: str, margin: float, detector: str,
    split_file: str, split_file_digest: str, min_new: int, warm_start: bool, workspace: str,
    decision: dsl.Output[dsl.Artifact], champion: dsl.OutputPath(str), kept_file: dsl.OutputPath(str),
    kept_digest: dsl.OutputPath(str), initial_weights: dsl.OutputPath(str), initial_sha256: dsl.OutputPath(str),
) -> bool:  # fmt: skip
    """Says whether data, code or settings are a reason to retrain the champion."""
    from expressnet import config, console

    with console.stage("decide", "Comparing with what the champion was made of") as journal:
        from expressnet import decide

        settings = decide.Settings.of_run(
            preset=preset, protocol=protocol, seed=seed, epochs=epochs, precision=precision, xla=xla, moe=moe,
            class_weights=class_weights, backbone_sha256=backbone_sha256, crop_mode=crop_mode, margin=margin,
            detector=detector, split_file=split_file, split_file_digest=split_file_digest,
        )  # fmt: skip
        demands = config.RetrainConfig(min_new=min_new, warm_start=warm_start)
        report = decide.run(photos.path, decision.path, workspace, settings, demands)
        journal.update(report)
    decision.metadata.update(report)
    decide.hand_over(report, {
        "champion": champion, "kept_file": kept_file, "kept_digest": kept_digest, "initial_weights": initial_weights,
        "initial_sha256": initial_sha256,
    })  # fmt: skip
    return report["retrain"]
