import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from expressnet.runtime import cpus, workers
from expressnet.runtime.worker_process import Job

LIMITS = {"num_workers": 2, "timeout_s": 20.0}

# A run in a process of its own, that it can be killed. Its first line of output lists the workers' process ids.
PARENT = """
import multiprocessing, signal, time
from expressnet.runtime import workers
from expressnet.runtime.worker_process import Job

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job of a shell ignores
    for _ in workers.run(time.sleep, iter([0, 0] + [60] * 8), num_workers=2, timeout_s=60, chunk=1):
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
"""


def _double(task):
    return 2 * task


def _misbehave(task):
    if task == "abort":
        os.abort()
    if task == "exit":
        os._exit(0)
    if task == "loop":
        while True:
            pass
    if task == "sleep":
        threading.Event().wait()
    if task == "hog":
        return len(bytearray(2**31))
    if task == "raise":
        raise KeyError("the task's own error")
    return task.upper()


def _echo(task):
    return task


def _cannot_be_pickled(task):
    return lambda: task


def _own_cpus(task):
    return frozenset(os.sched_getaffinity(0))


def _count_to(task):
    return sum(range(task))


_started_with = None


def _start(word):
    global _started_with
    _started_with = word


def _what_was_started(task):
    return _started_with, task


def _fail_to_start():
    raise FileNotFoundError("no model file")


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_until_gone(pids, seconds=5.0):
    deadline = time.monotonic() + seconds
    while any(map(_is_alive, pids)):
        assert time.monotonic() < deadline, "worker processes are still there"
        time.sleep(0.02)


@pytest.mark.parametrize(("num_workers", "num_tasks"), [(1, 0), (2, 1), (1, 30), (3, 1000)])
def test_the_results_come_in_the_order_of_the_tasks(num_workers, num_tasks):
    results = workers.run(_double, range(num_tasks), num_workers=num_workers, timeout_s=20, chunk=7)
    assert list(results) == [2 * task for task in range(num_tasks)]


def test_tasks_are_read_a_few_chunks_ahead_and_no_more():
    read = itertools.count()
    results = workers.run(_double, read, **LIMITS, chunk=10)
    assert [next(results) for _ in range(500)] == list(range(0, 1000, 2))
    assert next(read) <= 500 + 2 * 4 * 10 + 10  # two workers, four chunks of ten each, and the one under way
    results.close()


def test_what_ends_its_process_costs_itself_and_nothing_else():
    bad = {
        "abort": workers.DIED,
        "exit": workers.DIED,
        "loop": workers.TOOK_TOO_LONG,
        "sleep": workers.TOOK_TOO_LONG,
        "hog": workers.TOOK_TOO_MUCH,
    }
    tasks = [word for name in bad for word in ["before", name, "after"]] + ["last"] * 20
    results = workers.run(_misbehave, tasks, num_workers=2, timeout_s=0.5, memory_bytes=2**30, chunk=16)
    assert list(results) == [workers.Failure(bad[task]) if task in bad else task.upper() for task in tasks]
    assert set(bad.values()) == set(workers.REASONS)


def test_an_error_of_the_function_comes_out_at_its_place_and_says_where_it_was_raised():
    results = workers.run(_misbehave, ["a", "b", "raise", "c"], **LIMITS)
    assert [next(results), next(results)] == ["A", "B"]
    with pytest.raises(KeyError, match="the task's own error") as raised:
        next(results)
    assert "_misbehave" in raised.value.__notes__[0]


def test_a_result_that_can_not_be_sent_is_an_error():
    with pytest.raises(Exception, match="_cannot_be_pickled"):
        list(workers.run(_cannot_be_pickled, [1], **LIMITS))


def test_every_process_is_started_before_its_first_task():
    results = workers.run(_what_was_started, range(20), start=_start, start_arguments=("go",), **LIMITS, chunk=2)
    assert list(results) == [("go", task) for task in range(20)]


def test_a_process_that_can_not_start_is_reported_and_not_tried_for_ever():
    with pytest.raises(RuntimeError, match="could not start: no model file") as raised:
        list(workers.run(_double, range(9), start=_fail_to_start, **LIMITS))
    assert isinstance(raised.value.__cause__, FileNotFoundError)
    with pytest.raises(RuntimeError, match=r"end while they start, 3 times \(code 5\)"):
        list(workers.run(_double, range(9), start=os._exit, start_arguments=(5,), **LIMITS))


def test_tasks_and_results_larger_than_a_pipe_do_not_block():
    tasks = [bytes([place]) * 400_000 for place in range(40)]
    results = workers.run(_echo, iter(tasks), **LIMITS, chunk=3)
    first = next(results)
    time.sleep(0.3)  # the workers run into full pipes meanwhile
    assert [first, *results] == tasks


def test_workers_killed_from_outside_lose_nothing_as_their_chunks_run_again():
    results = workers.run(_count_to, [100_000] * 100, **LIMITS, chunk=8)
    first = next(results)
    for child in multiprocessing.active_children():
        child.kill()
    assert [first, *results] == [sum(range(100_000))] * 100


def test_there_are_no_more_processes_than_work_and_none_when_the_caller_stops():
    results = workers.run(_double, range(10), num_workers=4, timeout_s=20, chunk=10)
    next(results)
    assert len(multiprocessing.active_children()) == 1
    results.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_parent_that_ends_leaves_no_workers(how, tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        pids = []
        while len(pids) < 2:
            pids = [int(pid) for pid in run.stdout.readline().split()]
        run.send_signal(how)
        run.wait(10)
        _wait_until_gone(pids)


@pytest.mark.parametrize(
    ("cpu_max", "expected"),
    [("max 100000", sys.maxsize), ("200000 100000", 2), ("150000 100000\n", 2), ("10000 100000", 1)],
)
def test_a_container_share_of_cpus_is_rounded_up(cpu_max, expected):
    assert cpus.parse_cpu_share(cpu_max) == expected


def test_processes_share_no_cpu_where_there_is_one_for_each():
    usable = os.sched_getaffinity(0)
    found = list(workers.run(_own_cpus, range(200), num_workers=len(usable), timeout_s=60, chunk=1))
    assert {cpu for own in found for cpu in own} <= usable
    assert all(len(own) == 1 for own in found)
    assert len(set(found)) == len(usable)


def test_where_cpus_are_left_over_none_is_anyones_own():
    usable = len(os.sched_getaffinity(0))
    assert len(cpus.one_for_each(usable)) == usable
    assert cpus.one_for_each(usable + 1) == []


def test_there_is_at_least_one_cpu_and_not_more_than_the_machine_has():
    assert 1 <= cpus.num_usable() <= os.cpu_count()


@pytest.mark.parametrize(
    ("num_tasks", "most", "expected"), [(0, 4, 1), (99, 4, 1), (100, 4, 2), (1000, 4, 4), (9, 1, 1)]
)
def test_a_process_is_started_for_as_many_tasks_as_are_worth_it(num_tasks, most, expected):
    assert workers.useful(num_tasks, each=50, most=most) == expected


@pytest.mark.parametrize(("task", "reason"), [("abort", workers.DIED), ("loop", workers.TOOK_TOO_LONG)])
def test_a_standby_answers_again_after_a_task_that_ended_its_process(task, reason):
    standby = workers.Standby(Job(_misbehave, None, (), 0.5, None))
    assert [standby.ask(one) for one in ("a", task, "b")] == ["A", workers.Failure(reason), "B"]
    with pytest.raises(KeyError, match="the task's own error"):
        standby.ask("raise")
    standby.stop()
    assert multiprocessing.active_children() == []
