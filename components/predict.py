from kfp import dsl

from components import _images, _stage
from expressnet.config.predict import PredictConfig


@_stage.stage(_images.TRAIN, PredictConfig)
def predict(input_uri: str, options: dict, workspace: str, predictions: dsl.Output[dsl.Dataset]):
    """Predicts one face of every photograph with a registered model."""
    from expressnet.config.base import chosen
    from expressnet.config.predict import PredictConfig
    from expressnet.runtime import journal, storage

    with journal.stage("predict", "Predicting with a registered model") as entry:
        from expressnet.stages import predict

        settings = PredictConfig(**chosen(PredictConfig, options))
        report = predict.run(input_uri, workspace, settings)
        entry.update(report.plain())
    storage.write_json(predictions.path, report.plain())
    predictions.metadata.update(report.plain())
