from kfp import dsl

from components import _images, _stage
from expressnet.config.validate import ValidateConfig


@_stage.stage(_images.DATA, ValidateConfig)
def validate(
    dataset_digest: str,
    code_digest: str,
    options: dict,
    workspace: str,
    validation: dsl.Output[dsl.Artifact],
    validation_report: dsl.Output[dsl.HTML],
):
    """Stops the run if the data would spoil the result."""
    import shutil

    from expressnet.config.base import chosen
    from expressnet.config.validate import ValidateConfig
    from expressnet.runtime import journal
    from expressnet.runtime import workspace as folders

    with journal.stage("validate", "Checking the data with Great Expectations") as entry:
        from expressnet.stages import validate

        settings = ValidateConfig(**chosen(ValidateConfig, options))
        photos = str(folders.dataset(workspace, dataset_digest))
        report = validate.run(photos, validation.path, settings)
        entry.update(report.plain())
    validation.metadata.update(report.plain(), dataset_digest=dataset_digest, code_digest=code_digest)
    shutil.copy(f"{validation.path}/report.html", validation_report.path)
