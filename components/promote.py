from kfp import dsl

from components import _images


@dsl.component(base_image=_images.TRAIN, install_kfp_package=False)
def promote(
    version: str, model_name: str, workspace: str, intended_use: str, jurisdiction: str,
    promotion: dsl.Output[dsl.Artifact],
):  # fmt: skip
    """Decides on the same test rows whether a registered model becomes the champion."""
    from expressnet import config, console

    with console.stage("promote", "Comparing with the champion") as journal:
        from expressnet import promote

        settings = config.PromoteConfig(intended_use=intended_use, jurisdiction=jurisdiction)
        report = promote.run(version, model_name, promotion.path, workspace, settings)
        journal.update(report)
    promotion.metadata.update(report)
