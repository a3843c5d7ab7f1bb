"""The rehearsal: the log is started once so that Java can record what it needs to start fast."""

import tempfile
from pathlib import Path

from edml.kafka.embedded.installation import Installation
from edml.kafka.embedded.java import Caching, recorded
from edml.kafka.embedded.log import EmbeddedLog
from edml.kafka.embedded.ports import any_free_port
from edml.kafka.embedded.progress import Progress

# At its end each Java writes its cache, which takes longer than the rehearsal itself.
RECORDING_PATIENCE_S = 180.0


def install(directory: Path, progress: Progress) -> Installation:
    """Give back a complete installation; it is completed first where something is missing."""
    installation = Installation.at(directory)
    with installation.alone():
        installation.fetch(progress)
        if not installation.rehearsed:
            progress.step("letting Java record how Kafka starts, once")
            rehearse(installation)
    return installation


def rehearse(installation: Installation) -> None:
    """Start a log in a temporary directory, and stop it in good order."""
    with tempfile.TemporaryDirectory(prefix="edml-rehearsal-") as home:
        log = EmbeddedLog.planned(
            Path(home),
            installation,
            port=any_free_port(),
            registry_port=any_free_port(),
            caching=Caching.RECORD,
        )
        try:
            for server in log.servers:
                server.start()
            for server in log.servers:
                server.wait_until_ready()
            for server in log.servers:
                server.ask_to_stop()
            for server in log.servers:
                server.stop(patience_s=RECORDING_PATIENCE_S)
        finally:
            for server in log.servers:
                server.kill()
    for cache in (installation.broker_cache, installation.registry_cache):
        new = recorded(cache)
        new.touch()  # stays empty where this Java can record none: it is not tried again
        new.replace(cache)
