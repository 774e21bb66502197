"""Who is trained on, who selects the epoch, who is tested on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.model_selection import train_test_split

from expressnet.artifacts.crops_info import CropsInfo
from expressnet.artifacts.dataset_info import Counts, DatasetInfo
from expressnet.artifacts.split_info import SplitInfo, SplitReport
from expressnet.config.base import digest_fields
from expressnet.config.split import SplitConfig
from expressnet.data import grouped_draw, manifest, manifest_stream, seen_rows, split_file
from expressnet.data.grouped_draw import Rows
from expressnet.data.split_file import SPLITS
from expressnet.runtime import code_version, console, storage

TRAIN, VAL, TEST, DROPPED = range(len(SPLITS))
_NAMED = 5  # how many rows a message names


def run(faces_dir: str, out_dir: str, config: SplitConfig) -> SplitReport:
    """Writes the manifest with the column `split`, and `split.csv`, which others can import.

    The split is a function of the data set's content and the settings, or that of an imported file. The manifest is
    never held whole: ten million rows take less than 2 GiB.

    Returns:
        The report.

    Raises:
        ValueError: the data are too few to be split so, or an imported split is not one of these data.
    """
    crops = CropsInfo.read(faces_dir)
    with manifest_stream.reading(faces_dir, manifest.CROPPED) as file:
        imported = _imported(file, crops.dataset, config) if config.split_file else None
        rows = grouped_draw.read(manifest_stream.batches(file, list(grouped_draw.COLUMNS)), file.metadata.num_rows)
        if imported:
            _require_guarantees(rows, imported.parts, config, file)
        kept = _kept(file, config) if config.kept_file and not imported else None
        assigned = imported.parts if imported else assign(rows, config, kept.parts if kept else None)
        digest = manifest_stream.digest(_with_split(file, assigned, ["sha256", "label"]), manifest.SPLIT_COLUMNS)
        if imported and imported.split_digest not in ("", digest):
            raise ValueError(
                f"{config.split_file} has the right rows, but with the labels here its digest is {digest[:16]} and not "
                f"{imported.split_digest[:16]}: the labels are others (DATASET=, LABEL_MODE=), or the file was edited."
            )
        info = SplitInfo(
            protocol=config.protocol,
            seed=imported.seed if imported else config.seed,
            split_digest=digest,
            num_subjects=crops.dataset.num_subjects,
            official_test=bool(rows.is_test.any()),
            imported=imported is not None,
            kept_from=kept.version if kept else "",
            config=digest_fields(config),
            code_digest=code_version.digest("stages.split"),
            crops=crops,
            counts=_counts(rows, assigned),
            **{f"num_{name}": int((assigned == place).sum()) for place, name in enumerate(SPLITS)},
            **_num_dropped(rows, assigned),
        )
        _write(file, out_dir, assigned, info)
    _say(info)
    return SplitReport(**info.as_dict())


def _say(report: SplitReport) -> None:
    sizes = {name: getattr(report, f"num_{name}") for name in SPLITS}
    counts = ", ".join(f"{name} {size:,}" for name, size in sizes.items() if size)
    published = " (the published test split)" if report.official_test else ""
    console.say(f"{report.protocol} protocol: {counts}{published}{', as imported' if report.imported else ''}")


def _kept(file: pq.ParquetFile, config: SplitConfig) -> seen_rows.Kept:
    hashes = (batch["sha256"] for batch in manifest_stream.batches(file, ["sha256"]))
    return seen_rows.read(config.kept_file, config.kept_digest, hashes)


def _with_split(file: pq.ParquetFile, assigned: np.ndarray, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yields batches of a manifest with the column `split` after the others."""
    names, start = pa.array(SPLITS), 0
    for batch in manifest_stream.batches(file, columns):
        part = names.take(pa.array(assigned[start : start + len(batch)]))
        yield pa.RecordBatch.from_arrays([*batch.columns, part], names=[*columns, "split"])
        start += len(batch)


def _write(file: pq.ParquetFile, out_dir: str, assigned: np.ndarray, info: SplitInfo) -> None:
    with storage.committed_dir(out_dir) as partial:
        with manifest_stream.writing(partial, manifest.SPLIT) as writer:
            for batch in _with_split(file, assigned, manifest.CROPPED.names):
                writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=writer.schema))
        header = {**info.as_dict(), "dataset_digest": info.crops.dataset.dataset_digest}
        split_file.write(
            partial / split_file.FILE_NAME,
            {key: str(header[key]) for key in split_file.HEADER_KEYS},
            _with_split(file, assigned, ["sha256"]),
        )
        info.write(partial)


