"""The reading half of a log: batches of decoded records, and the partitions that are ours.

A consumer of a group with the ``range`` assignor, which keeps partition *i* of every topic
together. Offsets and the group's metadata are captured with each batch. What was fetched before a
rebalance is dropped in the rebalance, and never reaches anybody.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final, Protocol, cast

import confluent_kafka as ck
import numpy as np
import polars as pl

from edml.errors import LogError, RegistryUnavailableError, TopicError
from edml.events import OFFSET, PARTITION, TIMESTAMP, Batch, Rejected, TopicPartition
from edml.kafka.codec.decode import Bad, Decoded
from edml.kafka.committed import as_committed, as_offsets, is_held
from edml.kafka.fetched import Inlet
from edml.kafka.message import PROMPT, Message, Records, Taken, consume, taken, where
from edml.runtime.log import Assignment, Committed, FencedError, ReassignedError

logger = logging.getLogger(__name__)

TIMEOUT_S = 30.0
ASK_S = 5.0
"""What is committed is waited for this long, and asked for again: who is told to stop does."""

HELD_AFTER_S = 20.0
"""A transaction of ours is over by then, however it ended (``transaction.timeout.ms``)."""

SOCKET_TIMEOUT_MS = 10_000
WHEN_AWAY: Final[Mapping[str, Any]] = {
    "reconnect.backoff.max.ms": 1_000,
    "metadata.recovery.rebootstrap.trigger.ms": 10_000,
}
"""How a client looks for brokers that are away: once a second, where they were, and soon where
``bootstrap.servers`` says.

It needs the second: a cluster that comes back may have no brokers to tell of for a moment, and
librdkafka forgets those that it knew.
"""

LEAVE_S = 0.5
NEWS_AT_ONCE = 1_000
NEWS_EVERY_S = 0.02
"""What the group has to say ends no wait for records, so it is asked for so often meanwhile."""

AGAIN_AT_ONCE = 16_384
AGAIN_WAIT_S = 0.2
SHORT_FOR_S = 30.0
"""A log that ends before what is committed on it may be behind for so long, and catch up."""

UNSETTLED = frozenset(
    {
        ck.KafkaError._ALL_BROKERS_DOWN,
        ck.KafkaError._TIMED_OUT,
        ck.KafkaError._TRANSPORT,
        ck.KafkaError._WAIT_COORD,
        ck.KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        ck.KafkaError.COORDINATOR_NOT_AVAILABLE,
        ck.KafkaError.ILLEGAL_GENERATION,
        ck.KafkaError.NOT_COORDINATOR,
        ck.KafkaError.REBALANCE_IN_PROGRESS,
        ck.KafkaError.UNKNOWN_MEMBER_ID,
        ck.KafkaError.UNSTABLE_OFFSET_COMMIT,
    }
)
"""What a coordinator says, or does not, while the group rebalances or the broker is away."""

NEXT: Final = "reads next is not on the log: records were deleted before they were read"
AGAIN: Final = "has to read again is not on the log: records were deleted that its state is made of"
HELD: Final = (
    "A transaction that is not over holds the offsets of {group}. Ours are over by now, however "
    "they ended. If the offsets stay held, the broker has lost a transaction's end, and its own "
    "kafka-transactions.sh finds that (find-hanging) and ends it (abort), which has to be done on "
    "each partition, with outputs as with offsets"
)

FATAL = frozenset({ck.KafkaError._FATAL, ck.KafkaError.FENCED_INSTANCE_ID})
"""What a consumer says when another has its place."""


class Decodes(Protocol):
    """Decodes the values of one topic."""

    def decode(self, values: Sequence[bytes | None]) -> Decoded:
        """The frame of the good values, and the bad ones."""
        ...


@dataclass(frozen=True)
class BadRecord:
    """A record that cannot be decoded, and why."""

    message: Message
    cause: str


@dataclass(frozen=True)
class KafkaReading:
    """A batch with all that its commit needs, captured when it was read."""

    batch: Batch
    bad: tuple[BadRecord, ...] = ()
    group: Any = None
    records: Mapping[str, Records] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether no record was read."""
        return not self.records

    def originals(self, rejected: Iterable[Rejected]) -> Iterator[BadRecord]:
        """The records behind rejected rows."""
        for each in rejected:
            records = self.records[each.topic]
            places = zip(records.partitions.tolist(), records.offsets.tolist(), strict=True)
            found = {place: row for row, place in enumerate(places)}
            rows = each.frame.select(PARTITION, OFFSET, "cause").iter_rows()
            for partition, offset, cause in rows:
                yield BadRecord(records.message(found[partition, offset]), cause)


