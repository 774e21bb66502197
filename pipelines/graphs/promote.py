"""Decides again on a registered model, for a use that is known now or against another champion."""

from kfp import dsl

from components.promote import promote as promote_stage
from components.summary import summary
from pipelines.graphs.parameters import Settings, pipeline, task


@pipeline(
    required={"version": "YYYYMMDD-<digest8> of a registered model"},
    optional={"model_name": "its name, such as expressnet-demo; needed only if several models have that version"},
)
def promote(settings: Settings) -> None:
    """Promotes a registered model if the gate lets it through."""
    with dsl.ExitHandler(summary().set_caching_options(False)):
        task(promote_stage, settings).set_caching_options(False)
