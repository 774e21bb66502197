"""What the graphs share: the way of photographs to a promoted model, in three parts.

Plain functions that are called within a pipeline and add their tasks to it. Each takes the pipeline's parameters by
name, as `settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from expressnet.config import SplitConfig, TrainConfig
from expressnet.runtime import code_version
from pipelines.graphs import fan_out

Settings = Mapping[str, Any]
# What a retraining takes over from the champion; see SplitConfig and TrainConfig.
FROM_CHAMPION = ("kept_file", "kept_digest", "initial_weights", "initial_sha256")


def ingested(settings: Settings) -> dsl.PipelineTask:
    """Reads the source every time: its digest decides what of the rest is still fresh."""
    names = ("dataset", "data_uri", "limit", "label_mode", "licence_accepted", "workspace")
    return ingest(**_chosen(settings, names)).set_caching_options(False)


def cropped(source: dsl.PipelineTask, settings: Settings) -> dsl.PipelineTask:
    """Cuts the faces out of photographs that passed the gate."""
    data = {name: source.outputs[name] for name in ("photos", "dataset_digest")}
    checked = validate(
        **data,
        code_digest=code_version.digest("stages.validate"),
        **_chosen(settings, ("min_per_class", "severities", "compare_with")),
    )
    how = {
        **data,
        "mode": settings["crop_mode"],
        **_chosen(settings, ("preset", "protocol", "margin", "detector", "workspace")),
    }
    return crop(
        **how,
        code_digest=code_version.digest("stages.crop", "model.presets"),
        pictures=settings["pictures"],
        parts=_cut(how, after=checked),
    ).after(checked)


def _cut(how: Settings, *, after: dsl.PipelineTask) -> Any:
    """Adds the loop over parts where there are several; returns what makes crop wait for it."""
    fan = fan_out.current()
    if fan.parts == 1:
        return []
    with dsl.ParallelFor(list(range(fan.parts)), parallelism=fan.parallelism) as part:
        made = cut(
            **how, code_digest=code_version.digest("stages.cut", "model.presets"), part=part, num_parts=fan.parts
        ).after(after)
    return dsl.Collected(made.output)


def promoted(
    crops: dsl.PipelineTask,
    settings: Settings,
    *,
    kept_file: Any = SplitConfig.kept_file,
    kept_digest: Any = SplitConfig.kept_digest,
    initial_weights: Any = TrainConfig.initial_weights,
    initial_sha256: Any = TrainConfig.initial_sha256,
    after: tuple[dsl.PipelineTask, ...] = (),
) -> None:
    """Splits, trains, evaluates, registers and promotes.

    Args:
        crops: the task crop.
        settings: of the pipeline.
        kept_file: see expressnet.config.SplitConfig.
        kept_digest: see there.
        initial_weights: see expressnet.config.TrainConfig.
        initial_sha256: see there.
        after: tasks that must have succeeded.
    """
    faces, workspace = crops.outputs["faces"], settings["workspace"]
    divided = split(
        faces=faces,
        crops_digest=crops.outputs["crops_digest"],
        code_digest=code_version.digest("stages.split"),
        kept_file=kept_file,
        kept_digest=kept_digest,
        **_chosen(settings, ("protocol", "seed", "split_file", "split_file_digest")),
    ).after(*after)
    splits, split_digest = divided.outputs["splits"], divided.outputs["split_digest"]
    trained = train(
        faces=faces,
        splits=splits,
        split_digest=split_digest,
        code_digest=code_version.digest("stages.train"),
        initial_weights=initial_weights,
        initial_sha256=initial_sha256,
        **_chosen(
            settings,
            (
                "preset",
                "seed",
                "epochs",
                "precision",
                "xla",
                "class_weights",
                "crop_cache",
                "moe",
                "backbone_weights",
                "backbone_sha256",
                "checkpoint_uri",
                "workspace",
            ),
        ),
    )
    evaluated = evaluate(
        model=trained.outputs["model"],
        faces=faces,
        splits=splits,
        model_digest=trained.outputs["model_digest"],
        split_digest=split_digest,
        code_digest=code_version.digest("stages.evaluate"),
        pictures=settings["pictures"],
        workspace=workspace,
    )
    # The registry changes behind our back, so these two always look; both do nothing twice.
    registered = register(
        model=trained.outputs["model"], evaluation=evaluated.outputs["evaluation"], workspace=workspace
    ).set_caching_options(False)
    promote(
        version=registered.outputs["version"],
        model_name=registered.outputs["model_name"],
        workspace=workspace,
        intended_use=settings["intended_use"],
        jurisdiction=settings["jurisdiction"],
    ).set_caching_options(False)


def _chosen(settings: Settings, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: settings[name] for name in names}
