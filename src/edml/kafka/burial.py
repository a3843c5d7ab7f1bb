"""Writes bad records to the dead letters: their own bytes, and what is known about them.

A topic takes no record larger than its ``max.message.bytes``, nor does a client beyond its own
limit. A dead letter that is too large is written without its value, and says so: a record that
nobody takes must neither hold up the stream nor go unmentioned. What is left out is still where it
was read.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from math import inf
from typing import Final, Protocol

import confluent_kafka as ck

from edml.kafka.message import Message, where
from edml.kafka.source import BadRecord

logger = logging.getLogger(__name__)

POLL_S = 0.1
LONGEST_CAUSE: Final = 2_000
"""So many characters of a cause are kept: what a library says may quote the whole record."""

LONGEST_KEY: Final = 1_000
"""So many bytes a key may have that is kept where the value is left out."""

LEFT_OUT: Final = "left_out"
"""Header of a dead letter without its bytes: how many there are, where it was read."""

TOO_LARGE: Final = frozenset(
    {ck.KafkaError.MSG_SIZE_TOO_LARGE, ck.KafkaError.RECORD_LIST_TOO_LARGE}
)

BARE: Final = 0
"""The size of a letter of which nothing more can be left out."""

Place = tuple[str, int, int]
OnDelivery = Callable[[ck.KafkaError | None, ck.Message], None]
Headers = list[tuple[str, str | bytes | None]]


class Flushes(Protocol):
    """A producer, as far as its queue is concerned."""

    def __len__(self) -> int:
        """How many records are under way."""
        ...

    def flush(self, timeout: float, /) -> int:
        """Wait for it, for so many seconds; gives back how many records are still under way."""
        ...


@dataclass(frozen=True)
class DeadLetters:
    """Where bad records go, and in whose name."""

    topic: str
    component: str

    def headers(self, record: BadRecord, at: datetime) -> Headers:
        """What is known about a bad record, beside its original bytes."""
        told = {
            "topic": record.message.topic(),
            "partition": record.message.partition(),
            "offset": record.message.offset(),
            "cause": shortened(record.cause),
            "component": self.component,
            "time": at.isoformat(timespec="milliseconds"),
        }
        return [(name, str(value).encode(errors="replace")) for name, value in told.items()]


class Burial:
    """Writes dead letters through a producer; ``delivered`` is told how each delivery ended.

    A broker refuses a whole batch for its size, and its neighbours may be small. So what is refused
    is first tried once more by itself. What is refused even so tells how large is too large: from
    that size on, letters are written without their value, until a commit succeeds.
    """

    def __init__(
        self,
        producer: ck.Producer,
        letters: DeadLetters,
        delivered: Callable[[ck.KafkaError | None, ck.Message], None],
    ) -> None:
        self._producer = producer
        self._letters = letters
        self._delivered = delivered
        self._alone: set[Place] = set()
        self._limit: float = inf
        self._refused: dict[Place, float] = {}

    def use(self, producer: ck.Producer) -> None:
        """Write through another producer from now on."""
        self._producer = producer

    def bury(self, bad: Sequence[BadRecord]) -> None:
        """Queue a dead letter for each record."""
        if not bad:
            return
        first = f"{where(bad[0].message)}: {shortened(bad[0].cause)}"
        logger.warning("%d to the dead letters, the first one %s", len(bad), first)
        now = datetime.now(UTC)
        for record in bad:
            self._bury(record, now)

    def again(self) -> bool:
        """Whether it was dead letters that were refused, which are written otherwise next time."""
        refused, self._refused = self._refused, {}
        smallest = min((size for each, size in refused.items() if each in self._alone), default=inf)
        if not refused or smallest == BARE:
            return False
        self._limit = min(self._limit, smallest)
        self._alone |= refused.keys()
        return True

    def forget(self) -> None:
        """Told that all was committed."""
        self._alone.clear()
        self._refused.clear()
        self._limit = inf

    def _bury(self, record: BadRecord, now: datetime) -> None:
        message = record.message
        place = (message.topic(), message.partition(), message.offset())
        headers = self._letters.headers(record, now)
        if place in self._alone:
            flush(self._producer)
        if _bytes(message) >= self._limit:
            self._queue_bare(message, headers, place)
        else:
            told = partial(self._on_delivery, place, _bytes(message))
            try:
                self._queue(message.key(), message.value(), headers, told)
            except ck.KafkaException as error:
                if error.args[0].code() not in TOO_LARGE:
                    raise
                self._queue_bare(message, headers, place)
        if place in self._alone:
            flush(self._producer)

    def _queue_bare(self, message: Message, headers: Headers, place: Place) -> None:
        key, size = message.key(), len(message.value() or b"")
        logger.warning("The dead letter of %s is too large, and goes without", where(message))
        kept = key if key is None or len(key) <= LONGEST_KEY else None
        said = f"the value of {size} bytes" + ("" if kept == key else ", and the key")
        told = partial(self._on_delivery, place, BARE)
        self._queue(kept, None, [*headers, (LEFT_OUT, said.encode())], told)

    def _queue(
        self, key: bytes | None, value: bytes | None, headers: Headers, on_delivery: OnDelivery
    ) -> None:
        topic = self._letters.topic
        while True:
            empty = not len(self._producer)
            try:
                self._producer.produce(
                    topic, key=key, value=value, headers=headers, on_delivery=on_delivery
                )
            except BufferError:  # the queue is full
                wait_for_room(self._producer, topic, empty=empty)
            else:
                return

    def _on_delivery(
        self, place: Place, size: float, error: ck.KafkaError | None, message: ck.Message
    ) -> None:
        if error is not None and error.code() in TOO_LARGE:
            self._refused[place] = size
        self._delivered(error, message)


def _bytes(message: Message) -> int:
    return len(message.key() or b"") + len(message.value() or b"")


def wait_for_room(producer: Flushes, topic: str, *, empty: bool) -> None:
    """Return when a full queue may take more; raise if it is full of nothing: it was ``empty``.

    What is in it lingers no longer.
    """
    if empty:
        size = ck.KafkaError.MSG_SIZE_TOO_LARGE
        raise ck.KafkaException(
            ck.KafkaError(size, f"a record for {topic} is larger than the producer's whole queue")
        )
    producer.flush(POLL_S)


def flush(producer: Flushes) -> None:
    """Return when nothing is queued."""
    while producer.flush(POLL_S):
        pass


def shortened(cause: str) -> str:
    """A cause that fits in a header."""
    return cause if len(cause) <= LONGEST_CAUSE else f"{cause[:LONGEST_CAUSE]}…"
