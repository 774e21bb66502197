from kfp import dsl

from components import _images


@dsl.component(base_image=_images.TRAIN, install_kfp_package=False)
def evaluate(
    model: dsl.Input[dsl.Model],
    faces: dsl.Input[dsl.Dataset],
    splits: dsl.Input[dsl.Dataset],
    model_digest: str,
    split_digest: str,
    code_digest: str,
    pictures: bool,
    workspace: str,
    evaluation: dsl.Output[dsl.Artifact],
    headline_metrics: dsl.Output[dsl.Metrics],
    confusion_matrix: dsl.Output[dsl.ClassificationMetrics],
    roc: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
):
    """Opens the test split once, with the model as it was saved."""
    import shutil

    from expressnet import config
    from expressnet.runtime import journal

    with journal.stage("evaluate", "Measuring the saved model on the test split") as entry:
        from expressnet.report import run_view
        from expressnet.stages import evaluate

        settings = config.EvaluateConfig(pictures=pictures)
        found = evaluate.run(model.path, faces.path, splits.path, evaluation.path, f"{workspace}/work", settings)
        entry.update(found)
    digests = {"model_digest": model_digest, "split_digest": split_digest, "code_digest": code_digest}
    evaluation.metadata.update(found, **digests)
    view = run_view.read(evaluation.path)
    headline_metrics.metadata.update(view.headline)
    confusion_matrix.log_confusion_matrix(*view.confusion)
    roc.log_roc_curve(*view.roc)
    run_view.leave_files(view, headline_metrics.path, confusion_matrix.path, roc.path)
    shutil.copy(f"{evaluation.path}/report.html", report.path)