def _counts(rows: Rows, assigned: np.ndarray) -> dict[str, Counts]:
    """Counts the rows of every part that has any, by class."""
    num_classes = len(rows.classes)
    cells = np.bincount(assigned.astype(np.int64) * num_classes + rows.labels, minlength=len(SPLITS) * num_classes)
    table = {name: cells[place * num_classes :][:num_classes] for place, name in enumerate(SPLITS)}
    return {name: dict(zip(rows.classes, row.tolist(), strict=True)) for name, row in table.items() if row.any()}


def _num_dropped(rows: Rows, assigned: np.ndarray) -> dict[str, int]:
    """Counts why rows were dropped: a near-duplicate in the test split, or else only a person in it."""
    has_test = np.zeros(len(assigned), bool)
    has_test[rows.near[assigned == TEST]] = True
    is_dropped = assigned == DROPPED
    is_twin = is_dropped & has_test[rows.near]
    return {"num_dropped_duplicates": int(is_twin.sum()), "num_dropped_subjects": int((is_dropped & ~is_twin).sum())}


def assign(rows: Rows, config: SplitConfig, kept: np.ndarray | None = None) -> np.ndarray:
    """Returns int8[rows], places in SPLITS.

    `honest`: the published test split stays the test split, otherwise a part is drawn; val is drawn from the
    rest; near-duplicates and all images of one subject go to one split, so that images outside a published test split
    of a person or a picture in it are dropped. `paper`: two-way, no val. Rows with the same bytes are one row
    already, so that none straddles.

    Args:
        rows: to be split.
        config: how.
        kept: int8[rows] (expressnet.data.seen_rows), for an `honest` split that keeps to that of an earlier model
            where no test split is published: its test rows stay test rows, what it was trained on is not tested on,
            and the test part of new people and pictures is drawn.

    Raises:
        ValueError: a class or the groups are too few.
    """
    assigned = np.zeros(len(rows.labels), np.int8)
    is_test = rows.is_test
    if config.protocol == "paper":
        assigned[is_test if is_test.any() else _draw_rows(rows, config)] = TEST
    else:
        if not is_test.any() and kept is not None:
            is_test = _kept_test(rows, kept, config)
        elif not is_test.any():
            is_test = grouped_draw.draw(rows.labels, rows.classes, rows.groups, config.test_fraction, config.seed)
        has_test = np.zeros(len(assigned), bool)
        has_test[rows.groups[is_test]] = True
        assigned[has_test[rows.groups]] = DROPPED
        assigned[is_test] = TEST
        rest = np.flatnonzero(assigned == TRAIN)
        is_val = grouped_draw.draw(
            rows.labels[rest], rows.classes, rows.groups[rest], config.val_fraction, config.seed + 1
        )
        assigned[rest[is_val]] = VAL
    _require_every_class(rows, assigned, config.protocol)
    return assigned


def _kept_test(rows: Rows, kept: np.ndarray, config: SplitConfig) -> np.ndarray:
    """Returns bool[rows], the test rows of a split that keeps to an earlier one."""
    is_known = np.zeros(len(kept), bool)
    is_known[rows.groups[kept != seen_rows.NEW]] = True
    fresh = np.flatnonzero(~is_known[rows.groups])
    # Of a class with too few new images none is drawn by itself; they may come with their people.
    is_enough = np.rint(np.bincount(rows.labels[fresh], minlength=len(rows.classes)) * config.test_fraction) >= 1
    fresh = fresh[is_enough[rows.labels[fresh]]]
    is_tested = np.zeros(len(kept), bool)
    is_tested[rows.groups[kept == seen_rows.TESTED]] = True
    if len(fresh):
        names, labels = np.unique(rows.labels[fresh], return_inverse=True)
        classes = [rows.classes[name] for name in names]
        is_drawn = grouped_draw.draw(labels, classes, rows.groups[fresh], config.test_fraction, config.seed)
        is_tested[rows.groups[fresh[is_drawn]]] = True
    return is_tested[rows.groups] & (kept != seen_rows.SEEN)


