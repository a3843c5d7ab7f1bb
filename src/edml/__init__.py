"""Event-driven machine learning on Apache Kafka.

What declares an application stands here: ``from edml import Application, EventStream, …``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edml.application import (
        Application,
        Category,
        Cross,
        Embedding,
        EventStream,
        Number,
        OutcomeStream,
        Past,
    )
    from edml.events import LocalTime

__version__ = "0.1.0"

__all__ = [
    "Application",
    "Category",
    "Cross",
    "Embedding",
    "EventStream",
    "LocalTime",
    "Number",
    "OutcomeStream",
    "Past",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: ``edml --help`` needs none of it."""
    if name not in __all__:
        raise AttributeError(f"module 'edml' has no attribute {name!r}")
    home = "edml.events" if name == "LocalTime" else "edml.application"
    return getattr(import_module(home), name)
