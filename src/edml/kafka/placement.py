"""Which records lie in the partition of their key: a producer that hashes otherwise parts them."""

from dataclasses import dataclass

import numpy as np

from edml.events import TopicPartition
from edml.kafka.partition import partitions
from edml.kafka.spans import Client, span
from edml.kafka.tail import as_bytes, messages


@dataclass(frozen=True)
class Placement:
    """The records of a topic: how many have a key, how many of these lie in a wrong partition.

    ``example`` is the place of one of these.
    """

    topic: str
    partitions: int
    keyed: int
    misplaced: int
    example: str | None = None


def placement(client: Client, topic: str, *, last: int | None = None) -> Placement:
    """Check the partitions of a topic's keys: of all its records, or of the last of each partition.

    Raises `TopicError` when there is no such topic, and `LogError` when the log does not answer.
    """
    count = len(span(client, topic).end)
    keyed = misplaced = 0
    example = None
    for batch in messages(client, topic, last=last):
        with_key = [each for each in batch if each.key() is not None]
        keys = [as_bytes(each.key()) for each in with_key]
        found = np.array([each.partition() for each in with_key], np.int32)
        wrong = np.flatnonzero(partitions(keys, count) != found)
        keyed += len(with_key)
        misplaced += len(wrong)
        if len(wrong) and example is None:
            first = with_key[wrong[0]]
            example = f"{TopicPartition(topic, first.partition())}@{first.offset()}"
    return Placement(topic, count, keyed, misplaced, example)
