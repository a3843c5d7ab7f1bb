"""Gradient-boosted trees that learn as `edml.trainer.choosing` asks them to.

From nothing, they are like `baselines.LightGbm`. A correction of a model is small, as there may be
some hundred rows of a new time only, and it is the mean of two kinds of change. One adds: trees on
the columns and on what the model predicts. The other one multiplies: trees that start from the
logarithm of the prediction, brought to the right height. If all trips take a third less time, the
second knows it from a handful; what does not scale, the first one finds.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edml.application import Application
from edml.errors import TrainingError
from edml.trainer.baselines import PARAMETERS, Numbers, matrix, unordered
from edml.trainer.dataset import Examples

FROM_NOTHING: Final = {"learning_rate": 0.08, "num_leaves": 63}
"""In half the time of the baseline's, and 0.3% worse."""

ADDING: Final = {
    "num_leaves": 7,
    "min_data_in_leaf": 30,
    "feature_fraction": 0.5,
    "num_iterations": 120,
}
MULTIPLYING: Final = {
    "objective": "poisson",
    "num_leaves": 15,
    "min_data_in_leaf": 30,
    "num_iterations": 120,
}
_MOST_ROUNDS: Final = 400
_PATIENCE: Final = 50
_HELD_BACK: Final = 10
"""Of so many rows, one tells when to stop: of every season, not of the last days alone."""

_PREDICTED: Final = "_predicted"


@dataclass(frozen=True)
class Grown:
    """Trees that have grown from nothing."""

    predict: Callable[[Examples], Numbers]

    def __call__(self, examples: Examples) -> Numbers:
        """Their predictions."""
        return self.predict(examples)


@dataclass(frozen=True)
class Corrected:
    """A model with the correction that was learnt for it."""

    model: Grown
    correction: Callable[[Examples, Numbers], Numbers]

    def __call__(self, examples: Examples) -> Numbers:
        """The corrected predictions."""
        return self.correction(examples, self.model(examples))


Trees = Grown | Corrected
"""What has been learnt."""


@dataclass(frozen=True, kw_only=True)
class TreesLearner:
    """Learns trees for the application's columns, with so many threads."""

    application: Application
    seed: int = 20191128
    threads: int = 1

    def fit(self, examples: Examples, weights: Numbers, start: Trees | None) -> Trees:
        """Learn from weighted rows: from nothing, or how to correct ``start``.

        What was corrected before is corrected anew: corrections do not pile up, and none learns
        from predictions for rows that the one before it has learnt by heart.

        Raises:
            TrainingError: LightGBM cannot learn from these rows.
        """
        # Threads that wait must not burn what others on this machine need.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        import lightgbm

        model = start.model if isinstance(start, Corrected) else start
        try:
            if model is None:
                return self._from_nothing(examples, weights)
            return Corrected(model, self._correction(examples, weights, model(examples)))
        except lightgbm.basic.LightGBMError as error:
            raise TrainingError(f"LightGBM cannot learn from these rows: {error}") from error

    def _from_nothing(self, examples: Examples, weights: Numbers) -> Grown:
        import lightgbm

        stops = np.arange(examples.rows) % _HELD_BACK == _HELD_BACK // 2
        columns = matrix(self.application, examples)
        dataset = self._dataset(columns[~stops], examples.labels[~stops], weights[~stops])
        valid = dataset.create_valid(columns[stops], examples.labels[stops], weights[stops])
        booster = lightgbm.train(
            self._parameters(FROM_NOTHING),
            dataset,
            _MOST_ROUNDS,
            valid_sets=[valid],
            callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
        )
        return Grown(lambda tested: self._predict(booster, matrix(self.application, tested)))

    def _correction(
        self, examples: Examples, weights: Numbers, predicted: Numbers
    ) -> Callable[[Examples, Numbers], Numbers]:
        adding = self._adding(examples, weights, predicted)
        if min(predicted.min(), examples.labels.min()) <= 0:
            return adding
        multiplying = self._multiplying(examples, weights, predicted)
        return lambda tested, before: (adding(tested, before) + multiplying(tested, before)) / 2

    def _adding(
        self, examples: Examples, weights: Numbers, predicted: Numbers
    ) -> Callable[[Examples, Numbers], Numbers]:
        import lightgbm

        dataset = self._dataset(self._beside(examples, predicted), examples.labels, weights)
        booster = lightgbm.train(self._parameters(ADDING), dataset)
        return lambda tested, before: self._predict(booster, self._beside(tested, before))

    def _multiplying(
        self, examples: Examples, weights: Numbers, predicted: Numbers
    ) -> Callable[[Examples, Numbers], Numbers]:
        import lightgbm

        height = float(weights @ examples.labels / (weights @ predicted))
        dataset = self._dataset(
            self._beside(examples, predicted),
            examples.labels,
            weights,
            init_score=np.log(height * predicted),
        )
        booster = lightgbm.train(self._parameters(MULTIPLYING), dataset)

        def corrected(tested: Examples, before: Numbers) -> Numbers:
            change = self._predict(booster, self._beside(tested, before), raw_score=True)
            return np.asarray(height * before * np.exp(change))

        return corrected

    def _beside(self, examples: Examples, predicted: Numbers) -> Numbers:
        return np.column_stack([matrix(self.application, examples), predicted])

    def _predict(self, booster: Any, columns: Numbers, **more: Any) -> Numbers:
        found = booster.predict(columns, num_threads=self.threads, **more)
        return np.asarray(found, dtype=np.float64)

    def _dataset(self, columns: Numbers, labels: Numbers, weights: Numbers, **more: Any) -> Any:
        import lightgbm

        names = [*self.application.columns, _PREDICTED][: columns.shape[1]]
        return lightgbm.Dataset(
            columns,
            labels,
            weight=weights,
            feature_name=names,
            categorical_feature=unordered(self.application),
            **more,
        )

    def _parameters(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **PARAMETERS,
            **changes,
            "seed": self.seed,
            "num_threads": self.threads,
        }
