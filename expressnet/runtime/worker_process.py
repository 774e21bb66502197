"""What happens in a worker process; expressnet.runtime.workers starts it and talks to it."""

from __future__ import annotations

import os
import pickle
import queue
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

OUT_OF_MEMORY = 98  # exit code


class Job(NamedTuple):
    """What a worker has to know; see `expressnet.runtime.workers.run`."""

    function: Callable[[Any], Any]
    start: Callable[..., None] | None
    start_arguments: tuple[Any, ...]
    timeout_s: float
    memory_bytes: int | None


class Raised(NamedTuple):
    """Stands for the result of a task whose function raised."""

    error: BaseException


def work(pipe: Connection, job: Job, cpu: int | None = None) -> None:
    """Starts, says so by an empty list, then answers every list of tasks with a list of results.

    Where a task raises, the list ends with Raised; where one breaks a limit, the process ends. With `cpu`, all its
    threads stay on that one.
    """
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent ends us
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, inbox), daemon=True).start()
    try:
        if job.start:
            job.start(*job.start_arguments)
        _limit_memory(job.memory_bytes)
    except Exception as error:
        pipe.send_bytes(_pickle([_raised(error)]))
        return
    pipe.send_bytes(_pickle([]))
    try:
        while True:
            pipe.send_bytes(_pickle(_attempt(job, inbox.get())))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


def silence() -> None:
    """Sends the C libraries' own complaints about damaged images nowhere; the results say what is wrong."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123  # a descriptor is wanted, no path
        os.dup2(nowhere.fileno(), 2)


def _receive(pipe: Connection, inbox: queue.SimpleQueue[bytes]) -> None:
    """Empties the pipe, so that the parent never waits for us; ends the process when the parent is gone."""
    try:
        while True:
            inbox.put(pipe.recv_bytes())
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except (EOFError, OSError):
        os._exit(0)


def _attempt(job: Job, data: bytes) -> list[Any]:
    results: list[Any] = []
    try:
        for task in pickle.loads(data):
            # The signal ends the process, even where it is deep in a decoder.
            signal.setitimer(signal.ITIMER_REAL, job.timeout_s)
            results.append(job.function(task))
    except MemoryError:
        raise
    except Exception as error:
        results.append(_raised(error))
    signal.setitimer(signal.ITIMER_REAL, 0)
    return results


def _pickle(results: list[Any]) -> bytes:
    try:
        return pickle.dumps(results)
    except MemoryError:
        raise
    except Exception as error:
        return pickle.dumps([_raised(error)])


def _limit_memory(memory_bytes: int | None) -> None:
    if memory_bytes is None or sys.platform != "linux":
        return
    num_pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (num_pages * resource.getpagesize() + memory_bytes, hard))


def _raised(error: Exception) -> Raised:
    """Makes an error fit for the pipe, with its traceback as a note."""
    note = "In a worker process: " + "".join(traceback.format_exception(error))
    try:
        error = pickle.loads(pickle.dumps(error))
    except Exception:  # an error class whose arguments are not its attributes can't be rebuilt
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(note)
    return Raised(error)
