"""Which events were answered, how often, and how fast. Pure: times come in with the records."""

from array import array
from typing import Final

import numpy as np

from edml.demo.figures import Latency

RECENT: Final = 1000
"""So many answers make the latency of the moment."""


class Answers:
    """Events by key, and the champion's answers to them, in whatever order they were seen."""

    def __init__(self) -> None:
        self.doubled = 0
        self._written_ms: dict[bytes, int] = {}
        self._arrived_ms: dict[bytes, float] = {}
        self._unanswered: set[bytes] = set()
        self._dead: set[bytes] = set()
        self._latencies_ms = array("d")

    def event(self, key: bytes, written_ms: int) -> None:
        """An event was written."""
        self._written_ms.setdefault(key, written_ms)
        if key in self._arrived_ms:
            self._measure(key)
        elif key not in self._dead:
            self._unanswered.add(key)

    def answer(self, key: bytes, arrived_ms: float) -> None:
        """The champion's answer was here."""
        if key in self._arrived_ms:
            self.doubled += 1
            return
        self._arrived_ms[key] = arrived_ms
        self._unanswered.discard(key)
        if key in self._written_ms:
            self._measure(key)

    def dead(self, key: bytes) -> None:
        """The event went to the dead letters: no answer is owed."""
        self._dead.add(key)
        self._unanswered.discard(key)

    @property
    def unanswered(self) -> int:
        """How many good events have no answer."""
        return len(self._unanswered)

    @property
    def latency(self) -> Latency | None:
        """The latency of all answers."""
        return _latency(self._latencies_ms)

    @property
    def recent_latency(self) -> Latency | None:
        """The latency of the last `RECENT` answers."""
        return _latency(self._latencies_ms[-RECENT:])

    def _measure(self, key: bytes) -> None:
        self._latencies_ms.append(self._arrived_ms[key] - self._written_ms[key])


def _latency(latencies_ms: "array[float]") -> Latency | None:
    if not latencies_ms:
        return None
    p50, p99 = np.percentile(np.array(latencies_ms), [50, 99])
    return Latency(float(p50), float(p99))
