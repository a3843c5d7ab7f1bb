"""The topic of predictions as counts by block: what shows before outcomes arrive.

It is counted in memory, and counted again from what is still on the log after a restart. So much is
forgotten; less evidence is only less power.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from edml.application import EVENT_TIME, Application
from edml.models.evidence import Alarm
from edml.monitoring import inputs
from edml.monitoring.blocks import START
from edml.monitoring.inputs import TALLY, Bins, added_up, tally

REMEMBERED: Final = 120
"""How many blocks are kept."""


class PredictionsTable:
    """Takes predictions as they are read from ``partitions`` partitions, and counts them."""

    def __init__(self, application: Application, *, partitions: int) -> None:
        self._application = application
        self._counted = pl.DataFrame(schema=TALLY)
        self._latest: dict[int, datetime | None] = dict.fromkeys(range(partitions))
        self._at_end: set[int] = set()

    @property
    def blocks(self) -> int:
        """How many blocks are known of."""
        return self._counted[START].n_unique()

    def take(self, predictions: pl.DataFrame, partition: int, bins: Mapping[str, Bins]) -> None:
        """Count predictions of the versions that have bins."""
        latest = predictions[EVENT_TIME].max()
        if not isinstance(latest, datetime):
            return
        before = self._latest[partition]
        self._latest[partition] = latest if before is None else max(before, latest)
        self._at_end.discard(partition)
        more = tally(predictions, bins, self._application)
        counted = added_up(self._counted, more)
        oldest = counted[START].unique().sort().tail(REMEMBERED)
        self._counted = counted.filter(pl.col(START).is_in(oldest.implode()))

    def ended(self, partition: int) -> None:
        """Told that a partition is read to its end."""
        self._at_end.add(partition)

    def complete_until(self, watermark: datetime) -> datetime | None:
        """The time before which no prediction is to come any more, or only late ones.

        A partition that is read to its end, and silent, is as far as the scores' ``watermark``.
        """
        reached: list[datetime] = []
        for partition, latest in self._latest.items():
            told = None if latest is None else latest - self._application.lateness
            if partition in self._at_end:
                told = watermark if told is None else max(told, watermark)
            if told is None:
                return None
            reached.append(told)
        return min(reached)

    def alarms(self, version: str, bins: Bins, watermark: datetime) -> Sequence[Alarm]:
        """Each time that drift of a version's inputs or predictions was found."""
        until = self.complete_until(watermark)
        if until is None:
            return []
        block: timedelta = self._application.policy.block
        whole = self._counted.filter(pl.col(START) + pl.lit(block) <= pl.lit(until))
        return inputs.alarms(whole, {version: bins}, self._application.policy)
