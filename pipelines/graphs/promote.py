"""Decides again on a registered model, for a use that is known now or against another champion."""

from kfp import dsl

from components.promote import promote as promote_stage
from components.summary import summary
from expressnet.config import PromoteConfig


@dsl.pipeline(name="expressnet-promote", description=__doc__)
def promote(
    workspace: str,
    version: str,
    model_name: str = "",
    intended_use: str = PromoteConfig.intended_use,
    jurisdiction: str = PromoteConfig.jurisdiction,
):
    """Promotes a registered model if the gate lets it through.

    Args:
        workspace: folder of data and registry.
        version: `YYYYMMDD-<digest8>`.
        model_name: needed only where several models have a version of that name.
        intended_use: what the model is meant for; recorded, and asked for where it was made of real faces.
        jurisdiction: whose prohibitions the intended use is compared with: eu or none.
    """
    with dsl.ExitHandler(summary().set_caching_options(False)):
        promote_stage(
            version=version,
            model_name=model_name,
            workspace=workspace,
            intended_use=intended_use,
            jurisdiction=jurisdiction,
        ).set_caching_options(False)
