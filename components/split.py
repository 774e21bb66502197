from typing import NamedTuple

from kfp import dsl

from components import _images, _stage
from expressnet.config.split import SplitConfig


@_stage.stage(_images.DATA, SplitConfig)
def split(
    crops: str,
    crops_digest: str,
    code_digest: str,
    options: dict,
    kept_file: str,
    kept_digest: str,
    workspace: str,
    splits: dsl.Output[dsl.Dataset],
) -> NamedTuple("Outputs", [("split_digest", str)]):
    """Chooses who is trained on, selected on and tested on."""
    from expressnet.config.base import chosen
    from expressnet.config.split import SplitConfig
    from expressnet.runtime import journal
    from expressnet.runtime import workspace as folders

    with journal.stage("split", "Dividing into train, val and test") as entry:
        from expressnet.stages import split

        given = chosen(SplitConfig, options)
        settings = SplitConfig(**given, kept_file=kept_file, kept_digest=kept_digest)
        report = split.run(str(folders.crops(workspace, crops)), splits.path, settings)
        entry.update(report.plain())
    splits.metadata.update(report.plain(), crops_digest=crops_digest, code_digest=code_digest)
    return (report.split_digest,)
