"""Trains the champion anew if data, code or settings changed, and does nothing otherwise."""

from kfp import dsl

from components.decide import decide
from components.drift import drift
from components.summary import summary
from pipelines.graphs import shared_tasks
from pipelines.graphs.parameters import Settings, pipeline, task


@pipeline()
def retrain(settings: Settings) -> None:
    """Compares with what the champion was made of, and goes the way of the pipeline train where that is another."""
    with dsl.ExitHandler(summary().set_caching_options(False)):
        source = shared_tasks.ingested(settings)
        # Like drift it looks at the champion, which changes behind our back.
        decided = task(decide, settings, dataset_digest=source.outputs["dataset_digest"]).set_caching_options(False)
        # The answer is the task's only unnamed output, because kfp.local takes a condition on a named one for false.
        with dsl.If(decided.outputs["Output"] == True, name="retrain"):  # noqa: E712, a condition that Kubeflow reads
            cropped = shared_tasks.cropped(source, settings)
            watched = task(
                drift, settings, crops=cropped.outputs["crops"], champion=decided.outputs["champion"]
            ).set_caching_options(False)
            from_champion = {name: decided.outputs[name] for name in shared_tasks.FROM_CHAMPION}
            shared_tasks.promoted(cropped, settings, from_champion, after=(watched,))
