"""What the coordinator has written down about transactions.

It keeps its state on a topic of its own, whose records begin with what is read here (Kafka's
``TransactionLogKey`` and ``TransactionLogValue``, of any version).
"""

import struct
from collections import Counter
from typing import Final

from tests.broker.city import City

TOPIC: Final = "__transaction_state"
COMMITTED: Final = 4
ABORTED: Final = 5
BEFORE_THE_STATE: Final = struct.Struct(">hq")
"""Version and producer id; in version 1 tagged fields stand at the end alone."""


def ended(city: City) -> Counter[int]:
    """How many transactions of the city's instances were committed, and how many aborted."""
    states: Counter[int] = Counter()
    for message in city.read(TOPIC):
        key, value = message.key() or b"", message.value()
        if value is not None and city.app.topic_prefix.encode() in key:
            states[_state(value)] += 1
    return states


def _state(value: bytes) -> int:
    """The state, behind version, producer id, epoch and timeout."""
    _version, _id, _epoch, _timeout, state = struct.unpack_from(">hqhib", value)
    return int(state)
