from kfp import dsl

from components import _images


@dsl.component(base_image=_images.TRAIN, install_kfp_package=False)
def promote(
    version: str,
    model_name: str,
    workspace: str,
    intended_use: str,
    jurisdiction: str,
    promotion: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
):
    """Decides on the same test rows whether a registered model becomes the champion."""
    import shutil

    from expressnet import config
    from expressnet.runtime import journal

    with journal.stage("promote", "Comparing with the champion") as entry:
        from expressnet.stages import promote

        settings = config.PromoteConfig(intended_use=intended_use, jurisdiction=jurisdiction)
        decision = promote.run(version, model_name, promotion.path, workspace, settings)
        entry.update(decision)
    promotion.metadata.update(decision)
    shutil.copy(f"{promotion.path}/report.html", report.path)
