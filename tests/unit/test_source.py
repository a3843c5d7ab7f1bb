"""What a consumer says that is seldom heard, and must not be missed: without any broker."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import confluent_kafka as ck
import numpy as np
import polars as pl
import pytest

from edml.errors import LogError
from edml.events import TopicPartition
from edml.kafka import source
from edml.kafka.codec.decode import Decoded
from edml.kafka.message import Message, Records, Taken, taken
from edml.kafka.source import Source
from edml.runtime.log import FencedError

PLACE = TopicPartition("events", 0)
FATAL = int(ck.KafkaError._FATAL)
END = int(ck.KafkaError._PARTITION_EOF)


class Texts:
    """Decodes values as they are."""

    def decode(self, values: Sequence[bytes | None]) -> Decoded:
        """Each is good."""
        return Decoded(pl.DataFrame({"value": list(values)}), np.arange(len(values)), [])


class Scripted(Source):
    """A source that is given what it takes, and then nothing."""

    def __init__(self, *script: Sequence[Message]) -> None:
        super().__init__(
            {"bootstrap.servers": "127.0.0.1:1", "group.id": "somebody", "log_level": 0},
            {"events": Texts()},
            first=lambda _: {},
            before_revoke=lambda: None,
            timestamps=False,
        )
        self._script = iter(script)
        self._member = True

    def _given(self, at_most: int, wait_s: float) -> Taken[Records]:
        del at_most, wait_s
        return taken(next(self._script, []))


def record(offset: int) -> Any:
    """A record of the partition."""
    return ck.Message("events", 0, offset, None, b"value")


def said(code: int, offset: int = 0) -> Any:
    """Something that the consumer has to say of the partition."""
    return ck.Message("events", 0, offset, error=ck.KafkaError(code))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for."""
    monkeypatch.setattr(source, "SHORT_FOR_S", 0.01)


def offsets(span: tuple[int, int], *script: Sequence[Message]) -> Iterator[int]:
    """What is read again of a span."""
    with closing(Scripted(*script)) as scripted:
        for batch in scripted.again({PLACE: span}):
            yield from batch.frames["events"]["_offset"].to_list()


def test_an_end_before_the_end_of_a_span_is_not_the_last_of_it() -> None:
    """Who leads or follows a partition may learn of its last records a moment later."""
    script = [record(each) for each in range(5)], [said(END, 5)], [record(each) for each in (5, 6)]
    assert list(offsets((0, 7), *script)) == [0, 1, 2, 3, 4, 5, 6]


def test_a_span_may_end_without_a_record() -> None:
    """Behind the last one stands a transaction's marker."""
    assert list(offsets((0, 4), [record(0), record(1), record(2), said(END, 4)])) == [0, 1, 2]


def test_records_that_are_gone_from_the_end_are_missed() -> None:
    """Nothing more comes of what was committed: the state cannot be rebuilt, and that is told."""
    script = [record(0), said(END, 1)]
    with pytest.raises(LogError, match="ends before what somebody has read of it") as told:
        list(offsets((0, 3), script))
    assert told.value.where == "events[0]@2"
    assert "edml topics seek --lost --group somebody" in str(told.value.todo)


@pytest.mark.parametrize("state", [{"_assigned": [PLACE]}, {"_member": False}, {}])
def test_what_is_fatal_is_heard_at_any_moment(state: Mapping[str, object]) -> None:
    """Between two assignments, outside of the group and in it: librdkafka says it once."""
    with closing(Scripted([said(FATAL)])) as scripted:
        vars(scripted).update(state)
        with pytest.raises(FencedError):
            scripted.read(at_most=1, wait_s=0)


def test_what_is_fatal_is_heard_while_records_are_read_again() -> None:
    """The group's news come first, and may be the last."""
    with pytest.raises(FencedError):
        list(offsets((0, 7), [said(FATAL)]))


def test_an_offset_that_is_not_told_is_asked_for_again(caplog: pytest.LogCaptureFixture) -> None:
    """A partition whose offset is being written has one: it is asked for again."""
    with closing(Scripted()) as scripted:
        consumer = scripted._consumer  # noqa: SLF001
        unstable = ck.KafkaError(ck.KafkaError.UNSTABLE_OFFSET_COMMIT)
        answer = SimpleNamespace(topic="events", partition=0, offset=-1001, error=unstable)
        told = vars(scripted)
        told["_consumer"] = SimpleNamespace(committed=lambda *_, **__: [answer])
        told["_assigned"] = [PLACE]
        assert scripted.read(at_most=1, wait_s=0) is None
        told["_consumer"] = consumer
    assert "Waiting for what is committed" in caplog.text


def test_who_has_read_on_after_the_end_is_not_caught_up() -> None:
    """More has come since, and more may be there."""
    with closing(Scripted([said(END, 5), record(5)], [said(END, 6)])) as scripted:
        readings = [scripted.read(at_most=10, wait_s=0) for _ in range(2)]
    assert [each.batch.caught_up for each in readings] == [frozenset(), {PLACE}]  # type: ignore[union-attr]
