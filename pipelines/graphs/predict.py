"""From photographs without labels to a table of predictions."""

from kfp import dsl

from components.predict import predict as predict_stage
from components.summary import summary
from pipelines.graphs.parameters import Settings, pipeline, task


@pipeline(required={"input_uri": "folder, file, archive or gs://bucket/prefix of the photographs"})
def predict(settings: Settings) -> None:
    """Predicts every photograph of a source with the champion, or with a version."""
    with dsl.ExitHandler(summary().set_caching_options(False)):
        # Reads the source every time; what was predicted before it knows by itself.
        task(predict_stage, settings).set_caching_options(False)
