from kfp import dsl

from components import _images


@dsl.component(base_image=_images.DATA, install_kfp_package=False)
def cut(
    photos: dsl.Input[dsl.Dataset],
    dataset_digest: str,
    code_digest: str,
    preset: str,
    mode: str,
    protocol: str,
    margin: float,
    detector: str,
    part: int,
    num_parts: int,
    workspace: str,
) -> str:
    """Cuts the faces of one part of the photographs."""
    from expressnet import config
    from expressnet.runtime import journal

    with journal.stage("cut", f"Cutting out faces, part {part} of 0 to {num_parts - 1}", part=part) as entry:
        from expressnet.model import presets
        from expressnet.stages import cut

        settings = config.CropConfig.of_run(
            mode=mode, protocol=protocol, size_px=presets.PRESETS[preset].size_px, margin=margin, detector=detector
        )
        which = config.CutConfig(part=part, num_parts=num_parts)
        report = cut.run(photos.path, f"{workspace}/crops", settings, which)
        entry.update(report)
    return report["crops"]
