from typing import NamedTuple

from kfp import dsl

from components import _images, _stage


@_stage.stage(_images.REGISTRY)
def register(
    model: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    workspace: str,
    registration: dsl.Output[dsl.Artifact],
) -> NamedTuple("Outputs", [("version", str), ("model_name", str)]):
    """Puts the model into the registry, once."""
    from expressnet.runtime import journal

    with journal.stage("register", "Registering the model with MLflow") as entry:
        from expressnet.stages import register

        report = register.run(model.path, evaluation.path, registration.path, workspace)
        entry.update(report.plain())
    registration.metadata.update(report.plain())
    return (report.version, report.model_name)
