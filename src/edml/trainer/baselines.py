"""What a model is compared with, on the same rows and columns."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.application import Application, Category, Cross
from edml.trainer.dataset import Examples

Numbers = NDArray[np.float64]

LIGHTGBM: Final = "lightgbm"
PARAMETERS: Final = {
    "objective": "regression",
    "learning_rate": 0.05,
    "num_leaves": 127,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.9,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
"""The best of ten sets that were tried on taxi trips held back: 63 to 255 leaves, rates of 0.05 to
0.1, squared, logarithmic and Poisson loss, hours and days as numbers or as categories."""

_ORDINAL_VALUES: Final = 32
"""Up to so many consecutive integers (hours, days) are steps of a scale, to trees."""
_ROUNDS: Final = 3000
_USUAL_ROUNDS: Final = 400
_PATIENCE: Final = 50


def mean(learned: Examples, tested: Examples) -> Numbers:
    """Predict the mean label, always."""
    return np.full(tested.rows, learned.labels.mean())


def cross_mean(cross: Cross, learned: Examples, tested: Examples) -> Numbers:
    """Predict the mean label of the same pair of values; of a pair never seen, the mean of all."""
    pair = list(dict.fromkeys([cross.first.name, cross.second.name]))
    means = (
        learned.features.select(pair)
        .with_columns(_mean=learned.labels)
        .group_by(pair)
        .agg(pl.col("_mean").mean())
    )
    joined = tested.features.select(pair).join(means, on=pair, how="left", maintain_order="left")
    return joined["_mean"].fill_null(float(learned.labels.mean())).to_numpy()


def simple(application: Application, learned: Examples, tested: Examples) -> dict[str, Numbers]:
    """The baselines that take no training, by name: the mean, and that of each cross."""
    crosses = {
        column.name: cross_mean(column, learned, tested)
        for column in application.wide
        if isinstance(column, Cross)
    }
    return {"mean": mean(learned, tested), **crosses}


@dataclass(frozen=True, kw_only=True)
class LightGbm:
    """Gradient-boosted trees (https://lightgbm.readthedocs.io) on the application's columns."""

    application: Application
    seed: int
    threads: int

    def predict(
        self,
        learned: Examples,
        held_back: Examples,
        tested: Examples,
        tell: Callable[[float], None],
    ) -> Numbers:
        """Learn, stop when the rows held back get no better, and predict the tested ones."""
        # Threads that wait must not burn what others on this machine need.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        import lightgbm

        dataset = lightgbm.Dataset(
            matrix(self.application, learned),
            learned.labels,
            feature_name=list(self.application.columns),
            categorical_feature=unordered(self.application),
        )
        stop = lightgbm.early_stopping(_PATIENCE, verbose=False)

        def told(state: Any) -> None:
            tell(state.iteration / _USUAL_ROUNDS)

        booster = lightgbm.train(
            {**PARAMETERS, "seed": self.seed, "num_threads": self.threads},
            dataset,
            _ROUNDS,
            valid_sets=[
                dataset.create_valid(matrix(self.application, held_back), held_back.labels)
            ],
            callbacks=[stop, told],
        )
        return np.asarray(booster.predict(matrix(self.application, tested)), dtype=np.float64)


def matrix(application: Application, examples: Examples) -> Numbers:
    """The columns as numbers, side by side; what a vocabulary does not know is missing."""
    return examples.features.select(
        _places(column) if isinstance(column, Category) else pl.col(name).cast(pl.Float64)
        for name, column in application.columns.items()
    ).to_numpy()


def unordered(application: Application) -> list[str]:
    """The columns whose numbers only name a category: there is no scale to split."""
    return [
        name
        for name, column in application.columns.items()
        if isinstance(column, Category) and not _ordinal(column)
    ]


def _places(category: Category) -> pl.Expr:
    values = list(category.values)
    return pl.col(category.name).replace_strict(
        values, list(range(len(values))), default=None, return_dtype=pl.Float64
    )


def _ordinal(category: Category) -> bool:
    """Whether the values are a short scale of integers."""
    values = [value for value in category.values if isinstance(value, int)]
    return 0 < len(values) <= _ORDINAL_VALUES and all(
        later == earlier + 1 for earlier, later in pairwise(values)
    )
