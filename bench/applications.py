"""The taxi application under other names: the same trips, with topics and models of their own.

``edml serve --app bench.applications:onnx``, say.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, partial

from edml.application import Application
from edml.apps.taxi import TaxiTripPickup, taxi

FOR_EVER = timedelta(days=36_500)
"""Trips of years ago keep their times on the log, and are not deleted for their age."""


@dataclass(frozen=True)
class WidePickup(TaxiTripPickup):
    """A pick-up with a text beside it that no feature needs."""

    note: str = ""


def called(name: str, *, events: str = "", outcomes: str = "") -> Application:
    """The taxi application by another name, and from other topics where they are named."""
    return replace(
        taxi,
        name=name,
        event=replace(taxi.event, topic=events or taxi.event.topic),
        outcome=replace(taxi.outcome, topic=outcomes or taxi.outcome.topic),
        retention=FOR_EVER,
    )


def wide(name: str) -> Application:
    """The taxi application with wide events."""
    application = called(name, events=f"{name}.pickups")
    return replace(application, event=replace(application.event, schema=WidePickup))


_DECLARED: dict[str, Callable[[], Application]] = {
    # Serving and scoring, beside their peers.
    "onnx": partial(called, "bench-onnx"),
    "savedmodel": partial(called, "bench-savedmodel"),
    "scoring": partial(called, "bench-scoring"),
    # A flow of events: latency, swaps and crashes.
    "live": partial(called, "bench-live", events="bench-live.pickups"),
    "swap_onnx": partial(called, "bench-swap-onnx", events="bench-live.pickups"),
    "swap_savedmodel": partial(called, "bench-swap-savedmodel", events="bench-live.pickups"),
    "recovering": partial(called, "bench-recovering", outcomes="bench-recovering.dropoffs"),
    # What grows: models, partitions, the width of an event, the records that wait for an outcome.
    "shadowed": partial(called, "bench-shadowed"),
    "partitions_1": partial(
        called, "bench-1", events="bench-1.pickups", outcomes="bench-1.dropoffs"
    ),
    "partitions_16": partial(
        called, "bench-16", events="bench-16.pickups", outcomes="bench-16.dropoffs"
    ),
    "wide_100": partial(wide, "bench-wide-100"),
    "wide_1000": partial(wide, "bench-wide-1000"),
    "squeezed_1": partial(called, "bench-squeezed-1", outcomes="bench-squeezed-1.dropoffs"),
    "squeezed_30": partial(called, "bench-squeezed-30", outcomes="bench-squeezed-30.dropoffs"),
    "squeezed_720": partial(called, "bench-squeezed-720", outcomes="bench-squeezed-720.dropoffs"),
}


def __getattr__(name: str) -> Application:
    """The application of this name, made when it is asked for: a command needs one of them only."""
    if name not in _DECLARED:
        raise AttributeError(name)
    return _made(name)


@cache
def _made(name: str) -> Application:
    return _DECLARED[name]()
