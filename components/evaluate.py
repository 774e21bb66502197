from kfp import dsl

from components import _images


@dsl.component(base_image=_images.TRAIN, install_kfp_package=False)
def evaluate(
    model: dsl.Input[dsl.Model], faces: dsl.Input[dsl.Dataset], splits: dsl.Input[dsl.Dataset], model_digest: str,
    split_digest: str, code_digest: str, workspace: str, evaluation: dsl.Output[dsl.Artifact],
    headline_metrics: dsl.Output[dsl.Metrics], confusion_matrix: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
):  # fmt: skip
    """Opens the test split once, with the model as it was saved."""
    import shutil

    from expressnet import config, console

    with console.stage("evaluate", "Measuring the saved model on the test split") as journal:
        from expressnet import evaluate, storage

        found = evaluate.run(
            model.path, faces.path, splits.path, evaluation.path, f"{workspace}/work", config.EvaluateConfig()
        )
        journal.update(found)
    digests = {"model_digest": model_digest, "split_digest": split_digest, "code_digest": code_digest}
    evaluation.metadata.update(found, **digests)
    whole = storage.read_json(f"{evaluation.path}/evaluation.json")
    headline_metrics.metadata.update({name: whole["metrics"][name]["value"] for name in whole["headlines"]})
    confusion_matrix.log_confusion_matrix(whole["classes"], whole["confusion"])
    # The run view reads the metadata, but kfp.local's cache takes an artifact without a file for a lost one.
    storage.write_json(headline_metrics.path, headline_metrics.metadata)
    storage.write_json(confusion_matrix.path, {name: whole[name] for name in ("classes", "confusion")})
    shutil.copy(f"{evaluation.path}/report.html", report.path)
