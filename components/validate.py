from kfp import dsl

from components import _images


@dsl.component(base_image=_images.DATA, install_kfp_package=False)
def validate(
    photos: dsl.Input[dsl.Dataset],
    dataset_digest: str,
    code_digest: str,
    min_per_class: int,
    severities: str,
    compare_with: str,
    validation: dsl.Output[dsl.Artifact],
    validation_report: dsl.Output[dsl.HTML],
):
    """Stops the run if the data would spoil the result."""
    import shutil

    from expressnet import config
    from expressnet.runtime import journal

    with journal.stage("validate", "Checking the data with Great Expectations") as entry:
        from expressnet.stages import validate

        settings = config.ValidateConfig(min_per_class=min_per_class, severities=severities, compare_with=compare_with)
        report = validate.run(photos.path, validation.path, settings)
        entry.update(report)
    validation.metadata.update(report, dataset_digest=dataset_digest, code_digest=code_digest)
    shutil.copy(f"{validation.path}/report.html", validation_report.path)
