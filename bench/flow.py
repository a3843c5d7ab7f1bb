"""A steady flow of events through a peer, and when each of them came out again.

Latency counts from the moment at which an event was *due*, so a peer that stalls is charged for
every event that it kept waiting (no coordinated omission).
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench import applications
from bench.peers.peer import Guarantee, Peer, Work
from bench.processes import Child, running
from bench.scene import Scene
from bench.world import Writer
from edml.application import Application
from edml.errors import EdmlError

READY_S = 90.0
POLL_S = 0.05
LATE_S = 15.0


@dataclass(frozen=True)
class Flow:
    """So many events a second, for so long."""

    rate: int
    seconds: float

    @property
    def events(self) -> int:
        """How many events that are."""
        return int(self.rate * self.seconds)


@dataclass(frozen=True)
class Arrivals:
    """When each event was due and when its output arrived: seconds since the first was due.

    What never arrived is not a number. ``repeated`` counts outputs that came again, and
    ``behind_s`` is by how much the sender was late at worst.
    """

    due: NDArray[np.float64]
    arrived: NDArray[np.float64]
    repeated: int
    behind_s: float

    @property
    def lost(self) -> int:
        """How many events have no output."""
        return int(np.isnan(self.arrived).sum())

    def latency_s(self, since: float = 0.0, until: float = np.inf) -> NDArray[np.float64]:
        """The latencies of the events that were due in a span."""
        within = (self.due >= since) & (self.due < until) & ~np.isnan(self.arrived)
        found: NDArray[np.float64] = (self.arrived - self.due)[within]
        return found


class Live:
    """The events of a flow, encoded once; and the topic that they are sent to."""

    def __init__(self, scene: Scene, application: Application = applications.live) -> None:
        self.scene = scene
        self.application = application
        self.topic = application.event.topic
        # By the same schema as the backlog's events, whose id the peers know.
        encoder = Writer.of_events(scene.stage, scene.registry, applications.onnx).encoder
        self._writer = Writer(scene.stage, self.topic, encoder)
        scene.stage.create(self.topic)

    def records(self, count: int) -> Path:
        """A file with the first ``count`` trips as keys and values."""
        path = self.scene.stage.folder / f"live-{count}.parquet"
        encoded = self._writer.encoder.encode(self.scene.trips.head(count))
        frame = pl.DataFrame(encoded, schema={"key": pl.String, "value": pl.Binary})
        frame.with_columns(pl.col("key").cast(pl.Binary)).write_parquet(path)
        return path

    @contextmanager
    def started(self, peer: Peer, guarantee: Guarantee) -> Iterator[Child]:
        """A peer that reads the topic, and has warmed up on a backlog."""
        stage = self.scene.stage
        stage.create(peer.output)
        stage.truncate(self.topic)
        peer.prepare(stage)
        before = stage.end(peer.output)
        serial = f"{peer.name}-{guarantee}-{time.time_ns()}"
        work = Work(guarantee, serial, self.topic, peer.output, stage.folder / "state")
        burst = self.scene.trips.tail(self.scene.plan.burst)
        self._writer.write(burst)
        with running(peer.command(work), stage.folder / "logs" / f"{serial}.log") as child:
            until = time.monotonic() + READY_S
            while stage.end(peer.output) < before + burst.height:
                child.check()
                if time.monotonic() > until:
                    raise EdmlError(f"{peer.name} does not answer within {READY_S:.0f} s")
                time.sleep(POLL_S)
            yield child

    @contextmanager
    def sent(self, flow: Flow, output: str, *, marker: str = "") -> "Iterator[Sending]":
        """The flow, being sent while the context lasts, and received.

        With a ``marker`` only outputs count that hold it.
        """
        stage = self.scene.stage
        records, times = self.records(flow.events), stage.folder / "times.npz"
        times.unlink(missing_ok=True)
        told = {
            "bootstrap": stage.log.bootstrap_servers,
            "records": str(records),
            "count": str(flow.events),
        }
        ends = json.dumps(stage.ends(output))
        python = self.scene.tools.python
        receiver = python(
            "bench.programs.receiver",
            {**told, "topic": output, "ends": ends, "times": str(times), "marker": marker},
        )
        logs = stage.folder / "logs"
        with running(receiver, logs / "receiver.log") as receiving:
            receiving.wait_until_it_says("ready")
            sender = python(
                "bench.programs.sender", {**told, "topic": self.topic, "rate": str(flow.rate)}
            )
            with running(sender, logs / "sender.log") as sending:
                start = float(sending.wait_until_it_says("start"))
                yield Sending(flow, start, sending, receiving, times)


@dataclass(frozen=True)
class Sending:
    """A flow under way."""

    flow: Flow
    start: float
    sender: Child
    receiver: Child
    times: Path

    @property
    def until(self) -> float:
        """When the last event is due, by the monotonic clock."""
        return self.start + self.flow.seconds

    def finished(self) -> Arrivals:
        """Wait for the last event, and for its output; what is not there in time is lost."""
        if not self.receiver.ended_within(self.until + LATE_S - time.monotonic()):
            self.receiver.stop()
        behind_s = float(self.sender.wait_until_it_says("behind"))
        with np.load(self.times) as noted:
            arrived, received = noted["arrived"], int(noted["received"])
        due = np.arange(self.flow.events) / self.flow.rate
        repeated = received - int(np.count_nonzero(~np.isnan(arrived)))
        return Arrivals(due, arrived - self.start, repeated, behind_s)
