from typing import NamedTuple

from kfp import dsl

from components import _images


@dsl.component(base_image=_images.DATA, install_kfp_package=False)
def ingest(
    dataset: str,
    data_uri: str,
    limit: int,
    label_mode: str,
    licence_accepted: bool,
    workspace: str,
    photos: dsl.Output[dsl.Dataset],
) -> NamedTuple("Outputs", [("dataset_digest", str)]):
    """Reads a data set into a content-addressed folder: manifest and tar shards."""
    from expressnet import config
    from expressnet.runtime import journal

    with journal.stage("ingest", f"Reading {dataset} from {data_uri or 'its usual place'}") as entry:
        from expressnet.stages import ingest

        settings = config.IngestConfig(
            dataset=dataset, limit=limit, label_mode=label_mode, licence_accepted=licence_accepted
        )
        report = ingest.run(data_uri, f"{workspace}/datasets", settings)
        entry.update(report)
    photos.uri = report["path"]
    photos.metadata.update(report)
    return (report["dataset_digest"],)
