"""Reads what becomes visible, as it does, and keeps when it came."""

import threading
import time
from dataclasses import dataclass, field

import confluent_kafka as ck

from edml.kafka.message import Message, consume
from tests.broker.city import City

POLL_S = 0.05


@dataclass(frozen=True)
class Arrival:
    """Some records that were read at once: when, in monotonic seconds, and their keys.

    ``newest_ms`` is when the last of them was produced, in ms since 1970.
    """

    at_s: float
    newest_ms: int
    keys: list[bytes]


@dataclass
class Seen:
    """What has come on one topic."""

    count: int = 0
    arrivals: list[Arrival] = field(default_factory=list)
    news: list[str] = field(default_factory=list)
    """What the reader has to say of its own troubles."""


class Ledger:
    """A thread with a ``read_committed`` reader of predictions and of scored predictions."""

    def __init__(self, city: City) -> None:
        topics = (city.app.predictions_topic, city.app.scored_topic)
        self._seen = {topic: Seen() for topic in topics}
        self._names = dict(zip(("serve", "score"), topics, strict=True))
        self._consumer = ck.Consumer(
            {
                **city.cluster.settings.client(),
                "group.id": "ledger",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
            }
        )
        found = self._consumer.list_topics(timeout=30).topics
        self._consumer.assign(
            [
                ck.TopicPartition(topic, partition, ck.OFFSET_BEGINNING)
                for topic in topics
                for partition in found[topic].partitions
            ]
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger")

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def count(self, command: str) -> int:
        """How many outputs of ``serve`` or ``score`` have come."""
        return self._seen[self._names[command]].count

    def arrivals(self, command: str) -> list[Arrival]:
        """All that came of ``serve`` or ``score``."""
        return self._seen[self._names[command]].arrivals

    def news(self, command: str) -> str:
        """What the reader of ``serve``'s or ``score``'s outputs had to say last."""
        return "; ".join(self._seen[self._names[command]].news[-3:]) or "the reader is well"

    def first_after(self, command: str, since_s: float, patience_s: float) -> float:
        """When the first output came that was made after ``since_s``; waits for it.

        Both are monotonic seconds: records are stamped by the clock on the wall, which is taken to
        go as fast in the meantime.
        """
        until = time.monotonic() + patience_s
        made_ms = (time.time() - time.monotonic() + since_s) * 1000
        looked = 0
        while True:
            arrivals = self.arrivals(command)
            for each in arrivals[looked:]:
                if each.newest_ms > made_ms:
                    return each.at_s
            looked = len(arrivals)
            assert time.monotonic() < until, (
                f"nothing of {command} came in {patience_s:.0f} s: {self.news(command)}"
            )
            time.sleep(POLL_S / 5)

    def _run(self) -> None:
        while not self._stop.is_set():
            messages = consume(self._consumer, 10_000, POLL_S)
            now = time.monotonic()
            for topic, seen in self._seen.items():
                self._take(seen, [m for m in messages if m.topic() == topic], now)

    @staticmethod
    def _take(seen: Seen, messages: list[Message], now: float) -> None:
        records = [each for each in messages if each.error() is None]
        errors = [each.error() for each in messages]
        seen.news += [error.str() for error in errors if error is not None]
        if records:
            newest = max(each.timestamp()[1] for each in records)
            seen.arrivals.append(Arrival(now, newest, [each.key() or b"" for each in records]))
            seen.count += len(records)
