"""What the graphs share: the way of photographs to a promoted model, in three parts.

Plain functions that are called within a pipeline and add their tasks to it. Each takes the pipeline's parameters by
name, as `settings`.
"""

from __future__ import annotations

from typing import Any

from kfp import dsl

from components.crop import crop
from components.cut import cut
from components.evaluate import evaluate
from components.ingest import ingest
from components.promote import promote
from components.register import register
from components.split import split
from components.train import train
from components.validate import validate
from expressnet.runtime import code_version
from pipelines.graphs import fan_out
from pipelines.graphs.parameters import Settings, task

# What a retraining takes over from the champion; see SplitConfig and TrainConfig.
FROM_CHAMPION = ("kept_file", "kept_digest", "initial_weights", "initial_sha256")
FROM_NOBODY = dict.fromkeys(FROM_CHAMPION, "")


def ingested(settings: Settings) -> dsl.PipelineTask:
    """Reads the source every time: its digest decides what of the rest is still fresh."""
    return task(ingest, settings).set_caching_options(False)


def cropped(source: dsl.PipelineTask, settings: Settings) -> dsl.PipelineTask:
    """Cuts the faces out of photographs that passed the gate."""
    digest = source.outputs["dataset_digest"]
    checked = task(validate, settings, dataset_digest=digest, code_digest=code_version.digest("stages.validate"))
    data = {"dataset_digest": digest, "crops_store": source.outputs["crops_store"]}
    return task(
        crop,
        settings,
        **data,
        code_digest=code_version.digest("stages.crop", "model.presets"),
        parts=_cut(settings, data, after=checked),
    ).after(checked)


def _cut(settings: Settings, data: Settings, *, after: dsl.PipelineTask) -> Any:
    """Adds the loop over parts where there are several; returns what makes crop wait for it."""
    fan = fan_out.current()
    if fan.parts == 1:
        return []
    with dsl.ParallelFor(list(range(fan.parts)), parallelism=fan.parallelism) as part:
        code_digest = code_version.digest("stages.cut", "model.presets")
        made = task(cut, settings, **data, code_digest=code_digest, part=part, num_parts=fan.parts).after(after)
    return dsl.Collected(made.output)


def promoted(
    cropped: dsl.PipelineTask, settings: Settings, from_champion: Settings, after: tuple[dsl.PipelineTask, ...] = ()
) -> None:
    """Splits, trains, evaluates, registers and promotes.

    Args:
        cropped: the task crop.
        settings: of the pipeline.
        from_champion: what the split keeps to and the training starts from, by the names of `FROM_CHAMPION`.
        after: tasks that must have succeeded.
    """
    crops, settings = cropped.outputs["crops"], {**settings, **from_champion}
    divided = task(
        split,
        settings,
        crops=crops,
        crops_digest=cropped.outputs["crops_digest"],
        code_digest=code_version.digest("stages.split"),
    ).after(*after)
    splits, split_digest = divided.outputs["splits"], divided.outputs["split_digest"]
    trained = task(
        train,
        settings,
        crops=crops,
        splits=splits,
        split_digest=split_digest,
        code_digest=code_version.digest("stages.train"),
    )
    evaluated = task(
        evaluate,
        settings,
        model=trained.outputs["model"],
        crops=crops,
        splits=splits,
        model_digest=trained.outputs["model_digest"],
        split_digest=split_digest,
        code_digest=code_version.digest("stages.evaluate"),
    )
    # The registry changes behind our back, so these two always look; both do nothing twice.
    registered = task(
        register, settings, model=trained.outputs["model"], evaluation=evaluated.outputs["evaluation"]
    ).set_caching_options(False)
    task(
        promote, settings, version=registered.outputs["version"], model_name=registered.outputs["model_name"]
    ).set_caching_options(False)
