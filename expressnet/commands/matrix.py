"""Every model on every other's test split, over the classes that both know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from expressnet.artifacts.provenance import Provenance
from expressnet.artifacts.split_info import SplitInfo
from expressnet.config.evaluate import EvaluateConfig
from expressnet.data import manifest
from expressnet.evaluation import bootstrap, json_values, labelled_predictions, metrics
from expressnet.inference import recrop
from expressnet.report import html
from expressnet.runtime import console, storage
from expressnet.runtime import workspace as folders

if TYPE_CHECKING:
    from expressnet.inference import bundle

MATRIX_FILE, PAGE_FILE = "matrix.json", "matrix.html"


class TestSet(NamedTuple):
    """A test split.

    Attributes:
        name: of its data set, with the first digits of the split's digest.
        split_digest: which split it is.
        dataset_dir: the photographs, output of ingest.
        rows: the split's manifest, all of its parts.
    """

    name: str
    split_digest: str
    dataset_dir: Path
    rows: pd.DataFrame


def run(
    models: Sequence[Path], splits: Sequence[Path], workspace: Path, out_dir: Path, config: EvaluateConfig
) -> dict[str, Any]:
    """Evaluates models on test splits; writes the matrix as JSON and as a page.

    Args:
        models: model folders.
        splits: outputs of the stage split, beside those that the models were made with, which are found in the
            workspace by their digest.
        workspace: holds the data sets and artifacts.
        out_dir: where the matrix goes; what is there is replaced.
        config: resamples, confidence, seed.

    Returns:
        cells: model, test_set, num_rows, num_seen, classes, accuracy and macro_f1 with intervals, or why not.

    Raises:
        FileNotFoundError: a data set of a test split is not in the workspace, or there is no test split at all.
    """
    from expressnet.inference import bundle  # TensorFlow takes seconds to import

    provenances = {folder: Provenance.read(folder) for folder in models}
    wanted = {provenance.split_digest for provenance in provenances.values()}
    tests = _tests([*splits, *_with_digest(workspace, wanted)], workspace)
    if not tests:
        raise FileNotFoundError(
            f"{workspace} has no split that one of the models was made with; name one with DATA=<output of split>."
        )
    cells = []
    for folder, provenance in provenances.items():
        model, name = bundle.Bundle(folder), f"{provenance.dataset_id} {bundle.digest(folder)[:8]}"
        own = next((test for test in tests if test.split_digest == provenance.split_digest), None)
        for test in tests:
            cell = {"model": name, "test_set": test.name, **_cell(model, test, own, workspace, config)}
            console.say(f"{name} on {test.name}: {_said(cell)}")
            cells.append(cell)
    found, _ = json_values.plain({"cells": cells, "confidence": config.confidence})
    storage.write_json(out_dir / MATRIX_FILE, found)
    storage.write_bytes(out_dir / PAGE_FILE, _page(found["cells"]).encode())
    return found


def _with_digest(workspace: Path, digests: Iterable[str]) -> list[Path]:
    wanted = set(digests)
    found = [path.parent for path in sorted(workspace.glob(f"artifacts/*/split/splits/{SplitInfo.FILE}"))]
    return [folder for folder in found if SplitInfo.read(folder).split_digest in wanted]


def _tests(split_dirs: Iterable[Path], workspace: Path) -> list[TestSet]:
    found: dict[str, TestSet] = {}
    for folder in split_dirs:
        info = SplitInfo.read(folder)
        dataset, digest = info.crops.dataset, info.split_digest
        dataset_dir = folders.dataset(workspace, dataset.dataset_digest)
        if not dataset_dir.is_dir():
            raise FileNotFoundError(
                f"The test split {folder} is of the data set {dataset.dataset_digest[:16]}, which is not in "
                f"{workspace / 'datasets'}. Is OUT= the workspace it was ingested into?"
            )
        name = f"{dataset.dataset_id} {digest[:8]}"
        found.setdefault(digest, TestSet(name, digest, dataset_dir, manifest.read(folder)))
    return list(found.values())


def _cell(
    model: bundle.Bundle, test: TestSet, own: TestSet | None, workspace: Path, config: EvaluateConfig
) -> dict[str, Any]:
    """Returns the figures of a model on a test split without the pictures that it may have been made with."""
    rows = test.rows[test.rows["split"] == "test"]
    shared = [name for name in model.classes if name in set(rows["label"])]
    rows = rows[rows["label"].isin(shared)]
    seen = _seen(rows, own)
    rows = rows[~seen]
    facts = {"num_rows": len(rows), "num_seen": int(seen.sum()), "classes": shared, "own_split_known": own is not None}
    if len(shared) < 2 or rows.empty:
        return {**facts, "reason": f"nothing to tell apart: {len(rows):,} rows of {len(shared)} shared classes"}
    cropped, probabilities = recrop.predict(model, test.dataset_dir, rows["sha256"], workspace / "work")
    places = [model.classes.index(name) for name in shared]
    shares = labelled_predictions.finite(probabilities[:, places].astype(np.float64))
    figures = metrics.with_intervals(
        labelled_predictions.labels(cropped, shared),
        shares / shares.sum(axis=1, keepdims=True),
        labelled_predictions.groups(cropped),
        config,
    )
    return {**facts, "reason": "", "accuracy": figures["accuracy"], "macro_f1": figures["macro_f1"]}


def _seen(rows: pd.DataFrame, own: TestSet | None) -> np.ndarray:
    """Returns bool[rows], whether the model was trained or selected on the same file or the same pixels."""
    if own is None:
        return np.zeros(len(rows), bool)
    made_with = own.rows[own.rows["split"].isin(["train", "val"])]
    same_file = rows["sha256"].isin(made_with["sha256"])
    same_pixels = rows["pixel_sha256"].isin(made_with["pixel_sha256"]) & (rows["pixel_sha256"] != "")
    return (same_file | same_pixels).to_numpy()


def _said(cell: dict[str, Any]) -> str:
    if cell["reason"]:
        return str(cell["reason"])
    seen = f", {cell['num_seen']:,} left out that it was made with" if cell["num_seen"] else ""
    return (
        f"accuracy {bootstrap.shown(cell['accuracy'])}, macro-F1 {bootstrap.shown(cell['macro_f1'])} on "
        f"{cell['num_rows']:,} images of {len(cell['classes'])} classes{seen}"
    )


def _page(cells: Sequence[dict[str, Any]]) -> str:
    models, tests = (list(dict.fromkeys(cell[key] for cell in cells)) for key in ("model", "test_set"))
    known = {(cell["model"], cell["test_set"]): cell.get("accuracy") for cell in cells}
    found = [[known.get((model, test)) for test in tests] for model in models]
    shares = [[one["value"] if one else 0.0 for one in line] for line in found]
    texts = [[bootstrap.shown(one) if one else "none" for one in line] for line in found]
    rows = [(cell["model"], cell["test_set"], _said(cell), ", ".join(cell["classes"])) for cell in cells]
    blind = sorted({cell["model"] for cell in cells if not cell["own_split_known"]})
    return html.page("matrix.html.j2", models=models, tests=tests, shares=shares, texts=texts, cells=rows, blind=blind)
