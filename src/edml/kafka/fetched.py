"""Records that are read where librdkafka has put them, many at once.

`consume` of confluent-kafka makes an object of each record, with the interpreter's lock in its
hands. Here, the partitions of a consumer lead into a queue of our own, from which librdkafka's
``rd_kafka_consume_batch_queue`` takes places in memory. Only values are copied, piece by piece of
what a broker has sent. What else a record has (key, headers) is there as long as its batch is, for
the few that go to the dead letters.

Callbacks and errors of the consumer itself stay in its own queue, which confluent-kafka serves.
"""

import ctypes
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final, cast
from weakref import WeakSet

import confluent_kafka as ck
import numpy as np
from numpy.typing import NDArray

from edml.events import TopicPartition
from edml.kafka import librdkafka as lib
from edml.kafka.codec.values import PADDING, Values
from edml.kafka.message import Message, Records, Taken

_NEAR: Final = 1024
"""Values that lie so many bytes apart are copied together, with what lies between them. It is less
than a page of memory: what lies between can be read."""

_BACK_AT_ONCE: Final = 256
"""So many messages are given back before another thread may have the interpreter's lock: at once,
those of a large batch would take ten milliseconds."""

_WORD: Final = 8
_WORDS: Final = lib.MESSAGE.itemsize // _WORD

Places = NDArray[np.int64]
"""Addresses in memory."""


class _Words:
    """So many words of memory from an address on; only those may be read that are there."""

    def __init__(self, address: int, count: int) -> None:
        self.__array_interface__ = {
            "data": (address, True),
            "shape": (count,),
            "typestr": np.dtype(np.uint64).str,
            "version": 3,
        }


class _Loan:
    """Messages of librdkafka's that are ours until they are given back, at the latest with this."""

    def __init__(self, messages: Places) -> None:
        self._messages = messages.tolist()

    def check(self) -> None:
        """Raise if they are not ours any more."""
        if not self._messages:
            raise RuntimeError("messages are looked at that were given back")

    def give_back(self) -> None:
        """Nothing of them may be looked at any more."""
        messages, self._messages = self._messages, []
        for first in range(0, len(messages), _BACK_AT_ONCE):
            some = messages[first : first + _BACK_AT_ONCE]
            deque(map(lib.message_destroy, some), maxlen=0)

    def __del__(self) -> None:
        self.give_back()


@dataclass(frozen=True)
class Fetched(Records):
    """Records of one topic in librdkafka's memory: where each message lies, and what it says."""

    topic: str
    messages: Places
    told: NDArray[np.void]
    loan: _Loan

    def message(self, row: int) -> Message:
        """One record."""
        self.loan.check()
        return _copied(self.topic, int(self.messages[row]), self.told[row])

    def values(self) -> Sequence[bytes | None]:
        """The values, row by row."""
        self.loan.check()
        places, sizes = self.told["payload"], self.told["len"]
        return side_by_side(places.astype(np.int64), sizes.astype(np.int64))

    def timestamps_ms(self) -> NDArray[np.int64]:
        """The timestamps, in milliseconds since 1970."""
        self.loan.check()
        told = map(lib.message_timestamp, self.messages.tolist(), repeat(None))
        return np.fromiter(told, np.int64, len(self))

    def where(self, kept: NDArray[np.bool_]) -> "Fetched":
        """Only the rows that are to be kept."""
        if kept.all():
            return self
        return _records(self.topic, self.messages[kept], self.told[kept], self.loan)


class Inlet:
    """A queue of our own into which the partitions of a consumer lead."""

    def __init__(self, consumer: ck.Consumer) -> None:
        self._client = lib.handle(consumer)
        self._queue = lib.queue_new(self._client)
        self._partitions: list[int] = []
        self._found = np.empty(1, np.int64)
        self._loans: WeakSet[_Loan] = WeakSet()

    def lead(self, partitions: Iterable[TopicPartition]) -> None:
        """Have what is fetched of these partitions come here, and of no others.

        The consumer must know their topics by then: what it takes a partition for changes when it
        comes to know it. They must not be assigned yet: what is fetched of a partition before it
        is led here for the first time goes to the consumer itself, and would come out of order.
        """
        self._forget()
        self._partitions = [
            lib.queue_get_partition(self._client, each.topic.encode(), each.partition)
            for each in partitions
        ]
        self._lead_on()

    def take(self, at_most: int, wait_s: float) -> Taken[Fetched]:
        """What is there now; waits ``wait_s`` seconds for the first message, and for no other.

        Partitions are led here each time. librdkafka undoes that when it stops to fetch from one,
        some time after it was told to, and keeps what it fetches from then on for who leads it on.
        """
        self._lead_on()
        if len(self._found) < at_most:
            self._found = np.empty(at_most, np.int64)
        count = self._consume(0, at_most, 0)
        if not count and wait_s:
            count = self._consume(0, 1, wait_s)
            count += self._consume(count, at_most - count, 0)
        if not count:
            return Taken({}, ())
        messages = self._found[:count].copy()
        loan = _Loan(messages)
        self._loans.add(loan)
        return _sorted(messages, loan)

    def close(self) -> None:
        """Give back all that was taken: the consumer cannot be closed before."""
        for loan in self._loans:
            loan.give_back()
        self._forget()
        lib.queue_destroy(self._queue)

    def _lead_on(self) -> None:
        for each in self._partitions:
            lib.queue_forward(each, self._queue)

    def _forget(self) -> None:
        for each in self._partitions:
            lib.queue_destroy(each)
        self._partitions = []

    def _consume(self, first: int, at_most: int, wait_s: float) -> int:
        room = self._found[first : first + at_most].ctypes.data
        count: int = lib.consume_batch_queue(self._queue, int(1000 * wait_s), room, at_most)
        return max(count, 0)


