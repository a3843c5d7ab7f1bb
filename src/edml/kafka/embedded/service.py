"""Bring the log up, and take it down: what `edml up` and `edml down` do."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from edml.errors import EmbeddedLogError
from edml.kafka.embedded.installation import Installation
from edml.kafka.embedded.log import EmbeddedLog
from edml.kafka.embedded.ports import any_free_port, holder, is_free, next_free_port
from edml.kafka.embedded.progress import Progress
from edml.kafka.embedded.rehearsal import install
from edml.kafka.embedded.turn import turn

NEEDED_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class _Listener:
    """What a person calls a server, where it usually listens, and how to have it elsewhere."""

    name: str
    usual_port: int
    option: str


_KAFKA = _Listener("Kafka", 9092, "--port")
_REGISTRY = _Listener("the schema registry", 8081, "--registry-port")


def up(
    home: Path, *, jars: Path, port: int | None, registry_port: int | None, progress: Progress
) -> tuple[EmbeddedLog, bool]:
    """Give back the log of ``home``, ready, and whether it is new: nothing of it ran before.

    What runs already is left as it is; what was killed is started again, with its port and data.
    Port 0 stands for any free port, None for the usual one or the next free one after it. When
    anything fails, or Ctrl-C is pressed, what this call started is stopped again.
    """
    with turn(home, progress):
        _check_space(home)
        installation = install(jars, progress)
        log = _running(home, installation)
        new = log is None
        if log is None:
            log = EmbeddedLog.planned(
                home,
                installation,
                port=_choose(_KAFKA, port, progress),
                registry_port=_choose(_REGISTRY, registry_port, progress),
            )
        _start_missing(log, progress)
        return log, new


def down(home: Path, *, progress: Progress) -> tuple[str, ...]:
    """Stop what runs under ``home``, and nothing else; give back the names of what was stopped."""
    with turn(home, progress):
        log = EmbeddedLog.found(home, Installation.at(home))
        if log is None:
            return ()
        stopped = []
        for server in log.servers:
            if server.running:
                progress.step(f"stopping {server.program.name}")
                stopped.append(server.program.name)
            server.stop()
        log.remember()
        return tuple(stopped)


def _running(home: Path, installation: Installation) -> EmbeddedLog | None:
    log = EmbeddedLog.found(home, installation)
    if log is None or not any(server.running for server in log.servers):
        return None
    return log


def _start_missing(log: EmbeddedLog, progress: Progress) -> None:
    started = [server for server in log.servers if not server.running]
    try:
        for server in started:
            progress.step(f"starting {server.program.name}")
            server.start()
            log.remember()
        for server in log.servers:
            if not server.ready:
                progress.step(f"waiting for {server.program.name}")
                server.wait_until_ready()
    except BaseException:
        for server in started:
            server.stop()
        log.remember()
        raise


def _choose(listener: _Listener, wanted: int | None, progress: Progress) -> int:
    if wanted is None:
        return _usual_or_next(listener, progress)
    if wanted == 0:
        return any_free_port()
    if is_free(wanted):
        return wanted
    raise EmbeddedLogError(
        f"port {wanted} for {listener.name} is taken by {holder(wanted)}",
        todo=f"stop it, or choose another port with `edml up {listener.option} PORT`"
        " (0 for any free one)",
    )


def _usual_or_next(listener: _Listener, progress: Progress) -> int:
    port = next_free_port(listener.usual_port)
    if port != listener.usual_port:
        taken_by = holder(listener.usual_port)
        progress.say(
            f"port {listener.usual_port} is taken by {taken_by}: {listener.name} is on {port}"
        )
    return port


def _check_space(home: Path) -> None:
    free = shutil.disk_usage(home).free
    if free < NEEDED_BYTES:
        raise EmbeddedLogError(
            f"not enough disk space: the log needs {NEEDED_BYTES / 1e6:.0f} MB to start,"
            f" {free / 1e6:.0f} MB are free",
            where=str(home.absolute()),
            todo="free some space, or set EDML_HOME to a directory on another disk",
        )
