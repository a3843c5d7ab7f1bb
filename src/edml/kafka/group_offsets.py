"""Where a consumer group is, and how it is put elsewhere: never while it reads."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient, OffsetSpec

from edml.errors import LogError, UsageError
from edml.events import TopicPartition
from edml.kafka.committed import as_committed, as_offsets, told
from edml.kafka.spans import QUIET, TIMEOUT_S, Client, Offsets, asking, listed, span, spans
from edml.runtime.log import Committed

To = Literal["earliest", "latest"] | datetime


@dataclass(frozen=True)
class Moved:
    """A partition, the offset where the group was (None: nowhere), and where it is now."""

    partition: TopicPartition
    before: int | None
    after: int


def groups(client: Client) -> list[str]:
    """The consumer groups that the log knows."""
    with asking(client) as admin:
        found = admin.list_consumer_groups(request_timeout=TIMEOUT_S).result().valid
    return sorted(each.group_id for each in found)


def committed(client: Client, group: str) -> dict[TopicPartition, int]:
    """The offset that a group has committed of each partition."""
    with asking(client) as admin:
        return _committed(admin, group)


def places(client: Client, group: str, topics: Iterable[str]) -> dict[TopicPartition, int]:
    """The offset that a group has committed of each partition of some topics, where it has one."""
    return {each: place.offset for each, place in _noted(client, group, topics).items()}


def _noted(client: Client, group: str, topics: Iterable[str]) -> dict[TopicPartition, Committed]:
    """The same with what is noted beside it.

    Asked as a member would: librdkafka's own admin call ends the whole process when the group's
    coordinator is not there yet (a null pointer in ``rd_kafka_handle_OffsetFetch``).
    """
    asked = [
        TopicPartition(topic, number)
        for topic, found in spans(client, topics).items()
        for number in found.end
    ]
    member = {"log_level": QUIET, **client, "group.id": group}
    answers = told(member, asked, within_s=TIMEOUT_S)
    _check(
        answers,
        f"the offset of {group} cannot be read",
        todo="try again: its coordinator may have been busy with it",
    )
    return {
        TopicPartition(each.topic, each.partition): _place(each)
        for each in answers
        if each.offset >= 0
    }


def _place(answer: Place) -> Committed:
    try:
        return as_committed(answer.offset, answer.metadata)
    except ValueError:  # it is the group of another client, which has words of its own
        return Committed(answer.offset, answer.offset, {})


def seek(
    client: Client, group: str, topics: Iterable[str], to: To, *, lost: bool = False
) -> tuple[Moved, ...]:
    """Have a group go on elsewhere on all partitions of some topics, or on those that it has lost.

    ``earliest`` and ``latest`` are the first offset that there is and the one after the last; a
    time stands for the first record whose timestamp is not before it. What the group had noted
    beside its offsets is let go. A partition is ``lost`` when the group has no place there, or one
    that is no longer on the log. Where only what it has to read again is gone, it stays where it
    is, and does without. Raises `UsageError` while the group has members, and `LogError`
    when the log refuses.
    """
    names = tuple(topics)
    before = _noted(client, group, names)
    after = {
        each: Committed(offset, offset, {})
        for topic in names
        for each, offset in _offsets(client, topic, to)
    }
    with asking(client) as admin:
        _refuse_members(admin, group)
        if lost:
            after = dict(_found_again(client, names, before, after))
        if not after:
            return ()
        asked = ConsumerGroupTopicPartitions(group, as_offsets(after))
        (answer,) = admin.alter_consumer_group_offsets([asked], request_timeout=TIMEOUT_S).values()
        _check(
            answer.result().topic_partitions or [],
            f"the offset of {group} cannot be set",
            todo="see that nothing reads as this group, and that you may set its offsets",
        )
    return tuple(
        Moved(each, before[each].offset if each in before else None, place.offset)
        for each, place in after.items()
    )


def _found_again(
    client: Client,
    topics: Iterable[str],
    before: Mapping[TopicPartition, Committed],
    after: Mapping[TopicPartition, Committed],
) -> Iterator[tuple[TopicPartition, Committed]]:
    """Where a group goes on that has lost its place, or something that it has to read again."""
    for topic in topics:
        on_log = span(client, topic)
        for number, first in on_log.first.items():
            partition = TopicPartition(topic, number)
            place = before.get(partition)
            if place is None or not first <= place.offset <= on_log.end[number]:
                yield partition, after[partition]
            elif place.rewind < first:
                yield partition, replace(place, rewind=first)


def _check(answers: Iterable[Place], what: str, *, todo: str) -> None:
    for each in answers:
        if each.error is not None:
            raise LogError(
                f"{what}: {each.error.str()}",
                where=str(TopicPartition(each.topic, each.partition)),
                todo=todo,
            )


def _refuse_members(admin: AdminClient, group: str) -> None:
    (answer,) = admin.describe_consumer_groups([group], request_timeout=TIMEOUT_S).values()
    try:
        found = answer.result().members
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return
        raise
    members = sorted(each.group_instance_id or each.client_id for each in found)
    if members:
        raise UsageError(
            f"{group} has members, which would go on from where they are: {', '.join(members)}",
            where=group,
            todo="stop them and try again; one that has just ended is let go of after its "
            "session's 10 s",
        )


def _committed(admin: AdminClient, group: str) -> dict[TopicPartition, int]:
    (answer,) = admin.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group)], request_timeout=TIMEOUT_S
    ).values()
    found = answer.result().topic_partitions or []
    return {TopicPartition(each.topic, each.partition): each.offset for each in found}


def _offsets(client: Client, topic: str, to: To) -> list[tuple[TopicPartition, int]]:
    found = span(client, topic)
    offsets = found.first if to == "earliest" else found.end
    if isinstance(to, datetime):
        offsets = _since(client, topic, offsets, to)
    return [(TopicPartition(topic, number), offset) for number, offset in offsets.items()]


def _since(client: Client, topic: str, end: Offsets, time: datetime) -> Offsets:
    """The first offset of each partition that is not older; its end, where all are older."""
    places = [Place(topic, number) for number in end]
    with asking(client) as admin:
        found = listed(admin, places, OffsetSpec.for_timestamp(int(time.timestamp() * 1000)))
    return {
        number: stop if found[topic][number] < 0 else found[topic][number]
        for number, stop in end.items()
    }
