"""What a run did, written whatever happened: for machines, and in words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from expressnet.registry.notices import AI_ACT_NOTE, OPTIMISTIC_NOTE
from expressnet.runtime import journal, storage

SUMMARY_FILE, MARKDOWN_FILE = "run_summary.json", "summary.md"
# On a cluster: the stages of the graph, with commas. A stage from Kubeflow's cache runs no code there, so that it
# leaves no entry in the journal.
STAGES_VARIABLE = "EXPRESSNET_STAGES"
STAGES = (
    "ingest",
    "decide",
    "validate",
    "cut",
    "crop",
    "drift",
    "split",
    "train",
    "evaluate",
    "register",
    "promote",
    "predict",
)


def run(markdown_path: str, state: str, error: str) -> dict[str, Any]:
    """Collects the journal of the run's stages into `run_summary.json` and Markdown.

    Args:
        markdown_path: file for the run view; where the run has a folder of its own
            (EXPRESSNET_RUN_DIR), `run_summary.json` and a copy go there, otherwise `run_summary.json` beside it.
        state: how the pipeline ended, in the words of Kubeflow Pipelines, e.g. SUCCEEDED.
        error: the orchestrator's error message, "" if there is none.

    Returns:
        The summary.
    """
    run_dir = journal.run_dir() or Path(markdown_path).parent
    entries = _entries(run_dir / "journal")
    failed = next((name for name in STAGES if entries.get(name, {}).get("status") == "failed"), "")
    summary = {
        "state": state,
        "failed_stage": failed,
        "error": entries[failed]["error"] if failed else error,
        "stages": {name: entries[name] for name in STAGES if name in entries},
        "without_entry": _without_entry(entries, succeeded=state == "SUCCEEDED" and not failed),
    }
    text = markdown(summary).encode()
    storage.write_json(run_dir / SUMMARY_FILE, summary)
    storage.write_bytes(run_dir / MARKDOWN_FILE, text)
    storage.write_bytes(Path(markdown_path), text)
    return summary


def _entries(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns the entry of every stage that left one; the entries of parts are put together."""
    found = {path.stem: storage.read_json(path) for path in sorted(folder.glob("*.json"))}
    shared = {name.partition("-")[0] for name in found if "-" in name}
    parts = {name: {key: found.pop(key) for key in list(found) if key.startswith(f"{name}-")} for name in shared}
    return found | {name: _together(name, entries) for name, entries in parts.items()}


def _without_entry(entries: dict[str, dict[str, Any]], *, succeeded: bool) -> dict[str, str]:
    """Says of the graph's stages that left no entry why not, as far as it can be known here."""
    silent = [name for name in STAGES if name in os.environ.get(STAGES_VARIABLE, "").split(",") and name not in entries]
    if not succeeded:
        why = "reused or not reached"
    elif entries.get("decide", {}).get("report", {}).get("retrain", True):
        why = "reused"  # all of a run that succeeded has run, now or for an earlier one
    else:
        why = "not needed"
    return dict.fromkeys(silent, why)