def _draw_rows(rows: Rows, config: SplitConfig) -> np.ndarray:
    """Draws the authors' test split: stratified by class, row by row; returns bool[rows].

    It is their call of scikit-learn with their fraction and seed (0.2 and 52 for AffectNet). The rows stand in the
    order of sha256 here; the order of the authors' own list is no part of the data, so that the sizes (of every
    class too) are theirs, but not each row.
    """
    counts = np.bincount(rows.labels, minlength=len(rows.classes))
    if counts.min() < 2:
        smallest = rows.classes[int(counts.argmin())]
        raise ValueError(f"Every class needs at least 2 images to be split; '{smallest}' has {counts.min()}.")
    fraction, total = config.test_fraction, len(rows.labels)
    if min(total * fraction, total * (1 - fraction)) < len(counts):
        raise ValueError(f"{total} images are too few: {fraction:.0%} of them must hold all {len(counts)} classes.")
    drawn = np.zeros(total, dtype=bool)
    _, part = train_test_split(np.arange(total), test_size=fraction, random_state=config.seed, stratify=rows.labels)
    drawn[part] = True
    return drawn


def _require_every_class(rows: Rows, assigned: np.ndarray, protocol: str) -> None:
    for place in (TRAIN, VAL, TEST) if protocol == "honest" else (TRAIN, TEST):
        counts = np.bincount(rows.labels[assigned == place], minlength=len(rows.classes))
        missing = [name for name, count in zip(rows.classes, counts, strict=True) if not count]
        if missing:
            raise ValueError(
                f"The split '{SPLITS[place]}' would hold no example of {', '.join(missing)}. More examples (or, where "
                "people are known, more people who show them) are needed."
            )


def _imported(file: pq.ParquetFile, dataset: DatasetInfo, config: SplitConfig) -> split_file.Imported:
    """Reads what the file of another laboratory says of the rows here."""
    name = config.split_file
    with split_file.fetched(name) as path:
        found = split_file.read(path, name)
        if config.split_file_digest not in ("", storage.file_sha256(path)):
            raise ValueError(f"{name} changed after the run was started. Start it again.")
    if found.header["protocol"] != config.protocol:
        raise ValueError(
            f"{name} is a split by the protocol {found.header['protocol']}, but PROTOCOL={config.protocol}. Name the "
            "file's protocol, so that the figures carry its name."
        )
    columns = (batch["sha256"] for batch in manifest_stream.batches(file, ["sha256"]))
    return split_file.assign(found, columns, dataset.dataset_digest, num_forgotten=dataset.num_forgotten)


def _require_guarantees(rows: Rows, assigned: np.ndarray, config: SplitConfig, file: pq.ParquetFile) -> None:
    """Checks of an imported split what `assign` sees to.

    Raises:
        ValueError: the published test split is another, a group straddles or a class is missing.
    """
    path = config.split_file
    is_wrong = rows.is_test != (assigned == TEST)
    if rows.is_test.any() and is_wrong.any():
        raise ValueError(f"{path} has another test split than the published one: {_named(file, is_wrong, assigned)}.")
    if config.protocol == "honest":
        is_used = assigned != DROPPED
        lowest, highest = np.full(len(assigned), len(SPLITS), np.int8), np.full(len(assigned), -1, np.int8)
        np.minimum.at(lowest, rows.groups[is_used], assigned[is_used])
        np.maximum.at(highest, rows.groups[is_used], assigned[is_used])
        straddles = (lowest < highest)[rows.groups] & is_used
        if straddles.any():
            raise ValueError(
                f"{path} has near-duplicates or images of one subject in several splits: "
                f"{_named(file, straddles, assigned)}."
            )
    _require_every_class(rows, assigned, config.protocol)


def _named(file: pq.ParquetFile, is_wrong: np.ndarray, assigned: np.ndarray) -> str:
    """Counts rows bool[rows] and names the first of them with their parts."""
    rows = np.flatnonzero(is_wrong)[:_NAMED].tolist()
    keys: dict[int, str] = {}
    start = 0
    for batch in manifest_stream.batches(file, ["sha256"]):
        keys |= {row: batch["sha256"][row - start].as_py() for row in rows if start <= row < start + len(batch)}
        start += len(batch)
    listed = ", ".join(f"{keys[row]} in {SPLITS[assigned[row]]}" for row in rows)
    return f"{is_wrong.sum():,} rows ({listed}{', ...' if is_wrong.sum() > _NAMED else ''})"
