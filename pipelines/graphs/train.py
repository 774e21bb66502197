"""From raw photographs to a promoted model."""

from kfp import dsl

from components.summary import summary
from pipelines.graphs import shared_tasks
from pipelines.graphs.parameters import Settings, pipeline


@pipeline()
def train(settings: Settings) -> None:
    """Ingests, validates, crops, splits, trains, evaluates, registers and promotes."""
    with dsl.ExitHandler(summary().set_caching_options(False)):
        source = shared_tasks.ingested(settings)
        cropped = shared_tasks.cropped(source, settings)
        shared_tasks.promoted(cropped, settings, shared_tasks.FROM_NOBODY)
