"""Looks for the record that the log refuses.

A record that is too large, say, makes a whole transaction fail, its innocent neighbours with it,
and would again. So ever fewer records are taken at once, until the culprit stands alone: it is
rejected, and the others go on.
"""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from edml.errors import LogError
from edml.events import OFFSET, PARTITION, Batch, Rejected, TopicPartition


class Search:
    """How many records are taken at once, and which one is known to be refused."""

    def __init__(self, at_most: int) -> None:
        self.at_most = at_most
        self._largest = at_most
        self._culprit: Mapping[TopicPartition, int] | None = None
        self._cause = ""

    def refused(self, batch: Batch, cause: str) -> None:
        """Told that what came of a batch was refused.

        Raises `LogError` when it was not for a record of the batch: there is none, or it is
        rejected already. To try again would be to try for ever.
        """
        if batch.rows > 1:
            self.at_most = batch.rows // 2
        elif batch.rows and batch.positions != self._culprit:
            self._culprit, self._cause = batch.positions, cause
        else:
            raise LogError(
                f"the log refuses what is to be written, whatever is read: {cause}",
                where=", ".join(f"{each}@{end - 1}" for each, end in batch.positions.items()),
                todo="see that the topics that are written (the dead letters', too) take records "
                "of this size: `max.message.bytes` of the topic and of the client. Nothing is "
                "lost: started again, it goes on from here",
            )

    def accepted(self, batch: Batch) -> None:
        """Told that what came of a batch was accepted: take more again.

        Until then, a culprit stays one: its rejection may be aborted, too, and is tried again.
        """
        if batch.positions == self._culprit:
            self._culprit = None
        self.at_most = min(2 * self.at_most, self._largest)

    def sift(self, batch: Batch) -> tuple[Batch, tuple[Rejected, ...]]:
        """The batch without the culprit, and the culprit, if this is where it stands."""
        if self._culprit is None or batch.positions != self._culprit:
            return batch, ()
        cause = pl.lit(f"the log refuses what comes of it: {self._cause}").alias("cause")
        rejected = (
            Rejected(topic, frame.select(PARTITION, OFFSET, cause))
            for topic, frame in batch.frames.items()
        )
        return replace(batch, frames={}), tuple(rejected)
