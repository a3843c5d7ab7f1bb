"""What a model is compared with, on the same rows and columns."""

from collections.abc import Callable
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.application import Application, Category, Cross
from edml.trainer.dataset import Examples

Numbers = NDArray[np.float64]

LIGHTGBM: Final = "lightgbm"
_ORDINAL_VALUES: Final = 32
"""Up to so many consecutive integers (hours, days) are steps of a scale, to trees."""
_ROUNDS: Final = 3000
_PATIENCE: Final = 50
_USUAL_ROUNDS: Final = 400


def mean(learned: Examples, tested: Examples) -> Numbers:
    """Predict the mean label, always."""
    return np.full(tested.rows, learned.labels.mean())


def cross_mean(cross: Cross, learned: Examples, tested: Examples) -> Numbers:
    """Predict the mean label of the same pair of values; of a pair never seen, the mean of all."""
    pair = [cross.first.name, cross.second.name]
    means = (
        learned.features.select(pair)
        .with_columns(label=learned.labels)
        .group_by(pair)
        .agg(pl.col("label").mean())
    )
    joined = tested.features.select(pair).join(means, on=pair, how="left", maintain_order="left")
    return joined["label"].fill_null(float(learned.labels.mean())).to_numpy()


def lightgbm(
    application: Application,
    learned: Examples,
    held_back: Examples,
    tested: Examples,
    *,
    seed: int,
    threads: int,
    tell: Callable[[float], None] = lambda done: None,
) -> Numbers:
    """Predict with gradient-boosted trees (https://lightgbm.readthedocs.io).

    They learn from the same rows and columns, and stop when the rows held back get no better. The
    parameters are the best of eight sets that were tried on taxi trips: categories as such or as
    numbers, 63 to 255 leaves, rates of 0.05 to 0.1, squared, logarithmic and Poisson loss.
    """
    import lightgbm as trees

    columns = list(application.columns)
    categorical = [
        name
        for name, column in application.columns.items()
        if isinstance(column, Category) and not _ordinal(column)
    ]
    parameters = {
        "objective": "regression",
        "learning_rate": 0.05,
        "num_leaves": 127,
        "min_data_in_leaf": 40,
        "feature_fraction": 0.9,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "num_threads": threads,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    dataset = trees.Dataset(
        _matrix(application, learned),
        learned.labels,
        feature_name=columns,
        categorical_feature=categorical,
    )
    booster = trees.train(
        parameters,
        dataset,
        _ROUNDS,
        valid_sets=[dataset.create_valid(_matrix(application, held_back), held_back.labels)],
        callbacks=[
            trees.early_stopping(_PATIENCE, verbose=False),
            lambda at: tell(at.iteration / _USUAL_ROUNDS),
        ],
    )
    return np.asarray(booster.predict(_matrix(application, tested)), dtype=np.float64)


def simple(application: Application) -> dict[str, Callable[[Examples, Examples], Numbers]]:
    """The baselines that take no training, by name: the mean, and that of each cross."""

    def of(cross: Cross) -> Callable[[Examples, Examples], Numbers]:
        return lambda learned, tested: cross_mean(cross, learned, tested)

    crosses = (column for column in application.wide if isinstance(column, Cross))
    return {"mean": mean} | {cross.name: of(cross) for cross in crosses}


def _ordinal(category: Category) -> bool:
    values = category.values
    return category.type == "int" and len(values) <= _ORDINAL_VALUES and _consecutive(values)


def _consecutive(values: object) -> bool:
    numbers = list(values) if isinstance(values, (list, tuple, range)) else []
    return all(later == earlier + 1 for earlier, later in zip(numbers, numbers[1:], strict=False))


def _matrix(application: Application, examples: Examples) -> NDArray[np.float64]:
    """The columns as numbers, side by side; what a vocabulary does not know is missing."""
    return (
        examples.features.select(
            pl.col(name).replace_strict(
                list(column.values), list(range(len(column.values))), default=None, return_dtype=pl.Float64
            )
            if isinstance(column, Category)
            else pl.col(name).cast(pl.Float64)
            for name, column in application.columns.items()
        )
        .to_numpy()
    )
