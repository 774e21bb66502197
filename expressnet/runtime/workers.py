"""Runs a function over tasks in worker processes with limits; a task that ends its process costs that task only.

Not concurrent.futures: there, one dead process ends the pool. Not pebble: its processes share one pipe, so that one
which is killed while it sends (by the kernel, when memory runs out) leaves half a message and everybody waiting. Here
every process has a pipe of its own, and a broken pipe says whose task it was.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import multiprocessing.connection
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from expressnet.runtime import cpus
from expressnet.runtime.worker_process import OUT_OF_MEMORY, Job, Raised, work

Task = TypeVar("Task")
Result = TypeVar("Result")

TOOK_TOO_LONG = "it takes too long"
TOOK_TOO_MUCH = "it takes too much memory"
DIED = "it ends the process"
REASONS = (TOOK_TOO_LONG, TOOK_TOO_MUCH, DIED)

_CHUNKS_HELD = 2  # per worker: the one it works on, and the next, so that it never waits for us
_MAX_FAILED_STARTS = 3  # in a row; one may have been the system's doing
_CHUNKS_OPEN = 4  # per worker: read from the tasks and not yet yielded


class Failure(NamedTuple):
    """Stands for the result of a task that has none; `reason` is one of REASONS."""

    reason: str


def run(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    num_workers: int = 0,
    start: Callable[..., None] | None = None,
    start_arguments: tuple[Any, ...] = (),
    timeout_s: float,
    memory_bytes: int | None = None,
    chunk: int = 32,
) -> Iterator[Result | Failure]:
    """Yields the results in the order of the tasks; reads the tasks only a few chunks ahead.

    When a process ends, the tasks of its chunk run again one by one, so that a failure is about one task alone.

    Args:
        function: importable, because the processes are spawned; its tasks and results can be pickled.
        tasks: as many as you like.
        num_workers: processes; 0 takes `cpus.num_usable()`.
        start: is called once in every process, before its first task.
        start_arguments: of `start`.
        timeout_s: longest time for one task, wall clock.
        memory_bytes: most address space that a process may take on top of what it has after `start`; None sets no
            limit, and only Linux knows one.
        chunk: tasks that are sent together.

    Raises:
        RuntimeError: a process could not start.
        Exception: whatever `function` raised, when it is that task's turn.
    """
    job = Job(function, start, start_arguments, timeout_s, memory_bytes)
    crew = _Crew(job, num_workers or cpus.num_usable())
    rest = iter(tasks)
    window: deque[_Chunk] = deque()
    try:
        while True:
            while len(window) < crew.size * _CHUNKS_OPEN and (some := list(itertools.islice(rest, chunk))):
                window.append(_Chunk(some))
                crew.waiting.append(window[-1])
            if not window:
                return
            crew.hand_out()
            crew.collect(wait=not window[0].is_done())
            while window and window[0].is_done():
                yield from window.popleft().unwrap()
    finally:
        crew.stop()


def useful(num_tasks: int, *, each: int, most: int = 0) -> int:
    """Returns how many processes are worth their start: one for `each` tasks, at most `most` (0: one per CPU)."""
    return min(most or cpus.num_usable(), max(1, num_tasks // each))


class Standby:
    """One process that answers one task at a time; not for several threads at once."""

    def __init__(self, job: Job):
        self._job = job
        self._worker = _Worker(job)

    def ask(self, task: Any) -> Any:
        """Returns the result of one task, or the Failure; then another process starts for the next one."""
        chunk = _Chunk([task])
        self._worker.give(chunk)
        while not chunk.is_done():
            if not self._worker.take():
                chunk.results = [Failure(self._worker.end())]
                self._worker = _Worker(self._job)
        return next(chunk.unwrap())

    def stop(self) -> None:
        """Ends the process."""
        self._worker.process.kill()
        self._worker.end()


class _Chunk:
    """Consecutive tasks, and their results when they are there."""

    def __init__(self, tasks: list[Any]):
        self.tasks = tasks
        self.results: list[Any] | None = None
        self.parts: list[_Chunk] = []  # one per task, after a process ended

    def is_done(self) -> bool:
        return self.results is not None or (bool(self.parts) and all(part.is_done() for part in self.parts))

    def unwrap(self) -> Iterator[Any]:
        for part in self.parts:
            yield from part.unwrap()
        for result in self.results or ():
            if isinstance(result, Raised):
                raise result.error
            yield result


class _Crew:
    """The workers, at most `size` and never more than there is work for, and the chunks that wait for one."""

    def __init__(self, job: Job, size: int):
        self.size = size
        self.waiting: deque[_Chunk] = deque()
        self._job = job
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self._cpus = cpus.one_for_each(size)

    def hand_out(self) -> None:
        """Gives every worker as many chunks as it may hold."""
        while self.waiting:
            worker = min(self._workers, key=lambda one: len(one.held), default=None)
            if (worker is None or worker.held) and len(self._workers) < self.size:
                taken = {one.cpu for one in self._workers}
                worker = _Worker(self._job, next((cpu for cpu in self._cpus if cpu not in taken), None))
                self._workers.append(worker)
            if worker is None or len(worker.held) == _CHUNKS_HELD:
                return
            worker.give(self.waiting.popleft())

    def collect(self, *, wait: bool) -> None:
        """Takes the results that are there, at least one message if `wait`."""
        of_pipe: dict[Any, _Worker] = {worker.pipe: worker for worker in self._workers}
        for pipe in multiprocessing.connection.wait(list(of_pipe), None if wait else 0):
            worker = of_pipe[pipe]
            if worker.take():
                self._failed_starts = 0
            else:
                self._workers.remove(worker)
                self._bury(worker)

    def _bury(self, worker: _Worker) -> None:
        reason = worker.end()
        if not worker.has_started:
            self._failed_starts += 1
            if self._failed_starts == _MAX_FAILED_STARTS:
                code = worker.process.exitcode
                raise RuntimeError(f"Worker processes end while they start, {_MAX_FAILED_STARTS} times (code {code}).")
        if not worker.has_started or not worker.held:
            self.waiting.extendleft(reversed(worker.held))
            return
        guilty, *innocent = worker.held
        if len(guilty.tasks) == 1:
            guilty.results = [Failure(reason)]
        else:
            guilty.parts = [_Chunk([task]) for task in guilty.tasks]
        self.waiting.extendleft(reversed([*guilty.parts, *innocent]))

    def stop(self) -> None:
        for worker in self._workers:
            worker.process.kill()
            worker.end()


class _Worker:
    """One process, our end of its pipe, and the chunks that it holds, the one it works on first."""

    def __init__(self, job: Job, cpu: int | None = None):
        context = multiprocessing.get_context("spawn")  # a fork would inherit our threads' locks in any state
        self.pipe, theirs = context.Pipe()
        self.cpu = cpu
        self.process = context.Process(target=work, args=(theirs, job, cpu), daemon=True)
        self.process.start()
        theirs.close()
        self.held: deque[_Chunk] = deque()
        self.has_started = False

    def give(self, chunk: _Chunk) -> None:
        self.held.append(chunk)
        data = pickle.dumps(chunk.tasks)
        with contextlib.suppress(OSError):  # it has ended, which `take` will find
            self.pipe.send_bytes(data)

    def take(self) -> bool:
        """Receives one message; says whether the process lives."""
        try:
            data = self.pipe.recv_bytes()
        except (EOFError, OSError):
            return False
        message = pickle.loads(data)
        if self.has_started:
            self.held.popleft().results = message
        elif message:
            raise RuntimeError(f"A worker process could not start: {message[0].error}") from message[0].error
        self.has_started = True
        return True

    def end(self) -> str:
        """Waits for a process that ends; says why it does."""
        self.pipe.close()
        self.process.join(5)  # the pipe breaks a moment before the exit code is there
        self.process.kill()
        self.process.join()
        return {-signal.SIGALRM: TOOK_TOO_LONG, OUT_OF_MEMORY: TOOK_TOO_MUCH}.get(self.process.exitcode or 0, DIED)
