"""The writing half of a log: outputs, dead letters and offsets, together or not at all.

One transaction a batch (KIP-98, KIP-447), run in a thread of its own, so that the next batch is
read and predicted meanwhile. A transaction that is refused is aborted at once: left open, it would
block every reader of the topics that it has touched.

What a transaction costs is round trips and waits. The coordinator answers a commit before its
markers are written, and until they are, it refuses the next transaction's first request
(``CONCURRENT_TRANSACTIONS``). librdkafka then waits a fixed 20 ms when that request adds a
partition, but ``retry.backoff.ms`` when it adds offsets: so offsets are sent before outputs, and
that wait is short.

At least once, outputs are visible as soon as they are sent. Offsets follow a while later, for many
batches at once: a batch that waits for them makes the next one late.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final, Protocol

import confluent_kafka as ck
import polars as pl

from edml.errors import LogError
from edml.events import Outputs, TopicPartition
from edml.kafka.bulk_producer import BulkProducer, fits
from edml.kafka.burial import Burial, DeadLetters, Flushes, flush, wait_for_room
from edml.kafka.committed import as_offsets
from edml.kafka.librdkafka import handle
from edml.kafka.packed import Packed, produce
from edml.kafka.serdes import Record
from edml.kafka.source import WHEN_AWAY, KafkaReading
from edml.runtime.log import AbortedError, Committed, FencedError, RefusedError, StuckError

logger = logging.getLogger(__name__)

INIT_S = 20.0
WAIT_S = 1.0
RETRY_FOR_S = 60.0
RETRY_EVERY_S = 0.05
TRANSACTION_TIMEOUT_MS: Final = 10_000
STUCK_AFTER: Final = 3
"""A commit that takes so many times as long as a transaction may last (``transaction.timeout.ms``)
does not end any more, or ends in vain."""

OFFSETS_EVERY_S = 0.1
"""At least once, what was read in the last so many seconds is read again after a crash."""

LINGER_MS: Final = 200
"""Records wait so long for each other, but not beyond the flush of their batch: larger requests
cost the client and the broker less."""

ONE_IN_FLIGHT: Final[Mapping[str, Any]] = {"max.in.flight.requests.per.connection": 1}
"""One request at a time and broker, or what is not on the log may be told to be.

A broker takes any first sequence number of a producer that it does not know yet. If the first
request to a partition has to be sent again (its leader was not ready, say) and the second one has
succeeded meanwhile, librdkafka takes the first one for written, too, and never sends it again.
https://github.com/confluentinc/librdkafka/issues/2501
"""

IN_TRANSACTIONS: Final[Mapping[str, Any]] = {"metadata.recovery.strategy": "none"}
"""A transactional producer must not begin with ``bootstrap.servers`` again.

