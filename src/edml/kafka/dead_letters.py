"""The dead letters: what could not be used, why, and what became of it.

A dead letter holds the key and the value of the bad record, and in its headers what is known about
it. When it is redriven, a record without key and value is written beside it whose header says so:
in the same transaction as the copy, so that both are there or neither. The log alone tells what has
been redriven, however many have been, and in whatever order.
"""

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Event
from typing import Any, Final, TypeAlias, cast

import confluent_kafka as ck
import polars as pl

from edml.errors import LogError, UsageError
from edml.events import OFFSET, PARTITION, TopicPartition
from edml.kafka.burial import LEFT_OUT, wait_for_room
from edml.kafka.sink import ONE_IN_FLIGHT
from edml.kafka.spans import QUIET, Client, spans
from edml.kafka.tail import as_bytes, messages, offset_of, partition_of, record_at

logger = logging.getLogger(__name__)

TIMEOUT_S: Final = 30.0
AT_ONCE: Final = 64
"""So many dead letters are redriven in one transaction: 10 MB each still fit a producer's queue."""

LARGEST_BYTES: Final = 31_457_280
"""Of a record: some are larger here than they were on their topic, where they were compressed."""

ANY: Final = -1
"""The partition of a record whose key is to choose."""

REDRIVEN: Final = "redriven"
"""Header of a record that says which dead letter was redriven: ``partition:offset``."""


_NUMBERS: Final = re.compile(r"-?\b(0x[0-9a-f]+|\d+([.,:]\d+)*)")

COLUMNS: Final = pl.Schema(
    {
        "cause": pl.String(),
        "topic": pl.String(),
        "partition": pl.Int32(),
        "offset": pl.Int64(),
        "component": pl.String(),
        "time": pl.Datetime("us", "UTC"),
        "key": pl.Binary(),
        "value": pl.Binary(),
        "redriven_at": pl.Datetime("us", "UTC"),
        "redriven_to": pl.String(),
        PARTITION: pl.Int32(),
        OFFSET: pl.Int64(),
    }
)

Headers: TypeAlias = Sequence[tuple[str, bytes | str | None]]


