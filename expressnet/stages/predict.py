"""Predicts every photograph of a folder, an archive or a bucket with a registered model."""

from __future__ import annotations

import itertools
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from expressnet.artifacts.dataset_info import Counts
from expressnet.artifacts.stored import Facts, Plain, Stored
from expressnet.config.ingest import IngestConfig
from expressnet.config.predict import PredictConfig
from expressnet.data import forgotten
from expressnet.inference import photograph, prediction_table
from expressnet.registry import chosen_model
from expressnet.report import gallery_page
from expressnet.runtime import code_version, console, storage, workers
from expressnet.sources import places
from expressnet.sources.base import Tree

GALLERY_FILE = "gallery.html"
_TIMEOUT_S = 60.0  # for one photograph
_PHOTOS_EACH = 50  # a process takes longer to start than so many take
# What decides the answers besides the model; other code may change without predicting everything again.
_CODE = ("inference.photograph", "inference.prediction_table")


class Predictions(Stored):
    """The facts of predicted photographs.

    Attributes:
        model_name, version, model_digest: of the model.
        input_digest: of what was predicted.
        classes: of the model.
        num_files, num_faces_found, num_refused: files, files with a face, files without an answer.
        class_counts, problem_counts: answers by class, and files without one by reason.
        crop: settings of the cropping, see expressnet.config.crop.CropConfig.
    """

    FILE: ClassVar[str] = "predict.json"

    model_name: str
    version: str
    model_digest: str
    input_digest: str
    classes: list[str]
    num_files: int
    num_faces_found: int
    num_refused: int
    class_counts: Counts
    problem_counts: Counts
    crop: dict[str, Any]


class Predicted(Facts):
    """The report of predict.

    Attributes:
        info: what is said of the predictions.
        num_predicted, images_per_s: files that were predicted now, and how fast.
        path, table_path, gallery_path: of the folder, the table and the page, "" for none.
    """

    info: Predictions
    num_predicted: int
    images_per_s: float
    path: str
    table_path: str
    gallery_path: str

    def plain(self) -> dict[str, Plain]:
        """Returns what a run view can show."""
        facts = {name: value for name, value in self.info.as_dict().items() if isinstance(value, (str, int))}
        counts = {
            name: ", ".join(f"{what} {count:,}" for what, count in getattr(self.info, name).items() if count)
            for name in ("class_counts", "problem_counts")
        }
        effort = {name: value for name, value in self.as_dict().items() if name != "info"}
        return {**facts, **counts, **effort}


def run(input_uri: str, workspace: str, config: PredictConfig) -> Predicted:
    """Predicts one face of every file: the one that the model's own settings would have cut out for training.

    The table `predictions.parquet` has one row per file, sorted by path; a file without an answer says why. It lies in
    `workspace`/predictions/<model>-<input>. What the same model said of the same bytes is not predicted again: in a run
    that was killed, in the folder before it grew. No picture is stored, but in the page that `gallery` asks for.

    Args:
        input_uri: folder, file, .zip, .tar, .tar.gz or gs://bucket/prefix.
        workspace: with the registry.
        config: which model, and how.

    Returns:
        The report.

    Raises:
        FileNotFoundError: there is no such model, or nothing is at `input_uri`.
        ValueError: the source deceives, or holds no file.
        ConnectionError: the bucket did not answer in time.
    """
    root = Path(workspace)
    place = places.locate(input_uri, root / "spool", IngestConfig(), variable="INPUT")
    chosen = chosen_model.load(root, config)
    console.say(f"model {chosen.model_name} {chosen.version}")
    key = storage.json_digest([chosen.model_digest, code_version.digest(*_CODE)])[:16]
    store = root / "predictions"
    with storage.lock(store / f"{key}.lock", wait=True):
        tree = place.fetch()
        if not tree.files:
            raise ValueError(f"INPUT={place.uri} holds no file (hidden ones are passed over). Is it the right folder?")
        chunks = prediction_table.Chunks(store / f"{key}-{_short(place.uri)}{storage.PARTIAL_SUFFIX}")
        table, effort = _predict(tree, chosen, chunks, _finished(store, key), forgotten.read(root), config)
        info = _info(table, chosen)
        out_dir = store / f"{key}-{info.input_digest[:16]}"
        _commit(out_dir, table, info)
        shutil.rmtree(chunks.folder)
        if config.gallery:
            storage.write_bytes(out_dir / GALLERY_FILE, gallery_page.render(table, tree, chosen, config).encode())
        place.release()
    console.say(f"{info.num_files:,} files, a face in {info.num_faces_found:,}, refused {info.num_refused:,}")
    return _report(info, out_dir, effort, config)


def _short(text: str) -> str:
    return storage.bytes_sha256(text.encode())[:16]