librdkafka's cache of coordinators remembers a broker that it has forgotten elsewhere:
``send_offsets_to_transaction`` then waits for ever for a connection that nobody opens. Without
brokers, a commit does not end in time, and who is started again finds them.
"""

RETRY_BACKOFF_MS = 2
"""The first wait after a refused request; it doubles each time (``retry.backoff.max.ms``)."""

REFUSED: Final = frozenset(
    {
        ck.KafkaError.INVALID_MSG,
        ck.KafkaError.INVALID_RECORD,
        ck.KafkaError.MSG_SIZE_TOO_LARGE,
        ck.KafkaError.POLICY_VIOLATION,
        ck.KafkaError.RECORD_LIST_TOO_LARGE,
    }
)
"""What a broker says of a record that it will never take."""

PURGED: Final = frozenset({ck.KafkaError._PURGE_INFLIGHT, ck.KafkaError._PURGE_QUEUE})
"""What becomes of a record whose transaction is aborted before it is sent."""

WRONG_CLOCK: Final = (
    "the log does not take our records' time, which is now {now:%Y-%m-%d %H:%M:%S} UTC: nothing is "
    "written until this machine's clock, or the topics' message.timestamp.*.max.ms, is set right"
)

Records = list[Record] | Packed


class Encodes(Protocol):
    """Encodes the rows of one topic."""

    def encode(self, frame: pl.DataFrame) -> list[Record]:
        """One ``{"key": bytes, "value": bytes}`` a row."""
        ...

    def pack(self, frame: pl.DataFrame) -> Records:
        """The same side by side; one by one where rows are few, or not all alike."""
        ...


class InFlight:
    """A commit in the thread. It may be waited for ``within_s`` seconds in all.

    What counts is the time that is waited, a second at a time: a process that was frozen meanwhile
    shall first hear what became of its commit.
    """

    def __init__(self, future: "Future[None]", instance: str | None, within_s: float) -> None:
        self._future = future
        self._instance = instance
        self._within_s = within_s
        self._left_s = within_s

    def wait(self) -> None:
        """Return when the commit is durable; raise when it is not."""
        self.finish()
        self._future.result()

    def finish(self) -> None:
        """Return when the commit is over, however it ended; raise `StuckError` if it does not."""
        while not self._future.done():
            if self._left_s <= 0:
                raise StuckError(self._within_s, self._instance)
            try:
                self._future.exception(WAIT_S)
            except TimeoutError:
                self._left_s -= WAIT_S


Task = Callable[[], None]


class _Worker:
    """A thread that does one thing after another. It keeps no process from ending: it may be stuck.

    That is what sets it apart from an executor, whose threads the interpreter waits for.
    """

    def __init__(self, name: str, *, idle: Task, idle_s: float | None) -> None:
        """``idle`` is done whenever nothing else was for ``idle_s`` seconds; with None, never."""
        self._tasks: SimpleQueue[tuple[Task, Future[None]] | None] = SimpleQueue()
        self._idle = idle
        self._idle_s = idle_s
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, task: Task) -> "Future[None]":
        """Have something done."""
        future: Future[None] = Future()
        self._tasks.put((task, future))
        return future

    def close(self) -> None:
        """Return when all is done that was submitted."""
        self._tasks.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (each := self._next()) is not None:
            task, future = each
            try:
                task()
            except BaseException as failure:  # noqa: BLE001  raised again by who waits
                future.set_exception(failure)
            else:
                future.set_result(None)
            del each, task, future

    def _next(self) -> "tuple[Task, Future[None]] | None":
        while True:
            try:
                return self._tasks.get(timeout=self._idle_s)
            except Empty:
                self._idle()


class Sink:
    """Writes what steps made. With an ``instance``, in transactions; without, at least once."""

    def __init__(
        self,
        config: Mapping[str, Any],
        encoders: Mapping[str, Encodes],
        dead_letters: DeadLetters,
        *,
        instance: str | None,
        commit_offsets: Callable[[Mapping[TopicPartition, Committed]], None],
    ) -> None:
        self._encoders = encoders
        self._transactional = instance is not None
        self._commit_offsets = commit_offsets
        self._undelivered: list[ck.KafkaError] = []
        self._last: InFlight | None = None
        self._instance = instance
        self._unsaid: dict[TopicPartition, Committed] = {}
        self._said_s = -math.inf
        self._thread = _Worker(
            "commit",
            idle=self._say_rest,
            idle_s=None if self._transactional else OFFSETS_EVERY_S,
        )
        timeout_ms = int(config.get("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS))
        self._within_s = STUCK_AFTER * timeout_ms / 1000 if self._transactional else math.inf
        self._config = {
            "linger.ms": LINGER_MS,
            **ONE_IN_FLIGHT,
            "delivery.report.only.error": True,
            "retry.backoff.ms": RETRY_BACKOFF_MS,
            **WHEN_AWAY,
            "socket.nagle.disable": True,
            "message.max.bytes": 10_485_760,
            "queue.buffering.max.messages": 1_000_000,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            **config,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            **({**IN_TRANSACTIONS, "transactional.id": instance} if instance is not None else {}),
        }
        self._producer = ck.Producer(self._config)
        bulk = not self._transactional and fits(self._config)
        self._bulk = BulkProducer(self._config) if bulk else None
        self._burial = Burial(self._producer, dead_letters, self._delivered)
        # It takes half a second, in which the group can give us our place. Whatever the one before
        # commits meanwhile, the group refuses: its place is ours (KIP-345, KIP-447).
        self._begun = self._thread.submit(self._begin)

    def commit(
        self, reading: KafkaReading, outputs: Outputs, places: Mapping[TopicPartition, Committed]
    ) -> InFlight:
        """Begin a commit; the one before must be over.

        Raises `LogError` when no transaction can be begun.
        """
        self._begun.result()
        future = self._thread.submit(lambda: self._commit(reading, outputs, places))
        self._last = InFlight(future, self._instance, self._within_s)
        return self._last

    def finish(self) -> None:
        """Return when no commit is under way; raise `StuckError` when one does not end.

        What is done by then is known to the group: whoever has our partitions next begins there.
        """
        if self._last is not None:
            self._last.finish()
        if self._unsaid:
            self._thread.submit(self._say_rest).result()
            self._unsaid.clear()

    def close(self) -> None:
        """Finish what is under way, and stop the thread."""
        self.finish()
        self._thread.close()
        if self._bulk is not None:
            self._bulk.close()

    def _begin(self) -> None:
        """Fence whoever had this name before, and have its transaction ended."""
        if not self._transactional:
            return
        try:
            self._persist(self._producer.init_transactions, INIT_S)
        except ck.KafkaException as error:
            raise LogError(
                f"no transaction can be begun: {error.args[0].str()}",
                where=self._instance,
                todo="start it again. If it ends again, see with `edml status` whether the brokers "
                "are there, and whether you may write with this transactional.id",
            ) from error

    def _commit(
        self, reading: KafkaReading, outputs: Outputs, places: Mapping[TopicPartition, Committed]
    ) -> None:
        records = self._encoded(outputs)
        try:
            if self._transactional:
                self._producer.begin_transaction()
                self._persist(
                    self._producer.send_offsets_to_transaction, as_offsets(places), reading.group
                )
            self._write(records, reading, outputs)
            if self._transactional:
                self._persist(self._producer.commit_transaction)
            else:
                self._flush()
                self._unsaid |= places
                if time.monotonic() >= self._said_s + OFFSETS_EVERY_S:
                    self._say()
            self._burial.forget()
        except ck.KafkaException as error:
            self._give_up(error)
        except BaseException:
            self._abort()
            raise

    def _encoded(self, outputs: Outputs) -> dict[str, Records]:
        return {
            topic: self._records(self._encoders[topic], frame)
            for topic, frame in outputs.frames.items()
            if not frame.is_empty()
        }

    def _records(self, encoder: Encodes, frame: pl.DataFrame) -> Records:
        """Side by side, where a transaction or the bulk producer tells of what failed."""
        told = self._transactional or self._bulk is not None
        return encoder.pack(frame) if told else encoder.encode(frame)

    def _write(
        self, records: Mapping[str, Records], reading: KafkaReading, outputs: Outputs
    ) -> None:
        for topic, each in records.items():
            self._produce(topic, each)
        self._burial.bury([*reading.bad, *reading.originals(outputs.rejected)])

    def _produce(self, topic: str, records: Records) -> None:
        """Queue every record; what a full queue leaves out is queued again when there is room."""
        bulk = self._bulk if isinstance(records, Packed) else None
        producer: Flushes = self._producer if bulk is None else bulk
        while records:
            empty = not len(producer)
            left = self._queue(topic, records)
            self._producer.poll(0)
            if len(left) == len(records):
                wait_for_room(producer, topic, empty=empty)
            records = left

    def _queue(self, topic: str, records: Records) -> Records:
        """Queue records; gives back those that find no room."""
        if isinstance(records, Packed):
            client = handle(self._producer) if self._bulk is None else self._bulk.client
            return produce(client, topic, records)
        queued = self._producer.produce_batch(topic, records, on_delivery=self._delivered)
        left = [_again(each) for each in records if "_error" in each]
        if queued + len(left) != len(records):
            raise LogError(
                f"{len(records) - queued - len(left)} records were neither queued nor refused",
                where=topic,
                todo="this is a fault of the Kafka client: report it with its version",
            )
        return left

    def _delivered(self, error: ck.KafkaError | None, message: ck.Message) -> None:
        if error is not None:
            self._failed(message.topic(), error)

    def _failed(self, topic: str | None, error: ck.KafkaError) -> None:
        if not (self._transactional and error.code() in PURGED):
            logger.warning("%s refuses a record: %s", topic, error.str())
            self._undelivered.append(error)

    def _flush(self) -> None:
        flush(self._producer)
        if self._bulk is not None:
            flush(self._bulk)
            for topic, error in self._bulk.failures():
                self._failed(topic, error)
        if self._undelivered:
            raise ck.KafkaException(self._undelivered[0])

    def _say(self) -> None:
        """Tell the group how far we are."""
        self._commit_offsets(self._unsaid)
        self._unsaid.clear()
        self._said_s = time.monotonic()

    def _say_rest(self) -> None:
        """Tell what the last batches left; what the group does not take now comes with the next."""
        if self._unsaid:
            try:
                self._say()
            except ck.KafkaException as error:
                logger.warning("Offsets wait for the group. %s", error.args[0].str())

    def _give_up(self, error: ck.KafkaException) -> None:
        """Abort, and say what became of the transaction."""
        cause: ck.KafkaError = error.args[0]
        told = (cause, *self._undelivered)
        if cause.fatal():
            raise FencedError(cause.str()) from error
        self._abort()
        if any(each.code() == ck.KafkaError.INVALID_TIMESTAMP for each in told):
            raise AbortedError(WRONG_CLOCK.format(now=datetime.now(UTC))) from error
        refused = [each for each in told if each.code() in REFUSED]
        if refused:
            self._renew()
        if self._burial.again():
            raise AbortedError("a dead letter is too large") from error
        if refused:
            raise RefusedError(refused[0].str()) from error
        raise AbortedError(cause.str()) from error

    def _renew(self) -> None:
        """Have a producer that has refused nothing yet.

        Sequence numbers are missing where a record was refused. librdkafka comes out of that by
        itself, but at times only once the coordinator has ended a transaction of its own accord,
        and fenced us.
        """
        self._producer = ck.Producer(self._config)
        self._burial.use(self._producer)
        self._begin()

    def _abort(self) -> None:
        """Leave nothing of the transaction: open, it would block every reader.

        Nor, without one, anything that is still queued: it would come behind what is tried next.
        """
        if self._transactional:
            try:
                self._persist(self._producer.abort_transaction)
            except ck.KafkaException as failure:
                raise FencedError(failure.args[0].str()) from failure
        if self._bulk is not None:
            before, self._bulk = self._bulk, BulkProducer(self._config)
            before.close()
        self._undelivered.clear()

    def _persist(self, call: Callable[..., None], *arguments: object) -> None:
        """Call until it succeeds, or fails for good."""
        until = time.monotonic() + RETRY_FOR_S
        while True:
            try:
                call(*arguments)
            except ck.KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > until:
                    raise
                time.sleep(RETRY_EVERY_S)
            else:
                return


def _again(record: Record) -> Record:
    """A record as it was before it was not queued; raises what keeps it from ever being queued."""
    error = record.pop("_error")
    if error.code() != ck.KafkaError._QUEUE_FULL:
        raise ck.KafkaException(error)
    return record
