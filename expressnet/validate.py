"""The gate in front of everything costly: bad data stops the run, with the reason."""

from __future__ import annotations

import gc
import itertools
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from great_expectations.data_context.types.base import ProgressBarsConfig

from expressnet import compact, console, html, manifest, manifest_stream, shards, storage
from expressnet.config.validate import ValidateConfig
from expressnet.datasets.base import SOURCE_SPLITS
from expressnet.set_checks import SET_CHECKS, SetCheck

REPORT_FILE = "report.html"
_WORDS = {"passed": "passed", "warn": "warning", "stop": "FAILED"}
RESULT_FILE = "validation.json"
Batches = Callable[[list[str]], Iterator[pd.DataFrame]]
_COLUMNS = [
    "sha256", "label", "source_split", "subject", "source_uri", "copies", "bytes", "width", "height", "problem",
    "pixel_sha256", "phash", "brightness", "contrast",
]  # fmt: skip
_NAMED = 5  # how many culprits a message names
_LONGEST = 200  # letters of one of them


def run(dataset_dir: str, out_dir: str, config: ValidateConfig) -> dict[str, Any]:
    """Checks an ingested data set and writes the result and a page for people.

    Returns:
        The report: how many checks there were, and how many of them warn.

    Raises:
        ValueError: a check failed that stops the run; the message names the check and the culprits. The page lies in
            `out_dir`.failed then, and there is no `out_dir`.
    """
    dataset = Path(dataset_dir)
    info = storage.read_json(dataset / "dataset.json")
    with manifest_stream.reading(dataset, manifest.INGESTED) as file:
        checks = check(lambda columns: _batches(dataset, file, columns), info, config)
    failed = [one for one in checks if one["result"] == "stop"]
    warned = [one for one in checks if one["result"] == "warn"]
    console.say(f"{len(checks) - len(failed) - len(warned)} of {len(checks)} checks passed")
    for one in warned:
        console.say(f"warning: not true that {one['title']}: {one['finding']}")
    target = Path(f"{out_dir}.failed" if failed else out_dir)
    if failed:
        shutil.rmtree(target, ignore_errors=True)  # of the last try
    with storage.committed_dir(target) as partial:
        storage.write_json(partial / RESULT_FILE, {"dataset_digest": info["dataset_digest"], "checks": checks})
        storage.write_bytes(partial / REPORT_FILE, render(info, checks).encode())
    if failed:
        listed = "\n".join(f"- {one['title']}: {one['finding']} [{one['id']}]" for one in failed)
        raise ValueError(f"The data did not pass validation:\n{listed}\nThe whole report: {target / REPORT_FILE}")
    return {"num_checks": len(checks), "num_failed": 0, "num_warnings": len(warned),
            "dataset_digest": info["dataset_digest"]}  # fmt: skip


def _batches(dataset: Path, file: pq.ParquetFile, columns: list[str]) -> Iterator[pd.DataFrame]:
    """Yields the manifest's rows; of the shards that they name, each must be there."""
    for batch in manifest_stream.batches(file, [*columns, "shard"]):
        rows = batch.to_pandas()
        missing = [name for name in rows["shard"].unique() if not (dataset / shards.FOLDER / name).exists()]
        if missing:
            raise ValueError(f"{dataset} lost the shards {missing[:_NAMED]}. Delete the folder and run again.")
        yield rows[columns]