def _finished(store: Path, key: str) -> list[Path]:
    """Returns the tables that the same model and code made of other inputs, or of this one before it changed."""
    tables = sorted(store.glob(f"{key}-*/{prediction_table.FILE_NAME}"))
    return [path for path in tables if path.parent.suffix != storage.PARTIAL_SUFFIX]


def _predict(
    tree: Tree,
    chosen: chosen_model.Chosen,
    chunks: prediction_table.Chunks,
    finished: list[Path],
    excluded: frozenset[str],
    config: PredictConfig,
) -> tuple[pa.Table, tuple[int, float]]:
    """Returns the table of all files, how many were predicted now, and how many a second."""
    before = pa.concat_tables([prediction_table.read_content(finished), chunks.read()])
    # A busy machine may have been the reason; whoever runs again hopes for more.
    lasting = before.filter(pc.invert(pc.is_in(before["problem"], pa.array(workers.REASONS))))
    known = frozenset(lasting["sha256"].to_pylist())
    if known:
        console.say(f"{len(known):,} answers of earlier runs are used where they fit")
    started, num_predicted = time.monotonic(), 0
    seen: list[tuple[str, str]] = []
    fresh = _fresh(_look(tree, chosen, known, excluded, config), known, seen)
    while some := list(itertools.islice(fresh, config.files_each)):
        chunks.add(prediction_table.rows(some, chosen.model))
        num_predicted += len(some)
    rate = num_predicted / (time.monotonic() - started)
    content = pa.concat_tables([before, chunks.read()])  # of two rows for the same bytes, the later one counts
    effort = (num_predicted, round(rate, 1))
    return prediction_table.of_files([file.path for file in tree.files], seen, content), effort


def _look(
    tree: Tree, chosen: chosen_model.Chosen, known: frozenset[str], excluded: frozenset[str], config: PredictConfig
) -> Iterator[photograph.Seen]:
    looked = workers.run(
        photograph.see_file,
        tree.files,
        start=photograph.start,
        start_arguments=(chosen.crop, known, excluded),
        num_workers=workers.useful(len(tree.files), each=_PHOTOS_EACH, most=config.num_workers),
        timeout_s=_TIMEOUT_S,
        memory_bytes=photograph.MEMORY_BYTES,
    )
    bar = console.progress(looked, total=len(tree.files), unit="photos")
    for file, one in zip(tree.files, bar, strict=True):
        yield photograph.refused(file, one.reason) if isinstance(one, workers.Failure) else one


def _fresh(
    looked: Iterator[photograph.Seen], known: frozenset[str], seen: list[tuple[str, str]]
) -> Iterator[photograph.Seen]:
    """Yields what has no answer yet, the same bytes once; appends SHA-256 and problem of everything to `seen`."""
    done = set(known)
    for one in looked:
        seen.append((one.sha256, one.problem))
        if one.sha256 and one.sha256 not in done:
            done.add(one.sha256)
            yield one


def _info(table: pa.Table, chosen: chosen_model.Chosen) -> Predictions:
    """Returns the facts; a function of the files, of what was refused of them, and of the model."""
    files = zip(*(table[name].to_pylist() for name in ("sha256", "problem", "file")), strict=True)
    lines = "".join(f"{sha256} {problem} {file}\n" for sha256, problem, file in files)
    classes = Counter(table["class"].drop_null().to_pylist())
    problems = Counter(problem for problem in table["problem"].to_pylist() if problem)
    return Predictions(
        model_name=chosen.model_name,
        version=chosen.version,
        model_digest=chosen.model_digest,
        input_digest=storage.bytes_sha256(lines.encode()),
        classes=chosen.model.classes,
        num_files=table.num_rows,
        num_faces_found=pc.sum(table["face_found"]).as_py() or 0,
        num_refused=sum(problems.values()),
        class_counts={name: classes[name] for name in chosen.model.classes},
        problem_counts=dict(sorted(problems.items())),
        crop=chosen.model.preprocess.crop,
    )


def _commit(out_dir: Path, table: pa.Table, info: Predictions) -> None:
    if Predictions.path(out_dir).exists():
        console.say("predicted before; nothing changed")
        return
    with storage.committed_dir(out_dir) as partial:
        prediction_table.write(table, partial / prediction_table.FILE_NAME, info.as_dict())
        info.write(partial)


def _report(info: Predictions, out_dir: Path, effort: tuple[int, float], config: PredictConfig) -> Predicted:
    return Predicted(
        info=info,
        num_predicted=effort[0],
        images_per_s=effort[1],
        path=str(out_dir),
        table_path=str(out_dir / prediction_table.FILE_NAME),
        gallery_path=str(out_dir / GALLERY_FILE) if config.gallery else "",
    )
