from kfp import dsl

from components import _images


@dsl.component(base_image=_images.TRAIN, install_kfp_package=False)
def drift(
    faces: dsl.Input[dsl.Dataset],
    champion: str,
    on_drift: str,
    workspace: str,
    shift: dsl.Output[dsl.Artifact],
    drift_report: dsl.Output[dsl.HTML],
):
    """Says whether new photographs are of another kind than the champion's."""
    import shutil

    from expressnet import config
    from expressnet.runtime import journal

    with journal.stage("drift", "Comparing new photographs with the champion's") as entry:
        from expressnet.stages import drift

        report = drift.run(faces.path, shift.path, workspace, champion, config.DriftConfig(on_drift=on_drift))
        entry.update(report)
    shift.metadata.update(report)
    shutil.copy(f"{shift.path}/report.html", drift_report.path)
