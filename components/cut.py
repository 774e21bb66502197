from components import _images, _stage
from expressnet.config.crop import CropConfig


@_stage.stage(_images.DATA, CropConfig, without=("pictures",))
def cut(
    dataset_digest: str,
    crops_store: str,
    code_digest: str,
    preset: str,
    protocol: str,
    options: dict,
    part: int,
    num_parts: int,
    workspace: str,
) -> str:
    """Cuts the faces of one part of the photographs."""
    from expressnet.config.base import chosen
    from expressnet.config.crop import CropConfig, CutConfig
    from expressnet.runtime import journal
    from expressnet.runtime import workspace as folders

    with journal.stage("cut", f"Cropping faces, part {part} of 0 to {num_parts - 1}", part=part) as entry:
        from expressnet.model import presets
        from expressnet.stages import cut

        given = chosen(CropConfig, options)
        settings = CropConfig.of_run(protocol=protocol, size_px=presets.PRESETS[preset].size_px, **given)
        which = CutConfig(part=part, num_parts=num_parts)
        report = cut.run(
            str(folders.dataset(workspace, dataset_digest)), folders.crops_store(workspace), settings, which
        )
        entry.update(report.plain())
    return report.crops
