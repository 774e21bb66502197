"""From photographs without labels to a table of predictions."""

from kfp import dsl

from components.predict import predict as predict_stage
from components.summary import summary
from expressnet.config import PredictConfig


@dsl.pipeline(name="expressnet-predict", description=__doc__)
def predict(
    workspace: str,
    input_uri: str,
    model: str = PredictConfig.model,
    version: str = PredictConfig.version,
    gallery: bool = PredictConfig.gallery,
):
    """Predicts every photograph of a source with the champion, or with a version.

    Args:
        workspace: folder of the registry, in which the predictions are kept.
        input_uri: folder, file, archive or gs://bucket/prefix.
        model: name of a registered model; empty where there is one champion.
        version: name of a registered version; empty for the champion.
        gallery: whether a page with the crops is written.
    """
    with dsl.ExitHandler(summary().set_caching_options(False)):
        # Reads the source every time; what was predicted before it knows by itself.
        predict_stage(
            input_uri=input_uri, workspace=workspace, model=model, version=version, gallery=gallery
        ).set_caching_options(False)
