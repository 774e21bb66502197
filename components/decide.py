from typing import NamedTuple

from kfp import dsl

from components import _images


@dsl.component(base_image=_images.REGISTRY, install_kfp_package=False)
def decide(
    photos: dsl.Input[dsl.Dataset], preset: str, protocol: str, seed: int, epochs: int, precision: str, xla: bool,
    class_weights: float, moe: str, backbone_sha256: str, crop_mode: str, margin: float, detector: str,
    split_file: str, split_file_digest: str, min_new: int, warm_start: bool, workspace: str,
    decision: dsl.Output[dsl.Artifact],
) -> NamedTuple("Outputs", [("retrain", bool), ("champion", str), ("kept_file", str), ("kept_digest", str),
                            ("initial_weights", str), ("initial_sha256", str)]):  # fmt: skip
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
    return (report["retrain"], report["champion"], report["kept_file"], report["kept_digest"],
            report["initial_weights"], report["initial_sha256"])  # fmt: skip
