from typing import NamedTuple

from kfp import dsl

from components import _images, _stage
from expressnet.config.ingest import IngestConfig, SourceConfig


@_stage.stage(_images.DATA, SourceConfig, IngestConfig)
def ingest(options: dict, workspace: str, photos: dsl.Output[dsl.Dataset]) -> NamedTuple(
    "Outputs", [("dataset_digest", str), ("crops_store", str)]
):
    """Reads a data set into a content-addressed folder: manifest and tar shards."""
    from expressnet.config.base import chosen
    from expressnet.config.ingest import IngestConfig
    from expressnet.runtime import journal, storage
    from expressnet.runtime import workspace as folders

    with journal.stage(
        "ingest", f"Reading {options['dataset']} from {options['data_uri'] or 'its usual place'}"
    ) as entry:
        from expressnet.stages import ingest

        settings = IngestConfig(**chosen(IngestConfig, options))
        report = ingest.run(options["data_uri"], folders.datasets(workspace), settings)
        entry.update(report.plain())
    storage.write_json(photos.path, report.plain())
    photos.metadata.update(report.plain())
    return (report.info.dataset_digest, folders.identity(workspace))
