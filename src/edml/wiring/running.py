"""How a component runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edml.component import Step
from edml.events import Batch
from edml.kafka.log import Guarantee
from edml.runtime.runner import Pace


@dataclass(frozen=True)
class Running:
    """How a component runs: its guarantee, its pace, and who watches it."""

    guarantee: Guarantee = "exactly_once"
    pace: Pace = field(default_factory=Pace)
    watch: Callable[[Batch, Step[Any]], None] | None = None
