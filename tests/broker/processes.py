"""The real commands as child processes, that die when they are told to."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.broker.city import City

COMMANDS = ("serve", "score")


def start(city: City, command: str, log: Path) -> "subprocess.Popen[bytes]":
    """Start ``edml <command>`` for the city's application."""
    settings = city.cluster.settings
    environment = {
        **os.environ,
        "EDML_HOME": str(settings.home),
        "EDML_BOOTSTRAP_SERVERS": str(settings.bootstrap_servers),
        "EDML_REGISTRY_URL": settings.registry.url,
        "EDML_TOPIC_PREFIX": settings.topic_prefix,
    }
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "edml", command, "--app", "taxi"],
            env=environment,
            stdout=output,
            stderr=output,
        )


@contextmanager
def killed_and_started_again(city: City, folder: Path) -> Iterator[Callable[[str], None]]:
    """Both commands run; calling what is given kills one with SIGKILL, and starts it again."""
    logs = {each: folder / f"{each}.log" for each in COMMANDS}
    running = {each: start(city, each, logs[each]) for each in COMMANDS}

    def kill(command: str) -> None:
        running[command].send_signal(signal.SIGKILL)
        running[command].wait()
        running[command] = start(city, command, logs[command])

    try:
        yield kill
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait(timeout=30)
        for log in logs.values():
            sys.stdout.write(log.read_text())
