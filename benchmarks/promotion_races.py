"""Processes that promote at the same moment, ours and the tutorial's way."""

from __future__ import annotations

import json
import multiprocessing
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from expressnet.registry import mlflow_client
from expressnet.registry.registry import Registry, Version
from expressnet.runtime import storage
from tests.made import made_models

MODEL_NAME = "expressnet-race"
# Children of a process that has imported MLflow, but opened nothing of it: they start at once.
_CONTEXT = multiprocessing.get_context("fork")
_TOLD = re.compile(r"Somebody else was first: \S+ was champion .*, (\S+) is champion since \S+\. Nothing was changed")


def in_child(work: Callable[..., None], *arguments: object) -> None:
    """Runs `work` in a process of its own.

    Raises:
        RuntimeError: it failed.
    """
    child = _CONTEXT.Process(target=work, args=arguments)
    child.start()
    child.join()
    if child.exitcode:
        raise RuntimeError(f"{work.__name__} ended with {child.exitcode}.")


def register(workspace: Path, count: int) -> None:
    """Registers made versions; `versions.json` lists them."""
    models = Registry(workspace)
    versions = []
    for seed in range(count):
        model_dir, _ = made_models.write(workspace / "made" / str(seed), seed)
        digest = storage.file_sha256(model_dir / "weights.safetensors")
        versions.append(
            models.register(
                MODEL_NAME, f"20260101-{digest[:8]}", digest, {"model": model_dir}, params={}, metrics={}, tags={}
            )
        )
    storage.write_json(workspace / "versions.json", versions)


def race(workspace: Path, num_racers: int, num_rounds: int, *, blindly: bool) -> Counter[str]:
    """Lets racers promote, each a version of its own, whose scores change from round to round.

    A racer reads who is champion, compares the scores and promotes its version if that is better. Told that somebody
    else was first, it looks again.

    Returns:
        Counts: `right` rounds, which the best version won by pointer and alias; `conflicts`, and `told` of them with
        the winner's name; `entries` of the history beyond or below those that the promotions should have left.
    """
    barrier, results = _CONTEXT.Barrier(num_racers + 1), _CONTEXT.SimpleQueue()
    racers = [
        _CONTEXT.Process(target=_racer, args=(workspace, place, num_racers, num_rounds, blindly, barrier, results))
        for place in range(1, num_racers + 1)
    ]
    referee = _CONTEXT.Process(target=_referee, args=(workspace, num_racers, num_rounds, blindly, barrier, results))
    for process in (*racers, referee):
        process.start()
    total: Counter[str] = Counter()
    for _ in range(num_racers + 1):
        total.update(json.loads(results.get()))
    for process in (*racers, referee):
        process.join()
    return total


def _scores(number: int, num_racers: int) -> list[int]:
    """Returns the scores of a round by version; that of the champion at its start is 0."""
    return [0, *random.Random(number).sample(range(1, num_racers + 1), num_racers)]


def _versions(workspace: Path) -> list[Version]:
    return [Version(*each) for each in storage.read_json(workspace / "versions.json")]


def _reported(work: Callable[..., Counter[str]]) -> Callable[..., None]:
    """Returns the work of a process that tells its counts, or breaks the barrier for all others."""

    def run(workspace: Path, *arguments: object) -> None:
        *_, barrier, results = arguments
        counts: Counter[str] = Counter(failed=1)
        try:
            counts = work(workspace, *arguments[:-1])
        finally:
            if counts["failed"]:
                barrier.abort()
            results.put(json.dumps(counts))

    return run


def _race_once(
    workspace: Path, place: int, num_racers: int, num_rounds: int, blindly: bool, barrier: object
) -> Counter[str]:
    models, versions, counts = Registry(workspace), _versions(workspace), Counter[str]()
    client = mlflow_client.connect(workspace)
    for number in range(num_rounds):
        scores = _scores(number, num_racers)
        barrier.wait()
        if blindly:
            _promote_blindly(client, versions, scores, place)
        else:
            counts.update(_promote(models, versions, scores, place))
        barrier.wait()
    return counts


def _promote(models: Registry, versions: list[Version], scores: list[int], place: int) -> Counter[str]:
    champions, counts = models.champions(MODEL_NAME), Counter[str]()
    while True:
        champion = champions.current()
        if champion["score"] >= scores[place]:
            return counts
        try:
            champions.swap(
                expected=champion,
                new=_record(versions[place], scores[place]),
                action="promoted",
                evidence={"score": scores[place]},
            )
            return counts + Counter(promotions=1)
        except storage.ConflictError as error:
            told = _TOLD.match(str(error))
            counts.update(conflicts=1, told=int(bool(told and told[1] in [each.name for each in versions])))


def _record(version: Version, score: int) -> dict:
    return {**version._asdict(), "version": version.name, "score": score}


def _promote_blindly(client: object, versions: list[Version], scores: list[int], place: int) -> None:
    """Does as MLflow's tutorials do: reads the alias, compares, sets the alias."""
    champion = str(client.get_model_version_by_alias(MODEL_NAME, mlflow_client.CHAMPION_ALIAS).version)
    if scores[place] > scores[[version.number for version in versions].index(champion)]:
        client.set_registered_model_alias(MODEL_NAME, mlflow_client.CHAMPION_ALIAS, versions[place].number)


def _watch(workspace: Path, num_racers: int, num_rounds: int, blindly: bool, barrier: object) -> Counter[str]:
    models, versions, counts = Registry(workspace), _versions(workspace), Counter[str]()
    client, champions = mlflow_client.connect(workspace), models.champions(MODEL_NAME)
    for number in range(num_rounds):
        if blindly:
            client.set_registered_model_alias(MODEL_NAME, mlflow_client.CHAMPION_ALIAS, versions[0].number)
        else:
            champions.swap(expected=champions.current(), new=_record(versions[0], 0), action="promoted", evidence={})
        barrier.wait()
        barrier.wait()
        best = versions[_scores(number, num_racers).index(num_racers)]
        alias = str(client.get_model_version_by_alias(MODEL_NAME, mlflow_client.CHAMPION_ALIAS).version)
        is_right = alias == best.number and (blindly or champions.current()["version"] == best.name)
        counts.update(right=int(is_right))
        if (number + 1) % 50 == 0:
            print(f"round {number + 1} of {num_rounds}, {num_racers} racers: {counts['right']} right", flush=True)
    if not blindly:
        counts["whole"] = int(not champions.problems())
        counts["entries"] = len(champions.entries())
    return counts


_racer, _referee = _reported(_race_once), _reported(_watch)
