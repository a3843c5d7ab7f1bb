"""What runs, written down, so that another command finds exactly it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edml.kafka.embedded.process import Process
from edml.settings import LOG_STATE_FILE


@dataclass(frozen=True, slots=True)
class BrokerState:
    """The broker's ports, and its process if one was started."""

    port: int
    controller_port: int
    process: Process | None


@dataclass(frozen=True, slots=True)
class RegistryState:
    """The registry's port, and its process if one was started."""

    port: int
    process: Process | None


@dataclass(frozen=True, slots=True)
class LogState:
    """How the log is reached, and the processes that it consists of."""

    bootstrap_servers: str
    registry_url: str
    broker: BrokerState
    registry: RegistryState


def read_state(home: Path) -> LogState | None:
    """Give back what was started under ``home``; None when nothing was."""
    try:
        document = json.loads(_file(home).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    broker, registry = document["broker"], document["registry"]
    return LogState(
        bootstrap_servers=document["bootstrap_servers"],
        registry_url=document["registry_url"],
        broker=BrokerState(broker["port"], broker["controller_port"], _process(broker)),
        registry=RegistryState(registry["port"], _process(registry)),
    )


def write_state(home: Path, state: LogState) -> None:
    """Write down what was started under ``home``, all of it or nothing."""
    unfinished = _file(home).with_suffix(".new")
    unfinished.write_text(json.dumps(asdict(state), indent=2) + "\n", encoding="utf-8")
    unfinished.replace(_file(home))


def forget_state(home: Path) -> None:
    """Nothing runs under ``home`` any more."""
    _file(home).unlink(missing_ok=True)


def _file(home: Path) -> Path:
    return home / LOG_STATE_FILE


def _process(document: dict[str, Any]) -> Process | None:
    process = document["process"]
    return None if process is None else Process(**process)
