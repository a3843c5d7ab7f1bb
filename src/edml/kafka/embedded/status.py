"""How the embedded log is: what runs, what answers, how much memory it holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edml.kafka.embedded.installation import Installation
from edml.kafka.embedded.log import EmbeddedLog
from edml.kafka.embedded.server import Server


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """A server's ``state`` is ready, does not answer, or stopped."""

    name: str
    state: str
    address: str
    pid: int | None
    memory_bytes: int
    log_file: str


@dataclass(frozen=True, slots=True)
class LogStatus:
    """Both servers of the log that was started under ``home``."""

    home: str
    broker: ServerStatus
    registry: ServerStatus


def status(home: Path) -> LogStatus | None:
    """Give back how the log under ``home`` is; None when none was started there."""
    log = EmbeddedLog.found(home, Installation.at(home))
    if log is None:
        return None
    return LogStatus(
        home=str(log.home),
        broker=_server_status(log.broker, log.bootstrap_servers),
        registry=_server_status(log.registry, log.registry_url),
    )


def _server_status(server: Server[Any], address: str) -> ServerStatus:
    process = server.process if server.running else None
    return ServerStatus(
        name=server.program.name,
        state=_state(server),
        address=address,
        pid=None if process is None else process.pid,
        memory_bytes=0 if process is None else process.memory_bytes,
        log_file=str(server.program.log_file),
    )


def _state(server: Server[Any]) -> str:
    if server.ready:
        return "ready"
    return "does not answer" if server.running else "stopped"
