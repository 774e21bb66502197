from kfp import dsl

from components import _images


@dsl.component(base_image=_images.TRAIN, install_kfp_package=False)
def promote(
    photos: dsl.Input[dsl.Dataset], splits: dsl.Input[dsl.Dataset], evaluation: dsl.Input[dsl.Artifact],
    registration: dsl.Input[dsl.Artifact], workspace: str, intended_use: str, promotion: dsl.Output[dsl.Artifact],
):  # fmt: skip
    """Decides on the same test rows whether the model becomes the champion."""
    from expressnet import config, console

    with console.stage("promote", "Comparing with the champion") as journal:
        from expressnet import promote

        report = promote.run(
            photos.path, splits.path, evaluation.path, registration.path, promotion.path, workspace,
            config.PromoteConfig(intended_use=intended_use),
        )  # fmt: skip
        journal.update(report)
    promotion.metadata.update(report)
