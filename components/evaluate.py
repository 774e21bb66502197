from kfp import dsl

from components import _images, _stage
from expressnet.config.evaluate import EvaluateConfig


@_stage.stage(_images.TRAIN, EvaluateConfig)
def evaluate(
    model: dsl.Input[dsl.Model],
    splits: dsl.Input[dsl.Dataset],
    crops: str,
    model_digest: str,
    split_digest: str,
    code_digest: str,
    options: dict,
    workspace: str,
    evaluation: dsl.Output[dsl.Artifact],
    headline_metrics: dsl.Output[dsl.Metrics],
    confusion_matrix: dsl.Output[dsl.ClassificationMetrics],
    roc: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
):
    """Opens the test split once, with the model as it was saved."""
    import shutil

    from expressnet.config.base import chosen
    from expressnet.config.evaluate import EvaluateConfig
    from expressnet.runtime import journal
    from expressnet.runtime import workspace as folders

    with journal.stage("evaluate", "Measuring the saved model on the test split") as entry:
        from expressnet.report import run_view
        from expressnet.stages import evaluate

        settings = EvaluateConfig(**chosen(EvaluateConfig, options))
        faces = str(folders.crops(workspace, crops))
        found = evaluate.run(model.path, faces, splits.path, evaluation.path, f"{workspace}/work", settings)
        entry.update(found.plain())
    digests = {"model_digest": model_digest, "split_digest": split_digest, "code_digest": code_digest}
    evaluation.metadata.update(found.plain(), **digests)
    view = run_view.read(evaluation.path)
    headline_metrics.metadata.update(view.headline)
    confusion_matrix.log_confusion_matrix(*view.confusion)
    roc.log_roc_curve(*view.roc)
    run_view.leave_files(view, headline_metrics.path, confusion_matrix.path, roc.path)
    shutil.copy(f"{evaluation.path}/report.html", report.path)
