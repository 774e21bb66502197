"""What a submission would do, said without asking anybody: steps, nodes, images, reuse, the most it can cost."""

from __future__ import annotations

from typing import Any

from pipelines import image_lock
from pipelines.cluster import tables
from pipelines.cluster.package import Package
from pipelines.graphs.fan_out import SHARED
from pipelines.profiles import Pool, Profile, Step

_HEADINGS = ("step", "node", "cpu", "memory", "GPUs", "attempts", "at most", "image", "reused")


def render(package: Package, profile: Profile, parameters: dict[str, Any], run_name: str, notes: list[str]) -> str:
    """Returns the plan as text."""
    steps = {name: _step_name(task) for name, task in package.tasks().items()}
    lines = [
        f"pipeline   {package.name}, version {package.version}",
        f"run        {run_name}",
        f"profile    {profile.name}: {profile.about}",
        f"workspace  volume {profile.workspace_claim} at {profile.workspace_path}",
        "",
        _table(package, profile, steps),
        _cost(profile, {step: profile.step(step) for step in steps.values()}),
        "reuse      a step marked `if unchanged` is taken from an earlier run whose data, settings, code and image are",
        "           the same; ingest finds out first, so nothing more can be known now",
        *(f"image      {image}" for image in sorted(set(_images(package).values()))),
        *(f"parameter  {name} = {value!r}" for name, value in parameters.items() if value != ""),
        *(f"note       {note}" for note in notes),
    ]
    return "\n".join(lines)


def _step_name(task: dict[str, Any]) -> str:
    return task["componentRef"]["name"].removeprefix("comp-")


def _images(package: Package) -> dict[str, str]:
    executors = package.spec["deploymentSpec"]["executors"]
    return {name.removeprefix("exec-"): executor["container"]["image"] for name, executor in executors.items()}


def _table(package: Package, profile: Profile, steps: dict[str, str]) -> str:
    rows = []
    tasks = package.tasks()
    found = _images(package)
    for task, name in steps.items():
        step = profile.step(name)
        pool = profile.pools[step.pool]
        cached = tasks[task]["cachingOptions"].get("enableCache", False)
        gpus = f"{pool.accelerator.count} {pool.accelerator.type}" if pool.accelerator else "-"
        rows.append(
            (
                f"{task} ({profile.crop.parts} parts, {profile.crop.parallelism} at a time)"
                if name == SHARED
                else task,
                step.pool + (" (spot)" if pool.spot else ""),
                f"{step.cpu}-{step.cpu_limit}",
                f"{step.memory}-{step.memory_limit}",
                gpus,
                str(step.retries + 1),
                f"{step.timeout_s / 3600:.3g} h",
                image_lock.short_name(found[name]),
                "if unchanged" if cached else "never",
            )
        )
    return tables.render(_HEADINGS, rows) + "\n"


def _cost(profile: Profile, steps: dict[str, Step]) -> str:
    """Says the upper bound, because how long a step takes depends on data that nobody has read yet."""
    hours = {
        name: step.timeout_s / 3600 * (profile.crop.parts if name == SHARED else 1) for name, step in steps.items()
    }
    gpu_hours = sum(hours[name] * _gpus(profile.pools[step.pool]) for name, step in steps.items())
    dollars = sum(hours[name] * profile.pools[step.pool].usd_per_hour for name, step in steps.items())
    price = f"{dollars:,.2f} USD" if dollars else "no price is given in the profile"
    each = ", ".join(f"{name} {pool.usd_per_hour:g} USD/h" for name, pool in profile.pools.items() if pool.usd_per_hour)
    return (
        f"cost       at most {gpu_hours:,.0f} GPU-hours and {price}, if every step and part ran once until its timeout "
        f"on\n           a node of its own ({each or 'own hardware'})"
    )


def _gpus(pool: Pool) -> int:
    return pool.accelerator.count if pool.accelerator else 0
