"""The folders of a workspace that travel between stages by name, never as the URI of an artifact.

Kubeflow takes no path for an artifact's URI, and its cache compares ids of artifacts instead of content. A name that
follows from the content (a digest) is a plain parameter, and the same wherever the workspace is mounted.
"""

from __future__ import annotations

import uuid
from pathlib import Path

_DATASETS, _CROPS = "datasets", "crops"
_IDENTITY_FILE = ".identity"


def datasets(workspace: str | Path) -> Path:
    """Returns the folder of all data sets."""
    return Path(workspace) / _DATASETS


def dataset(workspace: str | Path, dataset_digest: str) -> Path:
    """Returns the folder of one data set."""
    return datasets(workspace) / dataset_digest


def crops_store(workspace: str | Path) -> Path:
    """Returns the folder of all crops."""
    return Path(workspace) / _CROPS


def crops(workspace: str | Path, name: str) -> Path:
    """Returns the folder of the crops of one data set.

    Raises:
        FileNotFoundError: it is gone. Results of cropping that were kept for reuse are forgotten then, so that the next
            run cuts the faces again.
    """
    folder = crops_store(workspace) / name
    if not folder.is_dir():
        (crops_store(workspace) / _IDENTITY_FILE).unlink(missing_ok=True)
        raise FileNotFoundError(
            f"The crops {folder} must be there, because an earlier run cut them, but they are gone. Did somebody empty "
            "the workspace? Start the same run again: it cuts them anew."
        )
    return folder


def identity(workspace: str | Path) -> str:
    """Returns an id of the folder of all crops, a new one wherever the folder is new.

    It is an input of the stages that fill the folder, and so part of the key under which their results are reused:
    where somebody emptied the workspace, they run again.
    """
    path = crops_store(workspace) / _IDENTITY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x") as file:
            file.write(uuid.uuid4().hex)
    except FileExistsError:
        pass
    return path.read_text()
