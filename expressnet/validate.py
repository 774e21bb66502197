"""The gate in front of everything costly: bad data stops the run, with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

from expressnet import console, html, manifest, shards, storage
from expressnet.config.validate import ValidateConfig
from expressnet.datasets.base import SOURCE_SPLITS

REPORT_FILE = "report.html"
RESULT_FILE = "validation.json"
_NAMED = 5  # how many culprits a message names


def run(dataset_dir: str, out_dir: str, config: ValidateConfig) -> dict[str, Any]:
    """Checks an ingested data set and writes the result and a page for people.

    Returns:
        The report: how many checks there were.

    Raises:
        ValueError: a check failed; the message names the check and the culprits. Nothing is written then.
    """
    dataset = Path(dataset_dir)
    frame, info = manifest.read(dataset), storage.read_json(dataset / "dataset.json")
    _require_shards(dataset, frame)
    checks = check(frame, info["classes"], config)
    failed = [one for one in checks if not one["success"]]
    console.say(f"{len(checks) - len(failed)} of {len(checks)} checks passed")
    if failed:
        raise ValueError(
            "The data did not pass validation:\n" + "\n".join(f"- {one['title']}: {one['finding']}" for one in failed)
        )
    with storage.committed_dir(out_dir) as partial:
        storage.write_json(partial / RESULT_FILE, {"dataset_digest": info["dataset_digest"], "checks": checks})
        storage.write_bytes(partial / REPORT_FILE, render(info, checks).encode())
    return {"num_checks": len(checks), "num_failed": 0, "dataset_digest": info["dataset_digest"]}


def _require_shards(dataset: Path, frame: pd.DataFrame) -> None:
    missing = [name for name in frame["shard"].unique() if not (dataset / shards.FOLDER / name).exists()]
    if missing:
        raise ValueError(f"{dataset} lost the shards {missing[:_NAMED]}. Delete the folder and run again.")


def check(frame: pd.DataFrame, classes: list[str], config: ValidateConfig) -> list[dict[str, Any]]:
    """Runs the expectation suites over a manifest.

    Returns:
        One dict per check: title, success, finding (in words, with culprits) and how many rows it is about.
    """
    readable = frame[frame["problem"] == ""]
    counts = readable["label"].value_counts().reindex(classes, fill_value=0)
    per_class = pd.DataFrame({"source_uri": counts.index.astype(str), "examples": counts.to_numpy()})
    batches = ((frame, _manifest_suite(classes)), (readable, _image_suite(config)), (per_class, _class_suite(config)))
    return [result for rows, suite in batches for result in _run_suite(rows, suite)]


def _manifest_suite(classes: list[str]) -> list[gxe.Expectation]:
    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=1, meta={"title": "there are examples"}),
        gxe.ExpectColumnValuesToBeUnique(column="sha256", meta={"title": "sha256 is unique"}),
        gxe.ExpectColumnValuesToMatchRegex(
            column="sha256", regex="^[0-9a-f]{64}$", meta={"title": "sha256 is a SHA-256"}
        ),
        gxe.ExpectColumnValuesToBeInSet(column="label", value_set=classes, meta={"title": "labels are known classes"}),
        gxe.ExpectColumnValuesToBeInSet(
            column="source_split", value_set=list(SOURCE_SPLITS), meta={"title": "published splits are known"}
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="problem", value_set=[""], meta={"title": "every file is a readable image"}
        ),
    ]


def _image_suite(config: ValidateConfig) -> list[gxe.Expectation]:
    sides = {"min_value": config.min_side_px, "max_value": config.max_side_px}
    in_px = f"{config.min_side_px} to {config.max_side_px} px"
    return [
        gxe.ExpectColumnValuesToBeBetween(column="width", **sides, meta={"title": f"width is {in_px}"}),
        gxe.ExpectColumnValuesToBeBetween(column="height", **sides, meta={"title": f"height is {in_px}"}),
        gxe.ExpectColumnValuesToBeBetween(
            column="bytes", min_value=1, max_value=config.max_bytes,
            meta={"title": f"a file has 1 to {config.max_bytes:,} bytes"},
        ),
    ]  # fmt: skip


def _class_suite(config: ValidateConfig) -> list[gxe.Expectation]:
    return [
        gxe.ExpectColumnValuesToBeBetween(
            column="examples", min_value=config.min_per_class,
            meta={"title": f"every class has at least {config.min_per_class} examples"},
        )
    ]  # fmt: skip


def _run_suite(rows: pd.DataFrame, expectations: list[gxe.Expectation]) -> list[dict[str, Any]]:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("manifest").add_dataframe_asset("manifest")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": rows})
    result = batch.validate(
        gx.ExpectationSuite(name="manifest", expectations=expectations),
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["source_uri"]},
    )
    order = {expectation.meta["title"]: place for place, expectation in enumerate(expectations)}
    found = [_in_words(one) for one in result.results]
    return sorted(found, key=lambda one: order[one["title"]])


def _in_words(result: Any) -> dict[str, Any]:
    column = result.expectation_config.kwargs.get("column", "")
    culprits = [f"{row['source_uri']} ({row.get(column)})" for row in result.result.get("unexpected_index_list") or []]
    observed = result.result.get("observed_value")
    if result.success:
        finding = "all" if observed is None else f"{observed}"
    elif culprits:
        more = f" and {len(culprits) - _NAMED:,} more" if len(culprits) > _NAMED else ""
        finding = f"{len(culprits):,} do not: " + "; ".join(culprits[:_NAMED]) + more
    else:
        finding = f"found {observed}" if observed is not None else "could not be checked: a column is missing"
    return {
        "title": result.expectation_config.meta["title"], "success": bool(result.success), "finding": finding,
        "num_unexpected": len(culprits),
    }  # fmt: skip


def render(info: dict[str, Any], checks: list[dict[str, Any]]) -> str:
    """Returns the page: what came in, and what each check found."""
    facts = [(key.replace("_", " "), info[key]) for key in (
        "dataset_id", "layout", "licence", "licence_accepted", "num_records", "num_examples", "num_duplicates",
        "num_cross_split_twins", "num_conflicting", "num_conflict_groups", "num_ignored", "num_subjects",
        "dataset_digest",
    )]  # fmt: skip
    return html.page(
        f"Validation of {info['dataset']}",
        html.section("Data", html.table(("", ""), facts))
        + html.section("Classes", html.table(("class", "examples"), info["class_counts"].items()))
        + html.section(
            "Checks",
            html.table(
                ("check", "result", "finding"),
                [(one["title"], "passed" if one["success"] else "FAILED", one["finding"]) for one in checks],
            ),
        ),
    )
