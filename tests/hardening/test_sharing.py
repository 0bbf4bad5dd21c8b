"""OpenMP threads sleep while other processes use the cores, unless the user set otherwise."""

import ctypes
import os
import subprocess
import sys
import time
from itertools import count

import pytest
import torch
from patience import PATIENCE, until

from molinv import allocator, cli, sharing
from molinv.sharing import Sleepers, crowded, others_use, share_cores

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs libgomp on Linux")

# Prints how often the second thread of torch's team slept in a number of parallel regions. There is
# a millisecond between regions, in which the thread normally spins: it sleeps in no region, or on a
# busy machine in 2 of 100. While sleepers are held, it sleeps in nearly every region.
SLEEPS = """
import os, sys, time
from pathlib import Path
import torch
from molinv import sharing

def slept(task):
    rows = Path(f"/proc/self/task/{task}/status").read_text().splitlines()
    return int(next(r for r in rows if r.startswith("voluntary")).split()[1])

torch.set_num_threads(len(os.sched_getaffinity(0)))
hold, wanted, most = sys.argv[1] == "hold", int(sys.argv[2]), int(sys.argv[3])
before, x = set(os.listdir("/proc/self/task")), torch.ones(100_000)
x.exp_()
team = set(os.listdir("/proc/self/task")) - before
if hold:
    sleepers = sharing.Sleepers(sharing._switchable(), torch.get_num_threads())
    sleepers.hold(True)
    while len(os.listdir("/proc/self/task")) < len(before | team) + 2:  # with the sleepers
        time.sleep(0.001)
start, regions = sum(map(slept, team)), 0
while (found := sum(map(slept, team)) - start) < wanted and regions < most:
    x.exp_()
    time.sleep(0.001)
    regions += 1
print(found)
"""


@pytest.fixture(autouse=True)
def untouched(monkeypatch):
    """Ignore variables of the user, and the sharing that all other tests use."""
    for name in sharing.SET_BY_USER:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sharing, "_entered", 0)
    monkeypatch.setattr(sharing, "_watch", None)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def readings(monkeypatch):
    """Pretend that others use two cores, until readings["others"] changes, with a fake clock."""
    state, seconds = {"others": 2.0}, count(1.0)

    def used():
        now = next(seconds)
        return now, now * state["others"], 0.0

    monkeypatch.setattr(sharing, "_used", used)
    monkeypatch.setattr(sharing, "crowded", lambda threads, others, cores: others > 0.5)
    monkeypatch.setattr(sharing, "INTERVAL", 0.001)
    return state


@linux
def test_threads_sleep_at_once_while_sleepers_are_held():
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("a team needs two cores")
    command = [sys.executable, "-c", SLEEPS, "hold", "200", "3000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 200


@linux
def test_sleepers_come_and_go(readings):
    with share_cores():
        watch = sharing._watch
        assert watch is not None
        until(lambda: watch.sleepers.held)
        readings["others"] = 0.0
        until(lambda: not watch.sleepers.held)
        readings["others"] = 2.0
        until(lambda: watch.sleepers.held)
    assert not watch.sleepers.held
    assert not watch._thread.is_alive()


@linux
def test_nested_contexts_share_one_watch(readings):
    with share_cores():
        first = sharing._watch
        with share_cores():
            assert sharing._watch is first
        assert sharing._watch is first
    assert sharing._watch is None


@linux
def test_an_error_ends_the_sharing():
    @share_cores()
    def failing():
        assert sharing._watch is not None
        raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert sharing._watch is None


@pytest.mark.parametrize("name", sharing.SET_BY_USER)
def test_nothing_is_done_if_the_user_has_set_a_variable(monkeypatch, name):
    monkeypatch.setenv(name, "PASSIVE")
    with share_cores():
        assert sharing._watch is None


def test_nothing_is_done_with_one_thread():
    torch.set_num_threads(1)
    with share_cores():
        assert sharing._watch is None


def test_nothing_is_done_where_cores_are_not_counted(monkeypatch):
    monkeypatch.setattr(sharing, "cores_busy", lambda: 0.0)
    with share_cores():
        assert sharing._watch is None


def test_results_do_not_depend_on_how_threads_wait(readings):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, 1000, generator=generator)
    alone = (x @ x.T).sum(), x.exp().sum()
    with share_cores():
        if sharing._watch is not None:
            until(lambda: sharing._watch.sleepers.held)  # pyright: ignore
        beside = (x @ x.T).sum(), x.exp().sum()
    assert alone == beside


def test_others_are_all_but_this_process():
    assert others_use((0.0, 10.0, 1.0), (2.0, 13.0, 2.0)) == 1.0


@pytest.mark.parametrize(
    ("threads", "others", "cores", "expected"),
    [
        (2, 0.0, 2, False),
        (2, 0.1, 2, False),
        (2, 1.0, 2, True),
        (1, 1.0, 2, False),
        (32, 31.0, 64, False),
        (32, 33.0, 64, True),
        (64, 1.0, 64, True),
    ],
)
def test_crowded_is_when_someone_must_wait(threads, others, cores, expected):
    assert crowded(threads, others, cores) is expected


@linux
def test_busy_cores_are_counted():
    before, own = sharing.cores_busy(), time.process_time()
    while time.process_time() - own < 0.5:
        pass
    assert sharing.cores_busy() > before


@linux
def test_sleepers_are_enough_for_libgomp():
    runtime = ctypes.CDLL(None)
    cores = len(os.sched_getaffinity(0))
    assert Sleepers(runtime, cores)._size == 2
    assert Sleepers(runtime, 1)._size == cores + 1
    assert Sleepers(runtime, 4 * cores)._size == 2


def test_the_command_shares_the_cores(monkeypatch):
    entered = []
    monkeypatch.setattr(allocator, "keep_memory", lambda: True)
    monkeypatch.setattr(cli, "main", lambda: entered.append(sharing._entered) or 3)
    with pytest.raises(SystemExit) as ended:
        cli.run()
    assert ended.value.code == 3
    assert (entered, sharing._entered) == ([1], 0)


def test_importing_molinv_starts_no_thread():
    code = "import threading; import molinv; print(threading.active_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "1", done.stderr
