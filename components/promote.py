from kfp import dsl

from components import _images, _stage
from expressnet.config.promote import PromoteConfig


@_stage.stage(_images.TRAIN, PromoteConfig)
def promote(
    version: str,
    model_name: str,
    options: dict,
    workspace: str,
    promotion: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
):
    """Decides on the same test rows whether a registered model becomes the champion."""
    import shutil

    from expressnet.config.base import chosen
    from expressnet.config.promote import PromoteConfig
    from expressnet.runtime import journal

    with journal.stage("promote", "Comparing with the champion") as entry:
        from expressnet.stages import promote

        settings = PromoteConfig(**chosen(PromoteConfig, options))
        decision = promote.run(version, model_name, promotion.path, workspace, settings)
        entry.update(decision.plain())
    promotion.metadata.update(decision.plain())
    shutil.copy(f"{promotion.path}/report.html", report.path)
