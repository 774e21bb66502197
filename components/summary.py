from kfp import dsl

from components import _images, _stage


@_stage.stage(_images.DATA)
def summary(status: dsl.PipelineTaskFinalStatus, run_summary: dsl.Output[dsl.Markdown]):
    """Writes what the run did, whatever happened."""
    from expressnet.stages import summary

    summary.run(run_summary.path, status.state, status.error_message or "")
