"""Runs that are under way or over: states, logs, an end by hand, a comparison."""

from __future__ import annotations

import datetime
import io
import re
import sys
import time

import kfp_server_api
from rich.console import Console

from expressnet.runtime.console import PROGRESS_MARK
from pipelines.cluster import ClusterError, client, confidential, settings, tables
from pipelines.cluster.confidential import say
from pipelines.graphs.fan_out import SHARED
from pipelines.screen import Screen

POLL_S = 5.0
FINAL = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
_RECENT = 20
# What Kubeflow adds to the graph: drivers, executors, the graph itself.
_INNER = re.compile(r"(-driver|^executor|^root|^exit-handler-\d+|^iteration-\d+|^condition-.*|^for-loop-\d+)$")


def status(wanted: str) -> int:
    """Prints the latest runs, or the steps of one; 1 if that one failed."""
    with client.connect(settings.read()) as api:
        if not wanted:
            _print_recent(api)
            return 0
        found = find(api, wanted)
        say(f"{found.display_name}  {found.state}\n{api.link(f'runs/details/{found.run_id}')}\n")
        say(tables.render(("step", "state", "minutes"), [(n, *row) for n, row in steps(found).items()]))
        return 1 if found.state in FINAL and not succeeded(found) else 0


def _print_recent(api: client.Api) -> None:
    listed = api.runs.run_service_list_runs(page_size=_RECENT, sort_by="created_at desc", **client.scope(api))
    rows = [(run.run_id, run.display_name, run.state or "PENDING") for run in listed.runs or []]
    say(tables.render(("id", "run", "state"), rows))


def find(api: client.Api, wanted: str) -> kfp_server_api.V2beta1Run:
    """Returns a run by its id or its name, or by the beginning of one of the latest.

    Raises:
        ClusterError: there is none, or there are several.
    """
    listed = api.runs.run_service_list_runs(page_size=100, sort_by="created_at desc", **client.scope(api)).runs or []
    matching = [run for run in listed if run.run_id.startswith(wanted) or run.display_name.startswith(wanted)]
    if len(matching) > 1:
        names = ", ".join(run.display_name for run in matching[:5])
        raise ClusterError(f"RUN={wanted} must name one run; it fits {len(matching)}: {names}. Give more of it.")
    return api.runs.run_service_get_run(matching[0].run_id if matching else wanted)


def _details(run: kfp_server_api.V2beta1Run) -> list[kfp_server_api.V2beta1PipelineTaskDetail]:
    return (run.run_details.task_details if run.run_details else None) or []


def steps(run: kfp_server_api.V2beta1Run) -> dict[str, tuple[str, str]]:
    """Returns state and minutes of every step, in the order of their beginning.

    A step whose executor Kubeflow skipped was taken from the cache. Of several attempts the last one counts. The
    parts of a loop are one step, from the first one's start to the last one's end.
    """
    details = _details(run)
    skipped = {d.task_id for d in details if d.display_name == "executor" and d.state == "SKIPPED"}
    skipped |= {d.pod_name for d in details if d.display_name == "executor" and d.state == "SKIPPED" and d.pod_name}
    found: dict[str, tuple[str, str]] = {}
    parts: list[tuple[str, kfp_server_api.V2beta1PipelineTaskDetail]] = []
    oldest = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    for detail in sorted(details, key=lambda d: d.start_time or d.create_time or oldest):
        name = detail.display_name or ""
        if not name or _INNER.search(name):
            continue
        children = {child for c in detail.child_tasks or [] for child in (c.task_id, c.pod_name) if child}
        state = "reused" if children & skipped else (detail.state or "PENDING").lower()
        if name == SHARED:
            parts.append((state, detail))
        found[name] = (state, _minutes([detail]))
    if parts:
        joined = found.get("crop", ("", ""))[0] in ("succeeded", "reused")
        state = _together([state for state, _ in parts], joined=joined)
        found[SHARED] = (state, _minutes([detail for _, detail in parts]))
    return found


def _together(states: list[str], *, joined: bool) -> str:
    """Returns one state for parts that run at the same time: the worst, unless what waits for all of them succeeded."""
    good = [state for state in states if state in ("succeeded", "reused")]
    bad = [state for state in states if state not in good]
    if joined or not bad:
        return "reused" if set(states) == {"reused"} else "succeeded"
    return next((state for state in ("failed", "running") if state in bad), bad[0])


def _minutes(details: list[kfp_server_api.V2beta1PipelineTaskDetail]) -> str:
    starts = [detail.start_time for detail in details if detail.start_time]
    if not starts:
        return ""
    running = any(detail.state in ("RUNNING", "PENDING", None) or not detail.end_time for detail in details)
    end = datetime.datetime.now(datetime.UTC) if running else max(detail.end_time for detail in details)
    return f"{max((end - min(starts)).total_seconds(), 0) / 60:.1f}"


def succeeded(run: kfp_server_api.V2beta1Run) -> bool:
    """Returns whether a run that is over did all it should: an exit handler's success hides no failed step."""
    return run.state == "SUCCEEDED" and not any(state == "failed" for state, _ in steps(run).values())


def wait(api: client.Api, run_id: str, names: list[str]) -> int:
    """Shows what the steps do until the run is over; returns 0 if it succeeded, otherwise 1."""
    screen = Screen(io.StringIO(), Console(file=sys.stdout), lambda *_: None)
    shown: dict[str, str] = {}
    while True:
        run = api.runs.run_service_get_run(run_id)
        now = steps(run)
        for name, (state, minutes) in now.items():
            if shown.get(name) != state:
                screen.show(name, confidential.redact(f"{state}{f' after {minutes} min' if _is_over(state) else ''}"))
                shown[name] = state
        if run.state in FINAL:
            break
        done = sum(_is_over(state) for state in shown.values())
        active = ", ".join(f"{name} {now[name][1]} min" for name, state in shown.items() if state == "running")
        screen.show("run", f"{PROGRESS_MARK}{done} of {len(names)} steps done; {active or 'waiting for a node'}")
        time.sleep(POLL_S)
    good = succeeded(run)
    screen.show("run", f"{run.state.lower()}{'' if good else ': ' + why(run)}")
    return 0 if good else 1


def _is_over(state: str) -> bool:
    return state.upper() in FINAL or state == "reused"


def why(run: kfp_server_api.V2beta1Run) -> str:
    """Returns which steps failed, and the endpoint's message."""
    failed = [name for name, (state, _) in steps(run).items() if state == "failed"]
    message = confidential.redact((run.error.message if run.error else "") or "")
    which = f"step {', '.join(failed)}; `make logs RUN={run.run_id} STEP={failed[0]}`" if failed else "no step failed"
    return f"{which}{' ' + message if message else ''}"


def cancel(wanted: str) -> int:
    """Ends a run; the summary is still written."""
    with client.connect(settings.read()) as api:
        run = find(api, wanted)
        if run.state in FINAL:
            raise ClusterError(f"A run that is under way can be cancelled; {run.display_name} is {run.state.lower()}.")
        api.runs.run_service_terminate_run(run.run_id)
        say(f"{run.display_name} is being cancelled; what is finished is reused by the next run")
    return 0
