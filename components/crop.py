from typing import List, NamedTuple

from kfp import dsl

from components import _images, _stage
from expressnet.config.crop import CropConfig


@_stage.stage(_images.DATA, CropConfig)
def crop(
    dataset_digest: str,
    crops_store: str,
    code_digest: str,
    preset: str,
    protocol: str,
    options: dict,
    parts: List[str],
    workspace: str,
    faces: dsl.Output[dsl.Dataset],
    crop_report: dsl.Output[dsl.HTML],
) -> NamedTuple("Outputs", [("crops", str), ("crops_digest", str)]):
    """Crops one face out of every photograph."""
    import shutil

    from expressnet.config.base import chosen
    from expressnet.config.crop import CropConfig
    from expressnet.runtime import journal, storage
    from expressnet.runtime import workspace as folders

    with journal.stage("crop", "Cropping faces with BlazeFace") as entry:
        from expressnet.model import presets
        from expressnet.stages import crop

        given = chosen(CropConfig, options)
        settings = CropConfig.of_run(protocol=protocol, size_px=presets.PRESETS[preset].size_px, **given)
        photos = str(folders.dataset(workspace, dataset_digest))
        report = crop.run(photos, folders.crops_store(workspace), settings)
        entry.update(report.plain())
    storage.write_json(faces.path, report.plain())
    faces.metadata.update(report.plain(), dataset_digest=dataset_digest, code_digest=code_digest)
    shutil.copy(f"{report.path}/report.html", crop_report.path)
    return (report.name, report.info.crops_digest)
