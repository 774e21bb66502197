from kfp import dsl

from components import _images, _stage
from expressnet.config.drift import DriftConfig


@_stage.stage(_images.TRAIN, DriftConfig)
def drift(
    crops: str,
    champion: str,
    options: dict,
    workspace: str,
    shift: dsl.Output[dsl.Artifact],
    drift_report: dsl.Output[dsl.HTML],
):
    """Returns whether new photographs are of another kind than the champion's."""
    import shutil

    from expressnet.config.base import chosen
    from expressnet.config.drift import DriftConfig
    from expressnet.runtime import journal
    from expressnet.runtime import workspace as folders

    with journal.stage("drift", "Comparing new photographs with the champion's") as entry:
        from expressnet.stages import drift

        settings = DriftConfig(**chosen(DriftConfig, options))
        report = drift.run(str(folders.crops(workspace, crops)), shift.path, workspace, champion, settings)
        entry.update(report.plain())
    shift.metadata.update(report.plain())
    shutil.copy(f"{shift.path}/report.html", drift_report.path)
