"""`schedule`: makes the endpoint's recurring runs what `k8s/schedules.yaml` declares."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kfp_server_api
import yaml
from croniter import CroniterError, croniter

from pipelines import catalog, image_lock, placement, profiles
from pipelines.cluster import ClusterError, client, confidential, settings, submit
from pipelines.cluster.confidential import say
from pipelines.cluster.package import Package, make, run_labels

# Tells ours from recurring runs that people made by hand.
_MARK = "managed-by=expressnet"
_PREFIX = "expressnet-schedule-"
_NUM_SHOWN = 5
_NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,50}$")
# What Kubeflow's parser (robfig/cron, version 1) reads; croniter would take more.
_FIELD = re.compile(r"^(\?|[0-9*/,-]|[A-Za-z]{3})+$")
_ENABLED = kfp_server_api.RecurringRunMode.ENABLE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """One recurring run.

    Attributes:
        pipeline: name in the catalog.
        cron: six fields, seconds first.
        profile: of the cluster; "" takes that of the command.
        parameters: of the pipeline, where they differ from its defaults.
        enabled: whether it fires.
    """

    pipeline: str
    cron: str
    profile: str = ""
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    enabled: bool = True

    def __post_init__(self) -> None:
        if self.pipeline not in catalog.NAMES:
            raise ClusterError(f"pipeline must be one of {', '.join(catalog.NAMES)}; got {self.pipeline!r}.")
        fields = str(self.cron).split()
        try:
            readable = len(fields) == 6 and all(_FIELD.match(field) for field in fields) and "7" not in fields[5]
            if not readable or not croniter.is_valid(_for_croniter(self.cron), second_at_beginning=True):
                raise CroniterError
        except CroniterError:
            raise ClusterError(
                'cron must have six fields, seconds first, as "0 0 3 * * 1" (second minute hour day month weekday, '
                f"0 = Sunday); got {self.cron!r}."
            ) from None
        known = set(catalog.load(self.pipeline).component_spec.inputs) - {"workspace"}
        unknown = sorted(set(self.parameters) - known)
        if unknown:
            raise ClusterError(f"parameters must be among {', '.join(sorted(known))}; got {', '.join(unknown)}.")

    def next_times(self, now: datetime.datetime) -> list[datetime.datetime]:
        """Returns the next times at which it fires, in the zone of `now`."""
        times = croniter(_for_croniter(self.cron), now, second_at_beginning=True)
        return [times.get_next(datetime.datetime) for _ in range(_NUM_SHOWN)]


def _for_croniter(cron: str) -> str:
    return cron.replace("?", "*")


def read(path: Path) -> tuple[zoneinfo.ZoneInfo, dict[str, Schedule]]:
    """Reads the declarations and the zone in which their times are meant.

    Raises:
        ClusterError: a key or a value makes no sense.
    """
    if not path.is_file():
        raise ClusterError(f"Schedules are declared in {path}, which is not there.")
    try:
        given = yaml.safe_load(path.read_text()) or {}
        zone = zoneinfo.ZoneInfo(given.get("time_zone", "UTC"))
        found = {str(name): Schedule(**value) for name, value in (given.get("schedules") or {}).items()}
    except (yaml.YAMLError, zoneinfo.ZoneInfoNotFoundError, TypeError, AttributeError, ClusterError) as error:
        raise ClusterError(f"{path}: {error}") from error
    wrong = [name for name in found if not _NAME.match(name)]
    if wrong:
        raise ClusterError(f"{path}: names must be small letters, digits and dashes; got {', '.join(wrong)}.")
    return zone, found


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Wanted:
    """A schedule with all that it leads to."""

    schedule: Schedule
    package: Package
    parameters: Mapping[str, Any]
    account: str
    profile: str
    root: str

    def facts(self) -> dict[str, str]:
        return {
            "pipeline version": f"{self.package.name} {self.package.version}",
            "cron": self.schedule.cron,
            "enabled": str(self.schedule.enabled),
            "parameters": _canonical(self.parameters),
            "concurrency": "1",
            "catch-up": "False",
            "service account": self.account,
            "artifacts": self.root,
        }


def _canonical(parameters: Mapping[str, Any]) -> str:
    """Returns parameters in one spelling; Kubeflow hands whole numbers back as floats."""
    plain = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in parameters.items()}
    return json.dumps(plain, sort_keys=True)


def _wanted(schedule: Schedule, found: settings.Settings, default_profile: str) -> _Wanted:
    profile = profiles.read(schedule.profile or default_profile or found.profile)
    lock = image_lock.read_lock()
    parameters = {**schedule.parameters, "workspace": profile.workspace_path}
    if "checkpoint_uri" in catalog.load(schedule.pipeline).component_spec.inputs and found.bucket:
        parameters.setdefault("checkpoint_uri", found.under_bucket("checkpoints"))
    confidential.refuse(parameters)
    submit.require_ready(parameters, image_lock.why_stale(lock))
    package = make(
        schedule.pipeline,
        profile,
        lock,
        allow_tags=submit.allows_tags(),
        labels=run_labels(schedule.pipeline, parameters, lock),
    )
    account = placement.service_account(catalog.load(schedule.pipeline), profile)
    return _Wanted(
        schedule=schedule,
        package=package,
        parameters=parameters,
        account=account,
        profile=profile.name,
        root=found.under_bucket("runs"),
    )


def run(file: Path, *, profile_name: str, only_check: bool) -> int:
    """Shows and applies the difference; with `only_check` returns 1 if there is one."""
    zone, declared = read(file)
    found = settings.read()
    wanted = {name: _wanted(schedule, found, profile_name) for name, schedule in declared.items()}
    now = datetime.datetime.now(zone)
    for name, schedule in declared.items():
        times = ", ".join(time.strftime("%a %Y-%m-%d %H:%M:%S") for time in schedule.next_times(now))
        say(f"{name}: next {times} ({zone.key}){'' if schedule.enabled else ', but it is off'}")
    with client.connect(found) as api:
        drifted = [
            _settle(api, name, wanted.get(name), there, only_check, found)
            for name, there in _present(api, set(wanted)).items()
        ]
    say(f"{sum(drifted)} of {len(drifted)} schedules {'differ' if only_check else 'were changed'}")
    return 1 if only_check and any(drifted) else 0


def _present(api: client.Api, names: set[str]) -> dict[str, list[kfp_server_api.V2beta1RecurringRun]]:
    """Returns our recurring runs by name, with none for a name that is declared only."""
    there: dict[str, list[kfp_server_api.V2beta1RecurringRun]] = {name: [] for name in sorted(names)}
    token = ""
    while True:
        page = api.recurring.recurring_run_service_list_recurring_runs(
            page_size=100, page_token=token, **client.scope(api)
        )
        for recurring in page.recurring_runs or []:
            if _MARK in (recurring.description or "") and recurring.display_name.startswith(_PREFIX):
                there.setdefault(recurring.display_name.removeprefix(_PREFIX), []).append(recurring)
        token = page.next_page_token
        if not token:
            return there


def _settle(
    api: client.Api,
    name: str,
    wanted: _Wanted | None,
    there: list[kfp_server_api.V2beta1RecurringRun],
    only_check: bool,
    found: settings.Settings,
) -> bool:
    """Makes one schedule as it is wanted; returns whether it was not.

    The new one is made before the old one goes: a schedule that is interrupted here fires too often rather than
    never, and the next call removes what is too many.
    """
    facts = wanted.facts() if wanted else None
    right = [each for each in there if facts == _facts_of(api, each)]
    extra = [each for each in there if each not in right[:1]]
    if wanted and right and not extra:
        say(f"{name}: as declared")
        return False
    say(f"{name}: {_difference(api, facts, there)}")
    if not only_check:
        if wanted and not right:
            _create(api, name, wanted, found)
        for each in extra:
            api.recurring.recurring_run_service_delete_recurring_run(each.recurring_run_id)
    return True


def _difference(api: client.Api, facts: dict[str, str] | None, there: list[kfp_server_api.V2beta1RecurringRun]) -> str:
    if facts is None:
        return "not declared any more; goes"
    if not there:
        return "new"
    if len(there) > 1:
        return f"{len(there)} of them; one stays"
    now = _facts_of(api, there[0])
    return "; ".join(f"{key} {now[key]} -> {value}" for key, value in facts.items() if now[key] != value)


def _facts_of(api: client.Api, recurring: kfp_server_api.V2beta1RecurringRun) -> dict[str, str]:
    reference = recurring.pipeline_version_reference
    version = api.pipelines.pipeline_service_get_pipeline_version(reference.pipeline_id, reference.pipeline_version_id)
    pipeline = api.pipelines.pipeline_service_get_pipeline(reference.pipeline_id)
    config = recurring.runtime_config
    return {
        "pipeline version": f"{pipeline.display_name} {version.display_name}",
        "cron": recurring.trigger.cron_schedule.cron if recurring.trigger.cron_schedule else "none",
        "enabled": str(recurring.mode == _ENABLED and recurring.status != "DISABLED"),
        "parameters": _canonical(config.parameters or {}),
        "concurrency": str(recurring.max_concurrency),
        "catch-up": str(not recurring.no_catchup),
        "service account": recurring.service_account or "",
        "artifacts": config.pipeline_root or "",
    }


def _create(api: client.Api, name: str, wanted: _Wanted, found: settings.Settings) -> None:
    version = submit.uploaded(api, wanted.package)
    experiment = submit.experiment_of(api, submit.experiment_name(dict(wanted.parameters)))
    mode = _ENABLED if wanted.schedule.enabled else kfp_server_api.RecurringRunMode.DISABLE
    body = kfp_server_api.V2beta1RecurringRun(
        display_name=_PREFIX + name,
        experiment_id=experiment.experiment_id,
        mode=mode,
        max_concurrency="1",
        description=f"{_MARK}\n{submit.description(dict(wanted.parameters), wanted.profile)}",
        no_catchup=True,
        service_account=wanted.account,
        pipeline_version_reference=submit.reference(version),
        runtime_config=submit.runtime_config(dict(wanted.parameters), found),
        trigger=kfp_server_api.V2beta1Trigger(
            cron_schedule=kfp_server_api.V2beta1CronSchedule(cron=wanted.schedule.cron)
        ),
    )
    api.recurring.recurring_run_service_create_recurring_run(body)
