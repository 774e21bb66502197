"""Erases examples from a workspace: their photographs, crops, rows and the pages that may show them.

What is erased is recorded first, so that no later run takes it in again. Everything else stays: a data set goes on
as the data set without them, and its crops are taken over by the next run. Models stay too, because they hold no
photograph; those that were trained on one are named. The source itself is not ours, nor are names of files in logs.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from expressnet.artifacts.crops_info import CropsInfo
from expressnet.artifacts.provenance import Provenance
from expressnet.artifacts.registration import Registration
from expressnet.artifacts.split_info import SplitInfo
from expressnet.data import deduplicate, erase, forgotten, manifest, shards
from expressnet.runtime import console, storage

# The next run makes anew what these made of a data set that is gone.
_REPEATED_STAGES = ("validate", "crop", "split")


def run(workspace: str | Path, sha256s: Collection[str]) -> dict[str, Any]:
    """Erases examples; a call that was killed is completed by the next one.

    Args:
        workspace: folder of data sets, crops, artifacts and registry.
        sha256s: of the original bytes, hex.

    Returns:
        The report: how many examples and crops were erased, the hashes that no data set and no crops had, and the
        models that were trained on one of the examples.

    Raises:
        FileNotFoundError: there is no workspace.
        ValueError: one is no SHA-256; nothing is erased then.
        BlockingIOError: a run is using the workspace; the examples are recorded, but not erased yet.
    """
    workspace = Path(workspace)
    if not workspace.is_dir():
        raise FileNotFoundError(f"There is no workspace at {workspace}. Is OUT= the folder that the runs were given?")
    forgotten.add(workspace, sha256s)
    hashes = forgotten.read(workspace)  # earlier ones too: a killed call may have left some of them
    busy = BlockingIOError(
        f"A run is using {workspace}. The examples are recorded, but not erased yet: say the same again after it."
    )
    with storage.workspace_lock(workspace, busy=busy):
        _remove_remnants(workspace)
        datasets, crops = (_holders(workspace / name, hashes) for name in ("datasets", "crops"))
        digests = _digests(workspace, datasets, crops, hashes)
        models = _models(workspace, digests, hashes)
        # The data sets come last: as long as they stand, the next call knows what was made of them.
        _remove_derived(workspace, digests | hashes)
        for folder in crops:
            erase.crops(folder, hashes)
        for folder in datasets:
            erase.dataset(folder, hashes)
        _clean(workspace, hashes)
    asked = frozenset(sha256.strip().lower() for sha256 in sha256s)
    return _report(asked, _union(datasets), _union(crops), models)


def _report(asked: frozenset[str], erased: frozenset[str], crops: frozenset[str], models: list[str]) -> dict[str, Any]:
    unknown = ", ".join(sorted(asked - erased - crops))
    console.say(f"erased {len(erased):,} examples and {len(crops):,} crops")
    if unknown:
        console.say(f"neither data sets nor crops held {unknown}; recorded, so that they never will")
    if models:
        console.say(f"trained on them, and kept: {', '.join(models)}")
    return {"num_examples": len(erased), "num_crops": len(crops), "unknown": unknown, "models": ", ".join(models)}


def _union(found: dict[Path, frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*found.values())


def _remove_remnants(workspace: Path) -> None:
    """Deletes what killed runs have fetched, written or begun to delete."""
    shutil.rmtree(workspace / "spool", ignore_errors=True)
    for name in ("datasets", "crops", "predictions", "artifacts", "mlartifacts", "runs", "work"):
        storage.remove_partials(workspace / name)
    for path in workspace.glob(f".{forgotten.FILE_NAME}.*{storage.PARTIAL_SUFFIX}"):
        path.unlink()


def _holders(store: Path, hashes: frozenset[str]) -> dict[Path, frozenset[str]]:
    """Returns the folders of data sets or crops that hold any of the examples, and which."""
    found = {}
    for folder in sorted(store.glob("*/")):
        files = [folder / manifest.FILE_NAME, folder / deduplicate.CONFLICTS_FILE]
        files += (folder / shards.FOLDER).glob("*.parquet")
        if held := frozenset[str]().union(*(erase.found_in(path, hashes) for path in files if path.exists())):
            found[folder] = held
    return found


def _mentions(folder: Path, hashes: frozenset[str]) -> bool:
    return any(erase.found_in(path, hashes) for path in folder.rglob("*") if path.is_file())


def _digests(
    workspace: Path, datasets: Iterable[Path], crops: Iterable[Path], hashes: frozenset[str]
) -> frozenset[str]:
    """Returns the digests of the data sets, crops and splits that the examples are part of."""
    found: set[str | None] = {folder.name for folder in datasets}
    infos = [path for path in map(CropsInfo.path, crops) if path.exists()]
    for folder in workspace.glob("artifacts/*/split/splits"):
        if _mentions(folder, hashes.union(path.name for path in datasets)):
            infos.append(SplitInfo.path(folder))
    for path in infos:
        info = storage.read_json(path)
        crop = info.get("crops", info)
        found |= {info.get("split_digest"), crop.get("crops_digest"), crop.get("dataset", {}).get("dataset_digest")}
    return frozenset(digest for digest in found if digest)


def _models(workspace: Path, digests: frozenset[str], hashes: frozenset[str]) -> list[str]:
    """Returns the registered models that were trained on any of the examples, or may have been."""
    trained_on = {}
    for folder in workspace.glob("artifacts/*/split/splits"):
        rows = pq.read_table(folder / manifest.FILE_NAME, columns=["sha256", "split"])
        in_train = rows.filter(pc.equal(rows["split"], "train"))["sha256"].cast(pa.string())
        split_digest = SplitInfo.read(folder).split_digest
        trained_on[split_digest] = bool(pc.any(pc.is_in(in_train, pa.array(sorted(hashes)))).as_py())
    registrations = map(Registration.read, workspace.glob("artifacts/*/register/registration"))
    names = {known.run_id: f"{known.model_name} {known.version}" for known in registrations}
    found = set()
    for path in workspace.glob(f"mlartifacts/*/artifacts/model/{Provenance.FILE}"):
        provenance, run_id = Provenance.read_file(path), path.parts[-4]
        if provenance.dataset_digest in digests and trained_on.get(provenance.split_digest, True):
            found.add(names.get(run_id, f"MLflow run {run_id}"))
    return sorted(found)


def _remove_derived(workspace: Path, hashes: frozenset[str]) -> None:
    """Deletes the outputs of stages that show or list the examples (pages with pictures), and what points to them."""
    for folder in sorted(workspace.glob("artifacts/*/*/")):
        if folder.name in _REPEATED_STAGES and _mentions(folder, hashes):
            erase.remove(folder)
    for folder in workspace.glob("runs/*/"):
        pages = list(folder.rglob("*.html"))
        if pages and _mentions(folder, hashes):
            for page in pages:
                page.unlink()
    for path in [*workspace.glob("cache/*.json"), *workspace.glob("datasets/seen/*.json")]:
        if erase.found_in(path, hashes):
            path.unlink()


def _clean(workspace: Path, hashes: frozenset[str]) -> None:
    """Takes the examples out of all other tables and texts: predictions, lists of conflicts, exported splits, logs."""
    for name in ("datasets", "crops", "predictions", "artifacts", "mlartifacts", "runs", "kept"):
        for path in sorted((workspace / name).rglob("*")):
            if path.is_file() and path.parent.name != shards.FOLDER and erase.found_in(path, hashes):
                erase.clean_file(path, hashes)