def _sorted(messages: Places, loan: _Loan) -> Taken[Fetched]:
    """Messages by topic, and what is no record."""
    told = _told(messages)
    news = []
    if told["err"].any():
        bad = told["err"] != 0
        for at, each in zip(messages[bad].tolist(), told[bad], strict=True):
            news.append(_copied(_name(each["rkt"]), at, each))
        messages, told = messages[~bad], told[~bad]
    return Taken(dict(_by_topic(messages, told, loan)), news)


def _by_topic(
    messages: Places, told: NDArray[np.void], loan: _Loan
) -> Iterable[tuple[str, Fetched]]:
    if not len(messages):
        return
    of = told["rkt"]
    if (of == of[0]).all():
        name = _name(of[0])
        yield name, _records(name, messages, told, loan)
        return
    for topic in np.unique(of):
        name, ours = _name(topic), of == topic
        yield name, _records(name, messages[ours], told[ours], loan)


def _records(topic: str, messages: Places, told: NDArray[np.void], loan: _Loan) -> Fetched:
    return Fetched(told["partition"], told["offset"], topic, messages, told, loan)


def _told(messages: Places) -> NDArray[np.void]:
    """What each message says of itself, row by row: the structs are copied, word by word."""
    first, last = int(messages.min()), int(messages.max())
    words: NDArray[np.uint64] = np.asarray(_Words(first, (last - first) // _WORD + _WORDS))
    rows = (messages - first) // _WORD
    told: NDArray[np.void] = words[rows[:, np.newaxis] + np.arange(_WORDS)].view(lib.MESSAGE)
    return told.reshape(-1)


def side_by_side(places: Places, sizes: Places) -> Values:
    """Copy values from where they lie in memory; who lies nowhere is a null.

    Neighbours are copied together: those of one fetch lie behind each other, keys between them.
    """
    nulls = places == 0
    if nulls.any():
        values = side_by_side(places[~nulls], sizes[~nulls])
        starts, ends = np.zeros_like(places), np.zeros_like(places)
        starts[~nulls], ends[~nulls] = values.starts, values.ends
        return Values(values.content, starts, ends, nulls)
    if not len(places):
        return Values(PADDING, places, places)
    gaps = places[1:] - (places[:-1] + sizes[:-1])
    first = np.flatnonzero(np.concatenate(([True], (gaps < 0) | (gaps > _NEAR))))
    last = np.append(first[1:], len(places)) - 1
    begins = places[first]
    lengths = places[last] + sizes[last] - begins
    pieces = map(ctypes.string_at, begins.tolist(), lengths.tolist())
    moved = np.cumsum(lengths) - lengths - begins
    starts = places + np.repeat(moved, last - first + 1)
    return Values(b"".join((*pieces, PADDING)), starts, starts + sizes)


def _copied(topic: str, at: int, told: NDArray[np.void]) -> Message:
    """A message as an object of confluent-kafka's, which nothing but us will ever see."""
    message: Any
    if told["err"]:
        error = ck.KafkaError(int(told["err"]), lib.message_errstr(at).decode(errors="replace"))
        message = ck.Message(topic, int(told["partition"]), int(told["offset"]), error=error)
    else:
        stamp = lib.message_timestamp(at, ctypes.byref(kind := ctypes.c_int()))
        message = ck.Message(
            topic,
            int(told["partition"]),
            int(told["offset"]),
            _bytes(told["key"], told["key_len"]),
            _bytes(told["payload"], told["len"]),
            _headers(at),
            timestamp=(kind.value, stamp),
        )
    return cast("Message", message)


def _bytes(place: Any, size: Any) -> bytes | None:
    return ctypes.string_at(int(place), int(size)) if place else None


def _headers(at: int) -> Any:
    """The names and values; to confluent-kafka's types, no value is null."""
    headers = lib.Pointer()
    if lib.message_headers(at, ctypes.byref(headers)):
        return None  # it has none
    found: list[tuple[str, bytes | None]] = []
    name, value, size = ctypes.c_char_p(), lib.Pointer(), ctypes.c_size_t()
    out = ctypes.byref(name), ctypes.byref(value), ctypes.byref(size)
    while not lib.header_get_all(headers, len(found), *out):
        told = (name.value or b"").decode(errors="replace")
        found.append((told, _bytes(value.value, size.value)))
    return found


def _name(topic: Any) -> str:
    name: bytes = lib.topic_name(int(topic)) if topic else b""
    return name.decode()
