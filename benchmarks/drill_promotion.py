"""Drills registry and promotion: `python -m benchmarks.drill_promotion`.

Prints every figure against what was asked; the exit code is 1 if one was missed. `--only flips,kills` runs some parts.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import promotion_kills, promotion_races
from expressnet.registry import mlflow_client, registry, sealed_files
from expressnet.runtime import console, storage
from tests.made import made_models, registry_server

NUM_FLIPS = 1000
RACES = ((4, 200), (16, 50))  # racers, rounds
NUM_TRIES, NUM_ROWS, NUM_RESAMPLES = 1000, 3000, 500


def drill_simulation(folder: Path) -> bool:
    """Lets models that differ by nothing and by three points through the gate, a thousand times each."""
    noise, split_rows = made_models.share_promoted(NUM_ROWS, (0.65, 0.65), NUM_TRIES, NUM_RESAMPLES)
    found, _ = made_models.share_promoted(NUM_ROWS, (0.65, 0.68), NUM_TRIES, NUM_RESAMPLES)
    print(
        f"simulated on {NUM_ROWS:,} rows, accuracy 0.65, one model alone right on {split_rows:.1%}: without a "
        f"difference {noise:.1%} of {NUM_TRIES:,} promoted, asked at most 5 %; better by three points {found:.1%}, "
        "asked at least 80 %",
        flush=True,
    )
    return noise <= 0.05 and found >= 0.8


def drill_flips(folder: Path) -> bool:
    """Flips one bit of one stored file at a time and loads what it belongs to."""
    models, chance = registry.Registry(folder), random.Random(0)
    model_dir, evaluation_dir = made_models.write(folder / "made")
    card_dir = folder / "made" / "card"
    storage.write_bytes(card_dir / "card.md", b"# a card\n" * 50)
    version = models.register(
        "expressnet-flips",
        "20260101-00000000",
        "0" * 64,
        {"model": model_dir, "evaluation": evaluation_dir, "card": card_dir},
        params={},
        metrics={},
        tags={},
    )
    loaders = {
        "model": models.model_dir,
        "evaluation": models.evaluation,
        sealed_files.FILE_NAME: models.model_dir,
        "card": lambda run_id: models.text(run_id, registry.CARD_TEXT),
    }
    stored = models.model_dir(version.run_id).parent
    files = sorted(path for path in stored.rglob("*") if path.is_file())
    refused = 0
    for _ in console.progress(range(NUM_FLIPS), total=NUM_FLIPS, unit="flips"):
        path = chance.choice(files)
        whole = path.read_bytes()
        place = chance.randrange(len(whole))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :])
        name = path.relative_to(stored).as_posix()
        refused += _refuses(lambda: loaders[name.partition("/")[0]](version.run_id), name)  # noqa: B023
        path.write_bytes(whole)
    still = [name for name, load in loaders.items() if _refuses(lambda: load(version.run_id), "")]  # noqa: B023
    print(
        f"flipped bits: {refused} of {NUM_FLIPS} refused with the file's name, asked {NUM_FLIPS}; refused when "
        f"whole: {len(still)} of {len(loaders)}, asked 0",
        flush=True,
    )
    return refused == NUM_FLIPS and not still


def _refuses(load: Callable[[], object], name: str) -> bool:
    try:
        load()
    except sealed_files.DamagedError as error:
        return bool(re.search(rf"{name} is not what was registered", str(error)))
    return False


def drill_kills(folder: Path) -> bool:
    """Kills between register and alias."""
    promotion_races.in_child(registry.Registry, folder)
    counts = promotion_kills.kill_everywhere(folder, folder)
    print(
        f"killed before each line from register to alias: {counts['healed']} of {counts['kills']} healed by the next "
        f"call, asked {counts['kills']}",
        flush=True,
    )
    return counts["healed"] == counts["kills"] > 100


def drill_races_sqlite(folder: Path) -> bool:
    """Races on the database of a workspace."""
    return _races(folder / "sqlite", "sqlite")


def drill_races_postgresql(folder: Path) -> bool:
    """Races on a server on PostgreSQL."""
    if registry_server.programs() is None:
        print("PostgreSQL is not installed, so nothing is known about races there (Debian: apt-get install postgresql)")
        return False
    with registry_server.running(folder / "server") as url:
        os.environ[mlflow_client.URI_VARIABLE] = url
        try:
            return _races(folder / "postgresql", "PostgreSQL")
        finally:
            del os.environ[mlflow_client.URI_VARIABLE]


def _races(workspace: Path, name: str) -> bool:
    workspace.mkdir()
    promotion_races.in_child(promotion_races.register, workspace, 1 + max(racers for racers, _ in RACES))
    is_met, entries = True, 0
    for racers, rounds in RACES:
        started = time.monotonic()
        ours = promotion_races.race(workspace, racers, rounds, blindly=False)
        seconds = time.monotonic() - started
        entries += rounds + ours["promotions"]
        blind = promotion_races.race(workspace, racers, rounds, blindly=True)
        print(
            f"{name}, {racers} racers: the right champion in {ours['right']} of {rounds} rounds, asked {rounds}; "
            f"{ours['told']} of {ours['conflicts']} losers told who was first; history "
            f"{'whole' if ours['whole'] else 'NOT WHOLE'} with {ours['entries']} of {entries} entries; {seconds:.0f} "
            f"s. Setting the alias as tutorials do: right in {blind['right']}",
            flush=True,
        )
        is_met &= (ours["right"], ours["told"], ours["entries"], ours["whole"], ours["failed"]) == (
            rounds,
            ours["conflicts"],
            entries,
            1,
            0,
        )
    return is_met


DRILLS: dict[str, Callable[[Path], bool]] = {
    # Kills first: they fork, which a process with open databases and threads must not.
    "kills": drill_kills,
    "races-sqlite": drill_races_sqlite,
    "races-postgresql": drill_races_postgresql,
    "flips": drill_flips,
    "simulation": drill_simulation,
}


def main() -> int:
    """Runs the drills; returns 1 if a figure was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drill_promotion", description=__doc__)
    parser.add_argument("--only", default=",".join(DRILLS), help="parts, with commas; default: %(default)s")
    names = parser.parse_args().only.split(",")
    if unknown := sorted(set(names) - set(DRILLS)):
        parser.error(f"--only takes {', '.join(DRILLS)}; got {', '.join(unknown)}")
    os.environ.pop(mlflow_client.URI_VARIABLE, None)  # the drills bring their own server
    met = []
    for name in sorted(names, key=list(DRILLS).index):
        with tempfile.TemporaryDirectory() as folder:
            met.append(DRILLS[name](Path(folder)))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