class Source:
    """Consumes some topics as a member of a group.

    ``before_revoke`` is called when partitions are about to be taken away: what is being committed
    must be finished when it returns. ``first`` gives the offsets at which partitions begin of
    which nobody has committed any. Frames have the column `TIMESTAMP` if ``timestamps`` says so:
    librdkafka tells them one by one.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        decoders: Mapping[str, Decodes],
        *,
        first: Callable[[Collection[TopicPartition]], Mapping[TopicPartition, int]],
        before_revoke: Callable[[], None],
        timestamps: bool,
    ) -> None:
        self._decoders = decoders
        self._timestamps = timestamps
        self._group = config["group.id"]
        self._first = first
        self._before_revoke = before_revoke
        self._assigned: list[TopicPartition] | None = None
        self._member = False
        self._doubtful: set[str] = set()
        self._positions: dict[TopicPartition, int] = {}
        self._caught_up: set[TopicPartition] = set()
        self._assigned_s = inf
        self._config = {
            **WHEN_AWAY,
            **PROMPT,
            "socket.timeout.ms": SOCKET_TIMEOUT_MS,
            **config,
            "partition.assignment.strategy": "range",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "socket.nagle.disable": True,
        }
        self._consumer = ck.Consumer(self._config)
        self._inlet = Inlet(self._consumer)
        self._consumer.subscribe(
            list(decoders),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_revoke,
        )

    def read(self, *, at_most: int, wait_s: float) -> KafkaReading | Assignment | None:
        """What is there now; None while the group is between two assignments."""
        given = self._take(at_most, wait_s)
        if self._assigned is not None:
            return self._assignment(self._assigned)
        if not self._member:
            self._outside(given.news)
            return None
        try:
            reading = self._reading(given)
        except RegistryUnavailableError as error:
            logger.warning("Waiting for the schema registry; nothing is lost. %s", error)
            self.resume(self._positions)
            time.sleep(wait_s)
            return None
        self._positions |= reading.batch.positions
        return reading

    def again(self, spans: Mapping[TopicPartition, tuple[int, int]]) -> Iterator[Batch]:
        """The records of each span ``[first, end)`` once more; the group notices nothing.

        A span may end with a transaction's marker, which is no record, so the end of the log tells
        that all was read; but not one before the end of the span: a broker that leads the partition
        since a moment ago, or follows, may not know of the last records yet.
        """
        left = {each: end for each, (first, end) in spans.items() if first < end}
        self.resume({each: spans[each][0] for each in left})
        short: set[TopicPartition] = set()
        heard_s = time.monotonic()
        while left:
            given = self._take(AGAIN_AT_ONCE, AGAIN_WAIT_S)
            if self._assigned is not None or not self._member:
                raise ReassignedError
            reading = self._reading(_before(given, spans), AGAIN)
            if not reading.empty:
                yield reading.batch
            reached, ends = given.positions(), _ends(given.news)
            if reached:
                heard_s = time.monotonic()
            short = short - reached.keys() | ends.keys()
            left = {
                each: end
                for each, end in left.items()
                if max(reached.get(each, 0), ends.get(each, 0)) < end
            }
            if left and short >= left.keys() and time.monotonic() > heard_s + SHORT_FOR_S:
                raise self._cut(left)

    def resume(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read on from these offsets; what was fetched ahead is dropped."""
        self._positions = dict(positions)
        self._caught_up.clear()
        self._inlet.lead(positions)
        self._consumer.assign(
            [
                ck.TopicPartition(each.topic, each.partition, offset)
                for each, offset in positions.items()
            ]
        )

    def commit(self, places: Mapping[TopicPartition, Committed]) -> None:
        """Commit without a transaction, and wait for it."""
        self._consumer.commit(offsets=as_offsets(places), asynchronous=False)

    def close(self) -> None:
        """Leave the group, so that others have our partitions at once.

        librdkafka does not tell the group when a static member closes (KIP-345), but does when it
        unsubscribes.
        """
        try:
            self._consumer.unsubscribe()
            self._consumer.consume(1, LEAVE_S)
        except ck.KafkaException as error:
            if not _is_fatal(error.args[0]):  # who was fenced has no place to leave
                raise
        finally:
            self._inlet.close()
        self._consumer.close()

    def _take(self, at_most: int, wait_s: float) -> Taken[Records]:
        """What is there now; raises `FencedError` when nothing will come any more.

        librdkafka says so once. Whatever else has happened by then, nobody may miss it.
        """
        given = self._given(at_most, wait_s)
        for news in given.news:
            error = cast("ck.KafkaError", news.error())
            if _is_fatal(error):
                raise FencedError(error.str())
        return given

    def _given(self, at_most: int, wait_s: float) -> Taken[Records]:
        """What is there now; waits for the first record or piece of news, and for no other.

        The consumer itself gives records, too, of partitions that it has begun anew with:
        their topic was deleted, and has come back.
        """
        until = time.monotonic() + wait_s
        while True:
            messages = consume(self._consumer, NEWS_AT_ONCE, self._news_wait_s(wait_s))
            left_s = until - time.monotonic()
            if messages or not self._member or self._assigned is not None:
                return taken(messages)
            given = self._inlet.take(at_most, min(max(left_s, 0), NEWS_EVERY_S))
            if given.records or given.news or left_s <= NEWS_EVERY_S:
                return given

    def _news_wait_s(self, wait_s: float) -> float:
        """How long the consumer may be waited for: not at all where records may be here instead."""
        if not self._member:
            return NEWS_EVERY_S
        return wait_s if self._assigned is not None else 0

    def _reading(self, given: Taken[Records], gone: str = NEXT) -> KafkaReading:
        """Records decoded; ``gone`` tells what it means when they are not on the log."""
        for message in given.news:
            self._event(message, gone)
        positions = given.positions()
        ends = _ends(given.news)
        self._caught_up -= positions.keys()
        self._caught_up |= {each for each, end in ends.items() if end >= positions.get(each, end)}
        frames: dict[str, pl.DataFrame] = {}
        bad: list[BadRecord] = []
        for topic, records in given.records.items():
            frames[topic], faults = decoded(
                self._decoders[topic], records, timestamps=self._timestamps
            )
            bad += [BadRecord(records.message(each.row), each.cause) for each in faults]
        return KafkaReading(
            Batch(frames, positions, frozenset(self._caught_up)),
            tuple(bad),
            self._consumer.consumer_group_metadata(),
            given.records,
        )

    def _event(self, message: Message, gone: str) -> None:
        """What the consumer has to say that is not a record."""
        error = cast("ck.KafkaError", message.error())
        if error.code() == ck.KafkaError._PARTITION_EOF:
            return
        if error.code() == ck.KafkaError._AUTO_OFFSET_RESET:
            raise LogError(
                f"what {self._group} {gone}, or the topic is another one of the same name",
                where=where(message),
                todo=f"raise the topic's retention. {self._how_to_go_on()}",
            )
        if error.code() == ck.KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise _no_topic(message.topic())
        logger.warning("Kafka: %s", error.str())

    def _cut(self, left: Mapping[TopicPartition, int]) -> LogError:
        return LogError(
            f"the log ends before what {self._group} has read of it: its last records were lost "
            "with a broker, or the topic is another one of the same name",
            where=", ".join(f"{each}@{end - 1}" for each, end in sorted(left.items())),
            todo=self._how_to_go_on(),
        )

    def _how_to_go_on(self) -> str:
        return (
            "To go on without what is gone: "
            f"`edml topics seek --lost --group {self._group} --to earliest`"
        )

    def _assignment(self, ours: Sequence[TopicPartition]) -> Assignment | None:
        """What is ours; None while the group is not yet of one mind about it."""
        try:
            committed = self._committed(ours)
        except ck.KafkaException as error:
            cause: ck.KafkaError = error.args[0]
            if _is_fatal(cause):
                raise FencedError(cause.str()) from error
            if not (cause.retriable() or cause.code() in UNSETTLED):
                raise
            logger.warning("Waiting for what is committed. %s", self._why(cause, ours))
            return None
        self._assigned = None
        return Assignment(committed)

    def _why(self, cause: ck.KafkaError, ours: Iterable[TopicPartition]) -> str:
        """Why nothing is told of what is committed, as far as can be known."""
        waited_s = time.monotonic() - self._assigned_s
        if waited_s > HELD_AFTER_S and is_held(self._config, ours, within_s=ASK_S):
            return HELD.format(group=self._group)
        return cause.str()

    def _committed(self, ours: Sequence[TopicPartition]) -> dict[TopicPartition, Committed]:
        """What is committed of our partitions.

        Where nothing is, the first offset is committed now: from then on, a partition without a
        committed offset is one whose offset has expired.
        """
        self._check_topics(self._decoders.keys() - {each.topic for each in ours})
        if not ours:
            return {}
        asked = [ck.TopicPartition(each.topic, each.partition) for each in ours]
        found: dict[TopicPartition, Committed] = {}
        fresh: list[TopicPartition] = []
        for each in self._consumer.committed(asked, timeout=ASK_S):
            place = TopicPartition(each.topic, each.partition)
            if each.error is not None:  # it tells nothing, not even that there is no offset
                raise ck.KafkaException(each.error)
            if each.offset >= 0:
                found[place] = as_committed(each.offset, each.metadata)
            else:
                fresh.append(place)
        if not fresh:
            return found
        begun = {place: Committed(at, at, {}) for place, at in self._first(fresh).items()}
        self.commit(begun)
        return found | begun

    def _outside(self, messages: Iterable[Message]) -> None:
        """What the consumer says while it has no place in the group: it may never get one.

        It leaves a group whose topics are all gone, and tells each of them once. A topic that was
        created a moment ago is told, too, so the broker is asked whether it is there by now.
        """
        for message in messages:
            error = message.error()
            if error is not None and error.code() == ck.KafkaError.UNKNOWN_TOPIC_OR_PART:
                self._doubtful.add(message.topic())
        try:
            self._check_topics(self._doubtful)
        except ck.KafkaException as error:
            logger.warning("Waiting for what topics there are. %s", error.args[0].str())
        else:
            self._doubtful.clear()

    def _check_topics(self, topics: Iterable[str]) -> None:
        """Raise `TopicError` for a topic that was deleted: the group gives no partitions of it."""
        for topic in topics:
            found = self._consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
            if found.error is not None:
                raise _no_topic(topic)

    def _on_assign(self, consumer: ck.Consumer, partitions: list[ck.TopicPartition]) -> None:
        consumer.assign([])  # nothing is fetched before the state is ready
        self._assigned = [TopicPartition(each.topic, each.partition) for each in partitions]
        self._assigned_s = time.monotonic()
        self._member = True

    def _on_revoke(self, consumer: ck.Consumer, partitions: list[ck.TopicPartition]) -> None:
        del partitions  # range is an eager assignor: all of them
        self._before_revoke()
        consumer.unassign()
        self._member = False
        self._assigned = None


