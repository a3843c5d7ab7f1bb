"""An ``edml`` that dies, or freezes, at a named moment of its Kafka clients.

``crashing.py <moment>[:<nth>[:freeze]] <arguments of edml…>``: only the process itself knows the
moment between two of its calls, so it is the process itself that sends the signal.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import confluent_kafka as ck

MOMENTS: Final = {
    "transaction begun": ("begin_transaction", "after"),
    "offsets sent": ("send_offsets_to_transaction", "after"),
    "outputs sent": ("commit_transaction", "before"),
    "commit asked": ("commit_transaction", "during"),
    "committed": ("commit_transaction", "after"),
    "partitions revoked": ("on_revoke", "in flight"),
    "partitions assigned": ("on_assign", "after"),
}
"""Moments by name: of which call, and on what side of it.

``in flight`` is before it, while a transaction is open: its outputs are on the log.
"""

DURING_S: Final = 0.001
FLUSH_S: Final = 10.0
IN_FLIGHT_S: Final = 0.2
"""A commit is under way for so long that it meets whatever the loop does next."""

BEGUN_S: Final = 2.0
"""Its outputs are on the log before that, if one has begun."""


class Moment:
    """Counts the calls of one name, and strikes at the nth."""

    def __init__(self, told: str) -> None:
        name, nth, how = (*told.split(":"), "1", "")[:3] if ":" in told else (told, "1", "")
        self.call, self.side = MOMENTS[name]
        self._left = int(nth)
        self._signal = signal.SIGSTOP if how == "freeze" else signal.SIGKILL
        self.in_flight = threading.Event()

    def around(self, name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        """Make a call, and strike if it is the one."""
        if name != self.call:
            return call(*arguments)
        if self.side == "in flight" and not self.in_flight.wait(BEGUN_S):
            return call(*arguments)
        self._left -= 1
        if self._left != 0:
            return call(*arguments)
        if self.side in ("before", "in flight"):
            self._strike()
        elif self.side == "during":
            threading.Timer(DURING_S, self._strike).start()
        answer = call(*arguments)
        if self.side == "after":
            self._strike()
        return answer

    def _strike(self) -> None:
        os.kill(os.getpid(), self._signal)


def crashing_producer(moment: Moment) -> type[ck.Producer]:
    """A producer whose transactions strike."""

    class Crashing(ck.Producer):
        def begin_transaction(self, *arguments: Any) -> Any:
            return moment.around("begin_transaction", super().begin_transaction, *arguments)

        def send_offsets_to_transaction(self, *arguments: Any) -> Any:
            send = super().send_offsets_to_transaction
            return moment.around("send_offsets_to_transaction", send, *arguments)

        def commit_transaction(self, *arguments: Any) -> Any:
            super().flush(FLUSH_S)  # the outputs are on the log, uncommitted
            if moment.side == "in flight":
                moment.in_flight.set()
                time.sleep(IN_FLIGHT_S)
                moment.in_flight.clear()
            return moment.around("commit_transaction", super().commit_transaction, *arguments)

    return Crashing


def crashing_consumer(moment: Moment) -> type[ck.Consumer]:
    """A consumer whose rebalances strike."""

    class Crashing(ck.Consumer):
        def subscribe(self, topics: list[str], **listeners: Any) -> None:  # type: ignore[override]
            wrapped = {
                name: _wrapped(moment, name, listener) for name, listener in listeners.items()
            }
            super().subscribe(topics, **wrapped)

    return Crashing


def _wrapped(moment: Moment, name: str, listener: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: moment.around(name, listener, *arguments)


def main() -> None:
    """Wire ``edml`` with clients that strike, and run it."""
    moment = Moment(sys.argv[1])
    ck.Producer = crashing_producer(moment)  # type: ignore[misc]
    ck.Consumer = crashing_consumer(moment)  # type: ignore[misc]
    from edml.cli.main import main
    from edml.runtime import runner

    if moment.side == "in flight":  # read on while a commit is under way, however small it is
        runner.Pace = partial(runner.Pace, overlap_from=1)  # type: ignore[misc, assignment]
    main(sys.argv[2:])


if __name__ == "__main__":
    main()