def check(batches: Batches, info: dict[str, Any], config: ValidateConfig) -> list[dict[str, Any]]:
    """Runs the expectation suites over a manifest, and what they have no word for.

    Ten million rows take less than 2 GiB.

    Args:
        batches: yields the given columns of the manifest in parts; is called twice.
        info: its dataset.json.
        config: limits and severities.

    Returns:
        One dict per check: id, title, result (passed, warn or stop), finding (in words, with culprits) and how many
        rows it is about. Checks that are off are left out.

    Raises:
        ValueError: `severities` names a check that does not exist.
    """
    suites = (_manifest_suite(info["classes"], config), _image_suite(config), _summary_suite(config))
    severities = _severities([expectation.meta for suite in suites for expectation in suite], config)
    of_all, of_readable, of_summary = (
        [_Tally(one) for one in suite if severities[one.meta["id"]] != "off"] for suite in suites
    )
    columns, num_rows, class_counts = compact.Columns(), 0, Counter[str]()
    for rows in itertools.chain([pd.DataFrame(columns=_COLUMNS)], batches(_COLUMNS)):
        rows.index = pd.RangeIndex(num_rows, num_rows + len(rows))
        num_rows += len(rows)
        readable = rows[rows["problem"] == ""]
        _run_suite(rows, of_all)
        _run_suite(readable, of_readable)
        columns.add(readable)
        class_counts += Counter({str(name): int(count) for name, count in readable["label"].value_counts().items()})
    _run_suite(_summary(num_rows, {name: class_counts[name] for name in info["classes"]}), of_summary)
    set_checks = [one for one in SET_CHECKS if severities[one.id] != "off"]
    found = [tally.in_words() for tally in (*of_all, *of_readable, *of_summary)]
    found += _of_set(set_checks, columns.rows(), info, batches)
    return [
        {"id": one["id"], "title": one["title"], "result": "passed" if one["success"] else severities[one["id"]],
         "finding": one["finding"], "num_unexpected": one["num_unexpected"]}
        for one in found
    ]  # fmt: skip


def _severities(metas: list[dict[str, str]], config: ValidateConfig) -> dict[str, str]:
    """Returns what every check does that fails: what the user chose, or its own."""
    known = {meta["id"]: meta["severity"] for meta in metas} | {one.id: one.severity for one in SET_CHECKS}
    unknown = sorted(set(config.chosen_severities) - set(known))
    if unknown:
        raise ValueError(f"severities names the unknown check {unknown[0]!r}; known are {', '.join(known)}.")
    return known | config.chosen_severities


def _of_set(checks: list[SetCheck], rows: compact.Rows, info: dict[str, Any], batches: Batches) -> list[dict[str, Any]]:
    """Runs the checks of the whole set, and looks up the names of the first culprits of each."""
    counts, texts, places = {}, {}, {}
    for one in checks:
        culprits = one.culprits(rows, info)
        if isinstance(culprits, np.ndarray):
            counts[one.id] = int(culprits.sum())
            places[one.id] = rows.frame.index[np.flatnonzero(culprits)[:_NAMED]].tolist()
        else:
            texts[one.id] = list(culprits)
            counts[one.id] = len(texts[one.id])
    found = _rows_at({place for some in places.values() for place in some}, batches)
    for one in checks:
        texts.setdefault(one.id, [one.named(found[place]) for place in places.get(one.id, ())])
    return [
        {"id": one.id, "title": one.title, "success": not counts[one.id], "num_unexpected": counts[one.id],
         "finding": _listed(texts[one.id], counts[one.id]) if counts[one.id] else "all"}
        for one in checks
    ]  # fmt: skip


def _rows_at(places: set[int], batches: Batches) -> dict[int, pd.Series]:
    found: dict[int, pd.Series] = {}
    start = 0
    for rows in batches(_COLUMNS) if places else ():
        found |= {place: rows.iloc[place - start] for place in places if start <= place < start + len(rows)}
        start += len(rows)
    return found


def _manifest_suite(classes: list[str], config: ValidateConfig) -> list[gxe.Expectation]:
    share = f"at most {config.max_unreadable:.1%} of the files are no image"
    return [
        # Within a batch; across them the order sees to it, in which every key is larger than the one before.
        gxe.ExpectColumnValuesToBeUnique(column="sha256", meta=_meta("sha256_unique", "sha256 is unique")),
        gxe.ExpectColumnValuesToMatchRegex(
            column="sha256", regex=storage.SHA256_PATTERN, meta=_meta("sha256_form", "sha256 is a SHA-256")
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="label", value_set=classes, meta=_meta("labels_known", "labels are known classes")
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="source_split", value_set=list(SOURCE_SPLITS),
            meta=_meta("splits_known", "published splits are known"),
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="problem", value_set=[""], mostly=1 - config.max_unreadable, meta=_meta("unreadable_share", share)
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="problem", value_set=[""], meta=_meta("unreadable", "every file is a readable image", "warn")
        ),
    ]  # fmt: skip