def _no_topic(topic: str) -> TopicError:
    return TopicError(
        "the topic does not exist",
        where=topic,
        todo="create it with `edml topics create`",
    )


def decoded(
    decoder: Decodes, records: Records, *, timestamps: bool = True
) -> tuple[pl.DataFrame, Sequence[Bad]]:
    """The frame of one topic's records, with their places, and those that cannot be decoded."""
    found = decoder.decode(records.values())
    rows = found.rows if found.bad else slice(None)
    places = [
        pl.Series(PARTITION, records.partitions[rows]),
        pl.Series(OFFSET, records.offsets[rows]),
    ]
    if timestamps:
        stamps = pl.Series(TIMESTAMP, records.timestamps_ms()[rows] * 1000)
        places.append(stamps.cast(pl.Datetime("us", "UTC")))
    return found.frame.hstack(places), found.bad


def _place(message: Message) -> TopicPartition:
    return TopicPartition(message.topic(), message.partition())


def _is_fatal(error: ck.KafkaError) -> bool:
    """Whether the consumer is of no more use. Not each error says so that comes as a message."""
    return error.fatal() or error.code() in FATAL


def _ends(news: Iterable[Message]) -> dict[TopicPartition, int]:
    """The offset at which a partition ended when the consumer had read so far."""
    return {
        _place(each): each.offset()
        for each in news
        if cast("ck.KafkaError", each.error()).code() == ck.KafkaError._PARTITION_EOF
    }


def _before(
    given: Taken[Records], spans: Mapping[TopicPartition, tuple[int, int]]
) -> Taken[Records]:
    """What lies before the ends of the spans."""
    within = {}
    for topic, records in given.records.items():
        kept = np.zeros(len(records), np.bool_)
        for partition in np.unique(records.partitions).tolist():
            _, end = spans[TopicPartition(topic, partition)]
            kept |= (records.partitions == partition) & (records.offsets < end)
        if kept.any():
            within[topic] = records.where(kept)
    return Taken(within, given.news)
