from typing import List, NamedTuple

from kfp import dsl

from components import _images, _stage
from expressnet.config.crop import CropConfig


@_stage.stage(_images.DATA, CropConfig)
def crop(
    photos: dsl.Input[dsl.Dataset],
    dataset_digest: str,
    code_digest: str,
    preset: str,
    protocol: str,
    options: dict,
    parts: List[str],
    workspace: str,
    faces: dsl.Output[dsl.Dataset],
    crop_report: dsl.Output[dsl.HTML],
) -> NamedTuple("Outputs", [("crops_digest", str)]):
    """Cuts one face out of every photograph."""
    import shutil

    from expressnet import config
    from expressnet.runtime import journal

    with journal.stage("crop", "Cutting out faces with BlazeFace") as entry:
        from expressnet.model import presets
        from expressnet.stages import crop

        given = config.chosen(config.CropConfig, options)
        settings = config.CropConfig.of_run(protocol=protocol, size_px=presets.PRESETS[preset].size_px, **given)
        report = crop.run(photos.path, f"{workspace}/crops", settings)
        entry.update(report)
    faces.uri = report["path"]
    faces.metadata.update(report, dataset_digest=dataset_digest, code_digest=code_digest)
    shutil.copy(f"{report['path']}/report.html", crop_report.path)
    return (report["crops_digest"],)