@dataclass(frozen=True, order=True)
class Place:
    """Where a dead letter is: ``partition:offset``.

    >>> str(Place.parse("0:42"))
    '0:42'
    """

    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Read a place. Raises `UsageError` when the text is none."""
        partition, _, offset = text.partition(":")
        if not (partition.isdecimal() and offset.isdecimal()):
            raise UsageError(
                f"{text!r} is not the place of a dead letter",
                todo="give PARTITION:OFFSET, such as 0:42; `edml dead-letters` lists them",
            )
        return cls(int(partition), int(offset))

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


@dataclass(frozen=True)
class DeadLetter:
    """A bad record; ``source`` and ``source_offset`` say where it was read.

    ``redriven_at`` is None unless it was redriven, at last to ``redriven_to``. ``left_out`` says
    which of its bytes were too large to be kept: they are only where it was read.
    """

    place: Place
    source: TopicPartition
    source_offset: int
    cause: str
    component: str
    at: datetime
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    redriven_at: datetime | None = None
    redriven_to: str | None = None
    left_out: str | None = None


def dead_letters(client: Client, topic: str) -> list[DeadLetter]:
    """The dead letters on a topic, oldest first; none when there is no such topic.

    Raises `LogError` when the log does not answer.
    """
    if topic not in spans(client, [topic]):
        return []
    found: dict[Place, DeadLetter] = {}
    marks: list[tuple[Place, datetime, str]] = []
    for batch in messages(client, topic):
        for message in batch:
            headers = _headers(message)
            if REDRIVEN in headers:
                marks.append(_mark(headers))
            else:
                letter = _letter(message, headers)
                found[letter.place] = letter
    for place, at, to in sorted(marks, key=lambda mark: mark[1]):
        if place in found:
            found[place] = replace(found[place], redriven_at=at, redriven_to=to)
    return sorted(found.values(), key=lambda letter: (letter.at, letter.place))


def frame(letters: Sequence[DeadLetter]) -> pl.DataFrame:
    """Dead letters as a frame: where each was read, why it is here, and its bytes."""
    return pl.DataFrame(
        {
            "cause": [each.cause for each in letters],
            "topic": [each.source.topic for each in letters],
            "partition": [each.source.partition for each in letters],
            "offset": [each.source_offset for each in letters],
            "component": [each.component for each in letters],
            "time": [each.at for each in letters],
            "key": [each.key for each in letters],
            "value": [each.value for each in letters],
            "redriven_at": [each.redriven_at for each in letters],
            "redriven_to": [each.redriven_to for each in letters],
            PARTITION: [each.place.partition for each in letters],
            OFFSET: [each.place.offset for each in letters],
        },
        schema=COLUMNS,
    )


@dataclass(frozen=True)
class Choice:
    """Which dead letters are meant: those at some ``places``, of a ``cause``, or all of them.

    Those that were redriven are left out unless ``again`` is set. ``cause`` and the other texts
    are found anywhere in what they are compared with, in upper or lower case. ``since`` is the
    first instant at which a letter may have been written, ``until`` the first one at which not.
    """

    places: frozenset[Place] = frozenset()
    where: tuple[tuple[str, str], ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    again: bool = False

    def of(self, letters: Iterable[DeadLetter]) -> list[DeadLetter]:
        """The dead letters that are meant. Raises `UsageError` when a place has none."""
        known = list(letters)
        unknown = self.places - {each.place for each in known}
        if unknown:
            raise UsageError(
                f"there is no dead letter at {', '.join(map(str, sorted(unknown)))}",
                todo="see `edml dead-letters` for their places",
            )
        return [
            each
            for each in known
            if (not self.places or each.place in self.places)
            and (self.again or each.redriven_at is None)
            and (self.since is None or each.at >= self.since)
            and (self.until is None or each.at < self.until)
            and all(text.lower() in told(each, field).lower() for field, text in self.where)
        ]


FIELDS: Final = ("cause", "topic", "component")


def told(letter: DeadLetter, field: str) -> str:
    """What a dead letter says of one of the `FIELDS`."""
    return {
        "cause": letter.cause,
        "topic": letter.source.topic,
        "component": letter.component,
    }[field]


@dataclass(frozen=True)
class Kind:
    """Dead letters of one topic whose causes differ in nothing but numbers.

    ``waiting`` of them have not been redriven; ``example`` is the place of the last one.
    """

    topic: str
    cause: str
    letters: int
    waiting: int
    first: datetime
    last: datetime
    example: Place


def kinds(letters: Iterable[DeadLetter]) -> list[Kind]:
    """Dead letters by topic and cause, the most frequent first."""
    found: dict[tuple[str, str], list[DeadLetter]] = {}
    for each in letters:
        key = each.source.topic, _NUMBERS.sub("#", each.cause)
        found.setdefault(key, []).append(each)
    counted = [
        Kind(
            topic=topic,
            cause=cause,
            letters=len(those),
            waiting=sum(each.redriven_at is None for each in those),
            first=min(each.at for each in those),
            last=max(each.at for each in those),
            example=those[-1].place,
        )
        for (topic, cause), those in found.items()
    ]
    return sorted(counted, key=lambda kind: (-kind.letters, kind.topic, kind.cause))


def redrive(  # noqa: PLR0913  each has its name where it is called
    client: Client,
    topic: str,
    choice: Choice,
    *,
    to: str | None = None,
    told: Callable[[int, int], None] = lambda _done, _all: None,
    stop: Event | None = None,
) -> list[DeadLetter]:
    """Write dead letters once more to where they were read, or to a topic, and give them back.

    Each is written once, whoever else redrives at the same time: only one can at a time, and what
    it has redriven is read by the next one. A record with a key goes to the partition of its key.
    Where bytes were left out, they are read from where the record was; a letter whose bytes are
    gone from there is left as it is. ``told`` hears how many are done, of how many. When ``stop``
    is set, the others are left for the next time.

    Raises `LogError` when the log refuses; then what was not yet redriven is left as it was.
    """
    producer = ck.Producer(
        {
            "log_level": QUIET,
            **ONE_IN_FLIGHT,
            **client,
            "transactional.id": f"edml.redrive.{topic}",
            "transaction.timeout.ms": 10_000,
            "message.max.bytes": LARGEST_BYTES,
            "compression.type": "zstd",
            "partitioner": "murmur2_random",
        }
    )
    try:
        producer.init_transactions(TIMEOUT_S)
        chosen = choice.of(dead_letters(client, topic))
        _refuse_unknown(client, {to or each.source.topic for each in chosen})
        whole = [found for each in chosen if (found := _whole(client, each)) is not None]
        done: list[DeadLetter] = []
        told(0, len(whole))
        while len(done) < len(whole) and not (stop and stop.is_set()):
            next_ones = whole[len(done) : len(done) + AT_ONCE]
            _transact(producer, topic, next_ones, to)
            done += next_ones
            told(len(done), len(whole))
    except ck.KafkaException as error:
        raise LogError(
            f"the dead letters were not redriven: {error.args[0].str()}",
            where=topic,
            todo="see with `edml dead-letters` which were; the same command redrives the others",
        ) from error
    return done


def _whole(client: Client, letter: DeadLetter) -> DeadLetter | None:
    """A dead letter with its bytes; None when they are nowhere."""
    if letter.left_out is None:
        return letter
    source, offset = letter.source, letter.source_offset
    found = record_at(client, source, offset)
    if found is None:
        logger.warning(
            "%s cannot be redriven: %s@%d is no longer on the log", letter.place, source, offset
        )
        return None
    key = None if found.key() is None else as_bytes(found.key())
    return replace(letter, key=key, value=found.value())


def _transact(
    producer: ck.Producer, topic: str, letters: Sequence[DeadLetter], to: str | None
) -> None:
    """Write copies and marks in one transaction; left open, it would block every reader."""
    try:
        producer.begin_transaction()
        for each in letters:
            target = to or each.source.topic
            partition = each.source.partition if each.key is None and to is None else ANY
            _queue(producer, target, key=each.key, value=each.value, partition=partition)
            _queue(
                producer,
                topic,
                partition=each.place.partition,
                headers=[
                    (REDRIVEN, str(each.place).encode()),
                    ("to", target.encode()),
                    ("time", datetime.now(UTC).isoformat(timespec="milliseconds").encode()),
                ],
            )
        producer.commit_transaction(TIMEOUT_S)
    except ck.KafkaException as error:
        if not error.args[0].fatal():
            producer.abort_transaction(TIMEOUT_S)
        raise
    except BaseException:  # a second Ctrl-C, say
        with suppress(ck.KafkaException):  # there is nothing to abort if it came behind the commit
            producer.abort_transaction(TIMEOUT_S)
        raise


def _queue(producer: ck.Producer, topic: str, **record: Any) -> None:
    """Queue a record, when there is room for it."""
    while True:
        empty = not len(producer)
        try:
            producer.produce(topic, **record)
        except BufferError:  # the queue is full
            wait_for_room(producer, topic, empty=empty)
        else:
            return


def _refuse_unknown(client: Client, topics: set[str]) -> None:
    missing = topics - spans(client, topics).keys()
    if missing:
        raise UsageError(
            f"there is no topic {', '.join(sorted(missing))} to redrive to",
            todo="name one with --to, or create the application's with `edml topics create`",
        )


def _letter(message: ck.Message, headers: dict[str, bytes]) -> DeadLetter:
    """A dead letter; one that others wrote may lack some headers."""
    text = {name: value.decode(errors="replace") for name, value in headers.items()}
    return DeadLetter(
        place=Place(partition_of(message), offset_of(message)),
        source=TopicPartition(text.get("topic", "?"), _number(text.get("partition"))),
        source_offset=_number(text.get("offset")),
        cause=text.get("cause", "?"),
        component=text.get("component", "?"),
        at=_time(text.get("time"), message),
        key=None if message.key() is None else as_bytes(message.key()),
        value=None if message.value() is None else as_bytes(message.value()),
        headers=tuple(headers.items()),
        left_out=text.get(LEFT_OUT),
    )


def _mark(headers: dict[str, bytes]) -> tuple[Place, datetime, str]:
    return (
        Place.parse(headers[REDRIVEN].decode()),
        datetime.fromisoformat(headers["time"].decode()),
        headers["to"].decode(),
    )


def _headers(message: ck.Message) -> dict[str, bytes]:
    return {name: as_bytes(value) for name, value in cast("Headers", message.headers() or [])}


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else -1


def _time(text: str | None, message: ck.Message) -> datetime:
    try:
        return datetime.fromisoformat(text or "")
    except ValueError:
        return datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
