"""Which events a model is tested on wherever it is loaded: usual ones, and the oddest there are."""

from typing import Any, Final

import polars as pl

from edml import features
from edml.application import Application, Category, dtypes_of
from edml.errors import FeatureError
from edml.trainer.dataset import Examples

USUAL: Final = 8
_BEYOND: Final = 1_000_000_007
"""An integer that no vocabulary is expected to hold."""


def choose(application: Application, examples: Examples) -> pl.DataFrame:
    """Some events, evenly spread in time, and odd ones made of the first of them.

    Odd is: the least and the greatest of each number; each field that may be null, null; and each
    category that an event carries itself, out of vocabulary.
    """
    step = max(1, examples.rows // USUAL)
    whole = examples.events.select(*dtypes_of(application.event.schema))
    events = whole.gather_every(step).head(USUAL)
    extremes = [
        whole[place]
        for name, column in application.columns.items()
        if not isinstance(column, Category)
        for place in (examples.features[name].arg_min(), examples.features[name].arg_max())
        if place is not None
    ]
    odd = [_usable(application, each) for each in _odd(application, events.head(1))]
    return pl.concat([events, *extremes, *odd])


def _odd(application: Application, event: pl.DataFrame) -> list[pl.DataFrame]:
    made = []
    for name, dtype in dtypes_of(application.event.schema).items():
        if name in {application.event.key, application.event.time}:
            continue
        made.append(event.with_columns(pl.lit(None, dtype).alias(name)))
        column = application.columns.get(name)
        if isinstance(column, Category):
            other: Any = _BEYOND if column.type == "int" else f"none of {name}"
            made.append(event.with_columns(pl.lit(other, dtype).alias(name)))
    return made


def _usable(application: Application, event: pl.DataFrame) -> pl.DataFrame:
    """The event, if its features can be given to a model; else none."""
    try:
        computed = features.compute(application, event)
    except FeatureError:
        return event.clear()
    return event.filter(features.missing(application, computed).is_null())