def _image_suite(config: ValidateConfig) -> list[gxe.Expectation]:
    sides = {"min_value": config.min_side_px, "max_value": config.max_side_px}
    in_px = f"{config.min_side_px} to {config.max_side_px} px"
    return [
        gxe.ExpectColumnValuesToBeBetween(column="width", **sides, meta=_meta("width", f"width is {in_px}")),
        gxe.ExpectColumnValuesToBeBetween(column="height", **sides, meta=_meta("height", f"height is {in_px}")),
        gxe.ExpectColumnValuesToBeBetween(
            column="bytes", min_value=1, max_value=config.max_bytes,
            meta=_meta("bytes", f"a file has 1 to {config.max_bytes:,} bytes"),
        ),
    ]  # fmt: skip


def _summary_suite(config: ValidateConfig) -> list[gxe.Expectation]:
    title = f"every class has at least {config.min_per_class} examples"
    return [
        gxe.ExpectColumnValuesToBeBetween(
            column="rows", min_value=1, meta=_meta("some_examples", "there are examples")
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="examples", min_value=config.min_per_class, meta=_meta("examples_per_class", title)
        ),
    ]


def _summary(num_rows: int, class_counts: dict[str, int]) -> pd.DataFrame:
    counts = {"source_uri": list(class_counts), "examples": list(class_counts.values())}
    return pd.DataFrame(counts).assign(rows=num_rows)


def _meta(check_id: str, title: str, severity: str = "stop") -> dict[str, str]:
    return {"id": check_id, "title": title, "severity": severity}


class _Tally:
    """What an expectation found in all batches together."""

    def __init__(self, expectation: gxe.Expectation):
        self.expectation = expectation
        self._num_values = self._num_unexpected = 0
        self._culprits: list[str] = []
        self._error = ""

    def add(self, result: Any) -> None:
        """Takes the result for one batch."""
        if "unexpected_count" not in result.result:
            self._error = "could not be checked: a column is missing"
            return
        self._num_values += result.result["element_count"]
        self._num_unexpected += result.result["unexpected_count"]
        column = self.expectation.column
        for row in result.result.get("partial_unexpected_index_list") or []:
            self._culprits.append(f"{row['source_uri']} ({row.get(column)})")

    def in_words(self) -> dict[str, Any]:
        """Returns the finding on all rows."""
        tolerated = self._num_values * (1 - self.expectation.mostly)
        success = not self._error and self._num_unexpected <= tolerated + 1e-9  # which is no whole number
        listed = _listed(self._culprits, self._num_unexpected)
        return {
            **self.expectation.meta, "success": success, "num_unexpected": self._num_unexpected,
            "finding": self._error or ("all" if success else listed),
        }  # fmt: skip


def _run_suite(rows: pd.DataFrame, tallies: list[_Tally]) -> None:
    """Adds what the expectations find in one batch."""
    if not tallies or rows.empty:
        return
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("manifest").add_dataframe_asset("manifest")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": rows})
    expectations = [tally.expectation for tally in tallies]
    result = batch.validate(
        gx.ExpectationSuite(name="manifest", expectations=expectations),
        result_format={"result_format": "SUMMARY", "unexpected_index_column_names": ["source_uri"],
                       "partial_unexpected_count": _NAMED},
    )  # fmt: skip
    by_id = {tally.expectation.meta["id"]: tally for tally in tallies}
    for one in result.results:
        by_id[one.expectation_config.meta["id"]].add(one)
    del context, asset, batch, result
    gc.collect()  # they hold the rows, and each other in a circle


def _listed(culprits: list[str], count: int) -> str:
    more = f" and {count - _NAMED:,} more" if count > _NAMED else ""
    return f"{count:,} against it: " + "; ".join(one[:_LONGEST] for one in culprits[:_NAMED]) + more


def render(info: dict[str, Any], checks: list[dict[str, Any]]) -> str:
    """Returns the page: what came in, and what each check found."""
    facts = [(key.replace("_", " "), info[key]) for key in (
        "dataset_id", "layout", "licence", "licence_accepted", "num_records", "num_examples", "num_duplicates",
        "num_cross_split_twins", "num_conflicting", "num_conflict_groups", "num_ignored", "num_forgotten",
        "num_subjects", "dataset_digest",
    )]  # fmt: skip
    return html.page(
        f"Validation of {info['dataset']}",
        html.section("Data", html.table(("", ""), facts))
        + html.section("Classes", html.table(("class", "examples"), info["class_counts"].items()))
        + html.section(
            "Checks",
            html.table(
                ("check", "result", "finding"),
                [(one["title"], _WORDS[one["result"]], one["finding"]) for one in checks],
            ),
        ),
    )
