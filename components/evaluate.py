from kfp import dsl

from components import _images


@dsl.component(base_image=_images.TRAIN, install_kfp_package=False)
def evaluate(
    model: dsl.Input[dsl.Model], faces: dsl.Input[dsl.Dataset], splits: dsl.Input[dsl.Dataset], model_digest: str,
    split_digest: str, code_digest: str, workspace: str, evaluation: dsl.Output[dsl.Artifact],
    headline_metrics: dsl.Output[dsl.Metrics], confusion_matrix: dsl.Output[dsl.ClassificationMetrics],
    roc_curve: dsl.Output[dsl.ClassificationMetrics], report: dsl.Output[dsl.HTML],
):  # fmt: skip
    """Opens the test split once, with the model as it was saved."""
    import shutil

    from expressnet import config, console

    with console.stage("evaluate", "Measuring the saved model on the test split") as journal:
        from expressnet import evaluate, run_view, storage

        found = evaluate.run(
            model.path, faces.path, splits.path, evaluation.path, f"{workspace}/work", config.EvaluateConfig()
        )
        journal.update(found)
    evaluation.metadata.update(
        found, model_digest=model_digest, split_digest=split_digest, code_digest=code_digest
    )  # fmt: skip
    whole = storage.read_json(f"{evaluation.path}/evaluation.json")
    headlines = {name: whole["metrics"][name]["value"] for name in whole["headlines"]}
    headline_metrics.metadata.update(run_view.finite(headlines))
    confusion_matrix.log_confusion_matrix(whole["classes"], whole["confusion"])
    roc_curve.log_roc_curve(**whole["roc"])
    run_view.keep(headline_metrics, confusion_matrix, roc_curve)
    shutil.copy(f"{evaluation.path}/report.html", report.path)
