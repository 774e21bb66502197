"""Drills reading hostile archives, bombs and sources. `python -m benchmarks.drill_archives`; 1 minute."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import drill_images
from expressnet.config.ingest import IngestConfig
from expressnet.imaging import decoders
from expressnet.sources import places
from tests.made import clean_archives, hostile_archives, hostile_images, hostile_sources
from tests.made.watch import Watch

_NUM_MUTANTS = 5000
_MEASURE = """
import sys, time
from pathlib import Path
from benchmarks import steps
from expressnet.sources import places
from expressnet.config.ingest import IngestConfig

before_gib, started = steps.peak_gib(), time.process_time()
try:
    places.locate(sys.argv[1], Path(sys.argv[2]), IngestConfig(max_files=50_000)).fetch()
    reason = ""
except ValueError as error:
    reason = str(error)
print(time.process_time() - started, 1024 * (steps.peak_gib() - before_gib), reason, sep="|")
"""


def refusal(source: str, spool: Path) -> str:
    """Returns the reason why a source is refused, "" if it is taken."""
    try:
        places.locate(source, spool, IngestConfig()).fetch()
    except ValueError as error:
        return str(error)
    return ""


def measure(path: Path, spool: Path) -> tuple[float, float, str]:
    """Returns the seconds of CPU and the MiB that an archive takes, and the reason to refuse it or ""."""
    command = [sys.executable, "-c", _MEASURE, str(path), str(spool)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, mib, reason = done.stdout.strip("\n").split("|", 2)
    return float(seconds), float(mib), reason


def content(place: str, spool: Path) -> tuple[Any, ...]:
    """Returns all there is to know about a source: paths, bytes, empty folders, ignored files."""
    source = places.locate(place, spool, IngestConfig())
    tree = source.fetch()
    found = ([(file.path, file.size, file.read()) for file in tree.files], tree.empty, tree.num_ignored)
    source.release()
    return found


def drill_twins(folder: Path) -> bool:
    """Prints how many clean archives give the tree of their folder; says whether all do."""
    twin = clean_archives.write(folder / "twin")
    expected = content(str(twin), folder / "spool")
    archives = list(clean_archives.packed(twin))
    differing = []
    for title, data in archives:
        (folder / "archive").write_bytes(data)
        if content(str(folder / "archive"), folder / "spool") != expected:
            differing.append(title)
    equal = len(archives) - len(differing)
    return _say(f"clean archives equal to their folder {equal} of {len(archives)}", differing)


def drill_hostile(folder: Path) -> bool:
    """Prints how many hostile archives are refused for the right reason; says whether all are, writing nothing."""
    path, spool = folder / "archive", folder / "spool"
    archives = list(hostile_archives.archives())
    wrong, outside = [], []
    before = sorted(folder.rglob("*"))
    for title, data, reason in archives:
        path.write_bytes(data)
        with Watch() as watch:
            if not re.search(reason, refused := refusal(str(path), spool)):
                wrong.append(f"{title}: {refused or 'taken'}")
        outside += [place for place in watch.written if not Path(place).resolve().is_relative_to(spool)]
        left = sorted(set(folder.rglob("*")) - {path, spool} - set(before))
        wrong += [f"{title}: left {left}"] if left else []
    refused_text = f"hostile archives refused {len(archives) - len(wrong)} of {len(archives)} (asked >= 60)"
    return _say(f"{refused_text}, written outside {len(outside)}", wrong + outside) and len(archives) >= 60


def drill_mutants(folder: Path) -> bool:
    """Prints what becomes of damaged archives; says whether each is refused or taken and nothing of it stays."""
    path, spool = folder / "archive", folder / "spool"
    seeds = [data for _, data in clean_archives.packed(clean_archives.write(folder / "seed"))]
    num_taken, longest_s, wrong = 0, 0.0, []
    for number in range(_NUM_MUTANTS):
        noise = np.random.default_rng([3, number])
        first, second = noise.integers(len(seeds), size=2)
        path.write_bytes(drill_images.mutate(seeds[first], seeds[second], noise))
        started = time.monotonic()
        try:
            content(str(path), spool)
            num_taken += 1
        except ValueError as error:
            wrong += [] if str(path) in str(error) else [f"{number}: {error}"]
        except Exception as error:
            wrong.append(f"{number}: {error!r}")
        longest_s = max(longest_s, time.monotonic() - started)
        wrong += [f"{number}: left {sorted(spool.rglob('*'))}"] if spool.exists() and any(spool.iterdir()) else []
    text = f"damaged archives {_NUM_MUTANTS:,}: {num_taken:,} taken, the others refused but {len(wrong)}"
    return _say(f"{text}, longest {longest_s:.2f} s", wrong)


def drill_bombs(folder: Path) -> bool:
    """Prints what bombs cost; says whether each is refused, and cheaply."""
    costs = {}
    for title, data in hostile_archives.bombs():
        (folder / "bomb").write_bytes(data)
        costs[title] = measure(folder / "bomb", folder / "spool")
    picture = hostile_images.png(50_000, 50_000, depth=1, colour=0, pixels=bytes(2**20))
    costs["PNG of 50,000 x 50,000"] = drill_images.measure(picture)
    wrong = [title for title, (seconds, mib, reason) in costs.items() if not reason or seconds >= 1 or mib >= 256]
    wrong += [] if costs["PNG of 50,000 x 50,000"][2] == decoders.TOO_MANY_PIXELS else ["PNG: another reason"]
    refused = sum(bool(reason) for _, _, reason in costs.values())
    seconds, mib = (max(cost[place] for cost in costs.values()) for place in (0, 1))
    return _say(
        f"bombs refused {refused} of {len(costs)} (asked >= 15), most work {seconds:.2f} s (asked < 1), "
        f"most memory {mib:.0f} MiB (asked < 256)",
        wrong,
    )


def attack(folder: Path) -> int:
    """Tries all hostile sources, prints the figures as this process sees them; returns how many were missed."""
    outside, spool = folder / "outside", folder / "spool"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"secret")
    tries = [(address, address) for address in hostile_sources.ADDRESSES]
    tries += [(title, str(path)) for title, path in hostile_sources.folders(folder / "hostile", outside)]
    content(str(clean_archives.write(folder / "hostile" / "twin")), spool)  # imports what is imported late
    os.access(folder / "begin", os.F_OK)  # a mark for strace
    with Watch() as watch:
        taken = [title for title, source in tries if not refusal(source, spool)]
    os.access(folder / "end", os.F_OK)
    read = [place for place in watch.read + watch.written if not place.startswith(str(folder / "hostile"))]
    refused = f"hostile sources refused {len(tries) - len(taken)} of {len(tries)} (asked >= 40)"
    text = f"{refused}, reads outside {len(read)}, connections {len(watch.connections)}"
    return 0 if _say(text, taken + read + watch.connections) and len(tries) >= 40 else 1


def drill_sources(folder: Path) -> bool:
    """Tries the hostile sources in a process of its own, under strace if there is one; says whether all went well."""
    trace = folder / "trace"
    command = [sys.executable, "-m", "benchmarks.drill_archives", str(folder)]
    if shutil.which("strace"):
        command = ["strace", "-f", "-s", "4096", "-e", "trace=%file,%network", "-o", str(trace), *command]
    good = subprocess.run(command, check=False).returncode == 0
    if not trace.exists():
        return good
    calls = trace.read_text(errors="replace").partition(f"{folder}/begin")[2].partition(f"{folder}/end")[0].split("\n")
    opened = [call for call in calls if re.search(r" open(at2?)?\(", call) and f'"{folder}/hostile' not in call]
    network = [call for call in calls if re.search(r" (socket|connect|sendto|sendmsg)\(", call)]
    text = f"the same, by the kernel's account (strace, {len(calls)} calls): reads outside {len(opened)}"
    return _say(f"{text}, network calls {len(network)}", opened + network) and len(calls) > 100 and good


def _say(figures: str, wrong: list[str]) -> bool:
    print(f"{figures}{'  MISSED' if wrong else ''}")
    for text in wrong[:10]:
        print(f"    {text[:300]}")
    return not wrong


def main() -> int:
    """Prints the figures; returns the exit code."""
    drills = (drill_twins, drill_hostile, drill_mutants, drill_bombs, drill_sources)
    outcomes = [_in_folder(drill) for drill in drills]
    return 0 if all(outcomes) else 1


def _in_folder(drill: Callable[[Path], bool]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        return drill(Path(folder))


if __name__ == "__main__":
    sys.exit(attack(Path(sys.argv[1])) if len(sys.argv) > 1 else main())
