"""What Great Expectations checks of a manifest, batch by batch."""

from __future__ import annotations

from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

from expressnet.config.validate import ValidateConfig
from expressnet.datasets.base import SOURCE_SPLITS
from expressnet.runtime import storage

NAMED = 5  # how many culprits a message names
_LONGEST = 200  # letters of one of them


Suite = list[gxe.Expectation]


def suites(classes: list[str], config: ValidateConfig) -> tuple[Suite, Suite, Suite]:
    """Returns what is expected of every row, of the rows that can be decoded, and of their `summary`."""
    return _manifest_suite(classes, config), _image_suite(config), _summary_suite(config)


def _manifest_suite(classes: list[str], config: ValidateConfig) -> Suite:
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
            column="source_split",
            value_set=list(SOURCE_SPLITS),
            meta=_meta("splits_known", "published splits are known"),
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="problem", value_set=[""], mostly=1 - config.max_unreadable, meta=_meta("unreadable_share", share)
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="problem", value_set=[""], meta=_meta("unreadable", "every file is a readable image", "warn")
        ),
    ]


def _image_suite(config: ValidateConfig) -> Suite:
    sides = {"min_value": config.min_side_px, "max_value": config.max_side_px}
    in_px = f"{config.min_side_px} to {config.max_side_px} px"
    return [
        gxe.ExpectColumnValuesToBeBetween(column="width", **sides, meta=_meta("width", f"width is {in_px}")),
        gxe.ExpectColumnValuesToBeBetween(column="height", **sides, meta=_meta("height", f"height is {in_px}")),
        gxe.ExpectColumnValuesToBeBetween(
            column="bytes",
            min_value=1,
            max_value=config.max_bytes,
            meta=_meta("bytes", f"a file has 1 to {config.max_bytes:,} bytes"),
        ),
    ]


def _summary_suite(config: ValidateConfig) -> Suite:
    title = f"every class has at least {config.min_per_class} examples"
    return [
        gxe.ExpectColumnValuesToBeBetween(
            column="rows", min_value=1, meta=_meta("some_examples", "there are examples")
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="examples", min_value=config.min_per_class, meta=_meta("examples_per_class", title)
        ),
    ]


def summary(num_rows: int, class_counts: dict[str, int]) -> pd.DataFrame:
    """Returns the rows that the last of `suites` is about, one per class."""
    counts = {"source_uri": list(class_counts), "examples": list(class_counts.values())}
    return pd.DataFrame(counts).assign(rows=num_rows)


def _meta(check_id: str, title: str, severity: str = "stop") -> dict[str, str]:
    return {"id": check_id, "title": title, "severity": severity}


class Tally:
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
        return {
            **self.expectation.meta,
            "success": success,
            "num_unexpected": self._num_unexpected,
            "finding": self._error or ("all" if success else listed(self._culprits, self._num_unexpected)),
        }


def run(rows: pd.DataFrame, tallies: list[Tally]) -> None:
    """Adds what the expectations find in one batch."""
    if not tallies or rows.empty:
        return
    batch = batch_of(rows)
    result = batch.validate(
        gx.ExpectationSuite(name="manifest", expectations=[tally.expectation for tally in tallies]),
        result_format={
            "result_format": "SUMMARY",
            "unexpected_index_column_names": ["source_uri"],
            "partial_unexpected_count": NAMED,
        },
    )
    by_id = {tally.expectation.meta["id"]: tally for tally in tallies}
    for one in result.results:
        by_id[one.expectation_config.meta["id"]].add(one)


def batch_of(rows: pd.DataFrame) -> Any:
    """Returns Great Expectations' batch of the rows, in a context that writes no file and draws no progress."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("manifest").add_dataframe_asset("manifest")
    return asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": rows})


def listed(culprits: list[str], count: int) -> str:
    """Says in words how many there are, and names the first of them."""
    more = f" and {count - NAMED:,} more" if count > NAMED else ""
    return f"{count:,} against it: " + "; ".join(one[:_LONGEST] for one in culprits[:NAMED]) + more
