from kfp import dsl

from components import _images


@dsl.component(base_image=_images.TRAIN, install_kfp_package=False)
def predict(
    input_uri: str, workspace: str, model: str, version: str, gallery: bool, predictions: dsl.Output[dsl.Dataset]
):
    """Predicts one face of every photograph with a registered model."""
    from expressnet import config
    from expressnet.runtime import journal

    with journal.stage("predict", "Predicting with a registered model") as entry:
        from expressnet.stages import predict

        settings = config.PredictConfig(model=model, version=version, gallery=gallery)
        report = predict.run(input_uri, workspace, settings)
        entry.update(report)
    predictions.uri = report["path"]
    predictions.metadata.update(report)
