"""The gate in front of everything costly: bad data stops the run, with the reason."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

from expressnet import console, html, manifest, shards, storage
from expressnet.config.validate import ValidateConfig
from expressnet.datasets.base import SOURCE_SPLITS
from expressnet.set_checks import SET_CHECKS, SetCheck

REPORT_FILE = "report.html"
_WORDS = {"passed": "passed", "warn": "warning", "stop": "FAILED"}
RESULT_FILE = "validation.json"
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
    frame, info = manifest.read(dataset), storage.read_json(dataset / "dataset.json")
    _require_shards(dataset, frame)
    checks = check(frame, info, config)
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


def _require_shards(dataset: Path, frame: pd.DataFrame) -> None:
    missing = [name for name in frame["shard"].unique() if not (dataset / shards.FOLDER / name).exists()]
    if missing:
        raise ValueError(f"{dataset} lost the shards {missing[:_NAMED]}. Delete the folder and run again.")


def check(frame: pd.DataFrame, info: dict[str, Any], config: ValidateConfig) -> list[dict[str, Any]]:
    """Runs the expectation suites over a manifest, and what they have no word for.

    Args:
        frame: the manifest of an ingested data set.
        info: its dataset.json.
        config: limits and severities.

    Returns:
        One dict per check: id, title, result (passed, warn or stop), finding (in words, with culprits) and how many
        rows it is about. Checks that are off are left out.

    Raises:
        ValueError: `severities` names a check that does not exist.
    """
    readable = frame[frame["problem"] == ""]
    counts = readable["label"].value_counts().reindex(info["classes"], fill_value=0)
    per_class = pd.DataFrame({"source_uri": counts.index.astype(str), "examples": counts.to_numpy()})
    batches = (
        (frame, _manifest_suite(info["classes"], config)), (readable, _image_suite(config)),
        (per_class, _class_suite(config)),
    )  # fmt: skip
    severities = _severities([expectation.meta for _, suite in batches for expectation in suite], config)
    found = []
    for rows, suite in batches:
        found += _run_suite(rows, [one for one in suite if severities[one.meta["id"]] != "off"])
    found += [_of_set(one, readable, info) for one in SET_CHECKS if severities[one.id] != "off"]
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


def _of_set(check: SetCheck, rows: pd.DataFrame, info: dict[str, Any]) -> dict[str, Any]:
    culprits = list(check.culprits(rows, info))
    return {
        "id": check.id, "title": check.title, "success": not culprits, "num_unexpected": len(culprits),
        "finding": _listed(culprits) if culprits else "all",
    }  # fmt: skip


def _manifest_suite(classes: list[str], config: ValidateConfig) -> list[gxe.Expectation]:
    share = f"at most {config.max_unreadable:.1%} of the files are no image"
    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=1, meta=_meta("some_examples", "there are examples")),
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


def _class_suite(config: ValidateConfig) -> list[gxe.Expectation]:
    title = f"every class has at least {config.min_per_class} examples"
    return [
        gxe.ExpectColumnValuesToBeBetween(
            column="examples", min_value=config.min_per_class, meta=_meta("examples_per_class", title)
        )
    ]


def _meta(check_id: str, title: str, severity: str = "stop") -> dict[str, str]:
    return {"id": check_id, "title": title, "severity": severity}


def _run_suite(rows: pd.DataFrame, expectations: list[gxe.Expectation]) -> list[dict[str, Any]]:
    if not expectations:
        return []
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
        finding = _listed(culprits)
    else:
        finding = f"found {observed}" if observed is not None else "could not be checked: a column is missing"
    return {
        **result.expectation_config.meta, "success": bool(result.success), "finding": finding,
        "num_unexpected": len(culprits),
    }  # fmt: skip


def _listed(culprits: list[str]) -> str:
    more = f" and {len(culprits) - _NAMED:,} more" if len(culprits) > _NAMED else ""
    return f"{len(culprits):,} against it: " + "; ".join(one[:_LONGEST] for one in culprits[:_NAMED]) + more


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
