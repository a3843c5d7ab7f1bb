import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from edml.kafka.embedded.ports import any_free_port, holder, is_free, next_free_port
from edml.kafka.embedded.process import Process, start

SLEEP = "import time; print('awake', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Process]:
    """A child process that sleeps."""
    yield from _run(SLEEP, tmp_path)


@pytest.fixture
def stubborn(tmp_path: Path) -> Iterator[Process]:
    """A child process that does not end when it is asked to."""
    yield from _run(STUBBORN, tmp_path)


def _run(program: str, directory: Path) -> Iterator[Process]:
    output = directory / "output"
    process = start([sys.executable, "-c", program, "ours"], marker="ours", output=output)
    while "awake" not in output.read_text():
        time.sleep(0.01)
    yield process
    process.kill()


def test_process_runs_until_it_is_stopped(sleeper: Process) -> None:
    """A process is found by what we noted, and gone after it was stopped."""
    before = (sleeper.running, sleeper.memory_bytes > 0)
    sleeper.stop(patience_s=5)
    after = (sleeper.running, sleeper.memory_bytes > 0)

    assert before == (True, True)
    assert after == (False, False)


def test_process_has_its_own_session(sleeper: Process) -> None:
    """Ctrl-C in our terminal goes to our session, which is not the child's."""
    assert os.getsid(sleeper.pid) == sleeper.pid


def test_reused_process_id_is_not_ours(sleeper: Process) -> None:
    """Another process with the noted id, by its start or by its command, is left alone."""
    earlier = replace(sleeper, started_at=sleeper.started_at - 3600)
    other_command = replace(sleeper, marker="theirs")

    for stale in (earlier, other_command):
        assert not stale.running
        stale.stop(patience_s=5)
        stale.kill()
    assert sleeper.running


def test_stubborn_process_is_killed(stubborn: Process) -> None:
    """What does not end when it is asked to is ended."""
    stubborn.stop(patience_s=0.2)

    assert not stubborn.running


def test_frozen_process_is_stopped(sleeper: Process) -> None:
    """A frozen process runs, and ends when it is asked to."""
    sleeper.suspend()
    while psutil.Process(sleeper.pid).status() != psutil.STATUS_STOPPED:
        time.sleep(0.01)
    assert sleeper.running

    sleeper.stop(patience_s=5)

    assert not sleeper.running


def test_killed_process_is_not_running(sleeper: Process) -> None:
    """A child that was killed and not yet waited for does not count as running."""
    os.kill(sleeper.pid, signal.SIGKILL)
    while psutil.Process(sleeper.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)

    assert not sleeper.running


def test_taken_port() -> None:
    """A port on which somebody listens is not free, and the next free one is another."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        assert not is_free(port)
        assert next_free_port(port) > port
        assert holder(port) == f"process {os.getpid()} ({psutil.Process().name()})"


def test_free_port() -> None:
    """A port that the system gives is free."""
    assert is_free(any_free_port())
