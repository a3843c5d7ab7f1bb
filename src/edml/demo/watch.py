"""Looks on from outside: follows the application's topics in a thread, and counts what it sees.

It reads as any client does (``read_committed``), so what it counts is what a client gets.
"""

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from edml.demo.figures import Figures, Happening
from edml.demo.tally import Tally
from edml.kafka.codec.schema import avro_schema
from edml.kafka.control import Typed
from edml.kafka.follow import Arrival, Follower, Record
from edml.kafka.serdes import FrameDecoder
from edml.models.records import Release
from edml.scoring.records import Score, scored_schema
from edml.serving.records import prediction_schema
from edml.wiring import Cluster

WAIT_S: Final = 0.1
FIGURES_EVERY_S: Final = 0.2


class Watch:
    """The application's figures, kept up to date in the background. Use it as a context."""

    def __init__(self, cluster: Cluster) -> None:
        app, registry = cluster.application, cluster.registry
        self.figures = Figures()
        self._first_event = b""
        self._cluster = cluster
        self._tally = Tally()
        self._predictions = FrameDecoder(registry, prediction_schema(app))
        self._scored = FrameDecoder(registry, scored_schema(app))
        self._scores = FrameDecoder(registry, avro_schema(Score))
        self._releases = Typed(registry, f"{cluster.control.releases}-value", Release)
        self._said: list[Happening] = []
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Raise what ended the thread, if anything did."""
        if self._failure is not None:
            raise self._failure

    def a_good_event(self) -> bytes:
        """The value of an event, as it is on the log; empty before any has come."""
        return self._first_event

    def say(self, happening: Happening) -> None:
        """Add something to what has happened."""
        self._said.append(happening)

    def _run(self) -> None:
        app = self._cluster.application
        followed = {
            app.event.topic,
            app.predictions_topic,
            app.scored_topic,
            app.scores_topic,
            self._cluster.control.releases,
            self._cluster.dead_letters,
        }
        topics = {
            spec.name: spec.partitions for spec in self._cluster.topics() if spec.name in followed
        }
        try:
            with Follower(self._cluster.settings.client(), topics) as follower:
                self._follow(follower)
        except Exception as failure:  # noqa: BLE001  raised again by `check`, where it is noticed
            self._failure = failure

    def _follow(self, follower: Follower) -> None:
        due = 0.0
        while not self._stop.is_set():
            self._take(follower.read(WAIT_S))
            now = time.time()
            if now >= due:
                self.figures = self._tally.figures(now)
                due = now + FIGURES_EVERY_S

    def _take(self, arrival: Arrival) -> None:
        app, records = self._cluster.application, arrival.records
        while self._said:
            self._tally.happened(self._said.pop(0))
        for record in records.get(app.event.topic, ()):
            self._first_event = self._first_event or record.value or b""
            self._tally.event(record.key or b"", record.timestamp_ms)
        for row in _rows(self._predictions, records.get(app.predictions_topic, ())):
            self._tally.prediction(row, arrival.at)
        for row in _rows(self._scored, records.get(app.scored_topic, ())):
            self._tally.scored(row)
        self._tally.windows(_rows(self._scores, records.get(app.scores_topic, ())))
        for record in records.get(self._cluster.dead_letters, ()):
            cause = record.headers["cause"].decode()
            self._tally.dead_letter(record.key or b"", cause, arrival.at)
        for record in records.get(self._cluster.control.releases, ()):
            self._tally.release(self._releases.decode(record.value or b""))


def _rows(decoder: FrameDecoder, records: Sequence[Record]) -> list[dict[str, Any]]:
    """The records that can be decoded, field by field."""
    return decoder.decode([each.value for each in records]).frame.to_dicts() if records else []
