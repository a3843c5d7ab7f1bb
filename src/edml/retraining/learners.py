"""Who learns for a retraining: the wide & deep network, and a quicker stand-in that looks ahead.

To train a network for each recipe would take hours. So trees learn by all of them, which takes
seconds; the best recipe is then taken by the network itself, which has to stand up to the champion
on its own. A correction of the champion is solved in closed form: nobody need stand in for it.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edml.application import Application
from edml.errors import TrainingError
from edml.models.quiet_tensorflow import import_tensorflow
from edml.trainer import tables
from edml.trainer.correction import corrected
from edml.trainer.dataset import Examples
from edml.trainer.folded import Folded
from edml.trainer.hyperparameters import Hyperparameters
from edml.trainer.trees import TreesLearner

logger = logging.getLogger(__name__)

Numbers = NDArray[np.float64]

EVERY: Final = 10
"""One row in so many is held back from a network, to tell its best epoch."""

Tell = Callable[[str, float], None]
"""Told what is being done, in a few words, and which share of that is done."""


@dataclass(frozen=True)
class Network:
    """A network that was learnt, as its tables."""

    tables: Folded

    def __call__(self, examples: Examples) -> Numbers:
        """The predictions for some rows."""
        return tables.answers(self.tables, examples.features)


@dataclass(frozen=True)
class Budget:
    """Until when there is time, by ``time.monotonic``."""

    until: float

    @classmethod
    def of(cls, time_s: float) -> "Budget":
        """So many seconds from now on."""
        return cls(time.monotonic() + time_s)

    def share(self, part: float) -> "Budget":
        """A part of what is left."""
        now = time.monotonic()
        return Budget(now + (self.until - now) * part)

    @property
    def spent(self) -> bool:
        """Whether there is no time left."""
        return time.monotonic() > self.until


Model = Callable[[Examples], Numbers]


@dataclass(frozen=True, kw_only=True)
class Scout:
    """Tries what a recipe is worth: by trees, or by the very correction of the champion."""

    application: Application
    budget: Budget
    threads: int

    def fit(self, examples: Examples, weights: Numbers, start: Model | None) -> Model:
        """Learn from weighted rows; raises `TrainingError` when the time for trying is over.

        To correct takes next to none.
        """
        if isinstance(start, Network):
            return Network(corrected(start.tables, examples, weights))
        if self.budget.spent:
            raise TrainingError("no time was left to try it")
        trees = TreesLearner(application=self.application, threads=self.threads)
        return trees.fit(examples, weights, None)


@dataclass(frozen=True, kw_only=True)
class WideAndDeep:
    """Learns the network that is published, in a folder where it can go on when it was killed."""

    application: Application
    parameters: Hyperparameters
    folder: Path
    budget: Budget
    threads: int
    tell: Tell

    def fit(self, examples: Examples, weights: Numbers, start: Network | None) -> Network:
        """Learn from weighted rows, from nothing; or correct ``start`` by them."""
        if start is not None:
            return Network(corrected(start.tables, examples, weights))
        folder = self.folder / examples.weighted(weights).digest
        done = folder / "network.npz"
        made = tables.unpacked(self.application, done.read_bytes()) if done.is_file() else None
        if made is None:
            made = self._learnt(examples.weighted(weights), folder)
            done.write_bytes(tables.packed(made))
        return Network(made)

    def _learnt(self, examples: Examples, folder: Path) -> Folded:
        """The network of some rows; TensorFlow is imported from here on."""
        import_tensorflow()
        from edml.trainer import model

        model.use_threads(self.threads)
        what = f"learning from {examples.rows:,} rows"
        budget = self.budget.share(0.5)  # as much again is left to who comes next

        def told(done: float, rmse: float) -> None:
            self.tell(f"{what}, RMSE {rmse:.2f} on those held back", done)

        self.tell(what, 0)
        return model.train_and_evaluate(
            self.application,
            examples.spread(EVERY),
            self.parameters,
            folder,
            told,
            enough=lambda: budget.spent,
        )
