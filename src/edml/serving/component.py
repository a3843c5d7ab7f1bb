"""Serving as a component: its only state is which models serve, and that comes from the log."""

from collections.abc import Mapping
from datetime import datetime

from edml.application import Application
from edml.component import Step
from edml.events import Batch
from edml.serving.predict import Predict
from edml.serving.served import Models


class Serving:
    """Predicts every event with the models that serve when its batch begins."""

    name = "serve"

    def __init__(self, application: Application, models: Models) -> None:
        self._predict = Predict(application)
        self._models = models

    def initial(self) -> None:
        """Nothing is remembered from one event to the next."""

    def step(self, state: None, batch: Batch, now: datetime) -> Step[None]:
        """One event, one prediction of each model."""
        return Step(state, self._predict(self._models.current(), batch, now))

    def keep(self, state: None, partitions: frozenset[int]) -> None:
        """Nothing to keep."""

    def restore(self, state: None, partition: int, note: Mapping[str, int]) -> None:
        """Nothing to restore."""

    def settle(self, state: None) -> None:
        """Nothing to settle."""