def _together(name: str, entries: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Returns one entry for parts of a stage: failed if one is, with its message; the seconds are those of all."""
    failed = {key: entry["error"] for key, entry in entries.items() if entry["status"] == "failed"}
    together = {
        "stage": name,
        "status": "failed" if failed else "succeeded",
        "num_parts": len(entries),
        "seconds": round(sum(entry["seconds"] for entry in entries.values()), 1),
    }
    if failed:
        first, message = next(iter(failed.items()))
        together["error"] = f"{len(failed)} of {len(entries)} parts failed; {first}: {message}"
    return together


def lines(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Says the outcome as (topic, sentence) pairs, for the terminal and for Markdown."""
    reports = {name: entry.get("report", {}) for name, entry in summary["stages"].items()}
    said = []
    if ingest := reports.get("ingest"):
        said.append(
            (
                "data",
                f"{ingest['dataset']}: {ingest['num_examples']:,} examples of {ingest['num_records']:,} "
                f"records ({ingest['num_duplicates']:,} duplicates, {ingest['num_conflicting']:,} with "
                f"conflicting labels), digest {ingest['dataset_digest'][:8]}",
            )
        )
    if decision := reports.get("decide"):
        said.append(("retraining", f"{'yes' if decision['retrain'] else 'nothing to do'}: {decision['reason']}"))
    if drift := reports.get("drift"):
        said.append(("drift", drift["verdict"]))
    if split := reports.get("split"):
        people = (
            f", {split['num_subjects']} people kept apart"
            if split["num_subjects"] and split["protocol"] == "honest"
            else ""
        )
        said.append(
            (
                "split",
                f"{split['protocol']}: train {split['num_train']:,}, val {split['num_val']:,}, "
                f"test {split['num_test']:,}{people}, digest {split['split_digest'][:8]}",
            )
        )
    if train := reports.get("train"):
        said.append(
            (
                "training",
                f"preset {train['preset']}, {train['parameters']:,} parameters, best epoch "
                f"{train['best_epoch']} of {train['epochs']}",
            )
        )
    if found := reports.get("evaluate"):
        note = f" -- {OPTIMISTIC_NOTE}" if found["protocol"] == "paper" else ""
        said.append(
            (
                "accuracy",
                f"{found['accuracy']:.3f} ({found['accuracy_low']:.3f} to {found['accuracy_high']:.3f}"
                f", 95 %) on {found['num_test']:,} test images; macro-F1 {found['macro_f1']:.3f}; "
                f"the most frequent class alone: {found['majority_rate']:.3f}{note}",
            )
        )
    if registered := reports.get("register"):
        new = "" if registered["is_new"] else " (was there before)"
        said.append(("version", f"{registered['model_name']} {registered['version']}{new}"))
    if promotion := reports.get("promote"):
        said.append(("promoted", f"{'yes' if promotion['promoted'] else 'no'}: {promotion['reason']}"))
        said.append(("intended use", promotion["intended_use"] or 'not stated; say it with INTENDED_USE="..."'))
    if predicted := reports.get("predict"):
        said.append(
            (
                "predicted",
                f"{predicted['num_files']:,} files, a face in {predicted['num_faces_found']:,}, "
                f"{predicted['num_refused']:,} without an answer; {predicted['model_name']} "
                f"{predicted['version']}",
            )
        )
        said.append(("classes", predicted["class_counts"] or "none"))
        said.append(
            ("speed", f"{predicted['num_predicted']:,} predicted anew, {predicted['images_per_s']:.1f} images/s")
        )
        said += [(name, predicted[f"{name}_path"]) for name in ("table", "gallery") if predicted[f"{name}_path"]]
    if summary["error"]:
        said.append(("failed", f"{summary['failed_stage'] or 'pipeline'}: {summary['error']}"))
    return said


def markdown(summary: dict[str, Any]) -> str:
    """Returns the summary as Markdown for the run view."""
    rows = "\n".join(f"| {topic} | {_cell(sentence)} |" for topic, sentence in lines(summary))
    times = "\n".join(
        f"| {name} | {_outcome(summary['stages'][name])} | {summary['stages'][name]['seconds']} |"
        if name in summary["stages"]
        else f"| {name} | {summary['without_entry'][name]} | |"
        for name in STAGES
        if name in summary["stages"] or name in summary["without_entry"]
    )
    return (
        f"# Run {summary['state'].lower()}\n\n| | |\n|---|---|\n{rows}\n\n"
        f"| stage | outcome | seconds |\n|---|---|---|\n{times}\n\n{AI_ACT_NOTE}\n"
    )


def _outcome(entry: dict[str, Any]) -> str:
    parts = f", {entry['num_parts']} parts" if "num_parts" in entry else ""
    return f"{'reused' if entry.get('reused') else entry['status']}{parts}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")
