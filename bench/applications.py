"""The taxi application under other names: the same trips, with topics and models of their own.

``edml serve --app bench.applications:onnx``, say.
"""

from dataclasses import replace

from edml.application import Application
from edml.apps.taxi import taxi


def called(name: str, *, events: str = "", outcomes: str = "") -> Application:
    """The taxi application by another name, and from other topics where they are named."""
    return replace(
        taxi,
        name=name,
        event=replace(taxi.event, topic=events or taxi.event.topic),
        outcome=replace(taxi.outcome, topic=outcomes or taxi.outcome.topic),
    )


onnx = called("bench-onnx")
savedmodel = called("bench-savedmodel")
scoring = called("bench-scoring")
live = called("bench-live", events="bench-live.pickups")
