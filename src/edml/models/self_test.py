"""A model's self-test: events whose features and predictions must come out as they once did."""

import json
from collections.abc import Sequence
from math import isclose
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml import features
from edml.application import Application, dtypes_of
from edml.errors import DataError, EdmlError, ModelRefusedError
from edml.models import event_json
from edml.models.binding import beside, bind
from edml.models.flavour import Predictor
from edml.models.records import SelfTestRow

TOLERANCE: Final = 1e-4
"""How far a prediction may lie from the recorded one, absolute or relative."""

_FEATURE_TOLERANCE: Final = 1e-9  # the last bits of a square root differ between processors


def record(
    application: Application, predictor: Predictor, events: pl.DataFrame
) -> list[SelfTestRow]:
    """Write down what this code and this model make of some events."""
    texts = event_json.to_json(events.select(*dtypes_of(application.event.schema)))
    # From the text, as whoever tests will read it.
    read = event_json.from_json(application.event.schema, texts)
    computed = features.compute(application, read)
    predictions = predict(application, predictor, beside(read, computed))
    return [
        SelfTestRow(event, row, float(prediction))
        for event, row, prediction in zip(
            texts, event_json.to_json(computed), predictions, strict=True
        )
    ]


def run(application: Application, predictor: Predictor, rows: Sequence[SelfTestRow]) -> None:
    """Do it all again: the events' features, and the features' predictions.

    Raises:
        ModelRefusedError: something comes out differently.
    """
    frame = inputs(application, rows)
    for number, (row, computed) in enumerate(zip(rows, frame.iter_rows(named=True), strict=True)):
        _check_features(number, json.loads(row.features), computed)
    predictions = predict(application, predictor, frame)
    for number, (row, prediction) in enumerate(zip(rows, predictions, strict=True)):
        if not isclose(prediction, row.prediction, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            raise ModelRefusedError(
                f"self-test row {number}: the model predicts {prediction}, "
                f"but where it was trained it predicted {row.prediction}",
                todo="train it again with the libraries that are installed here",
            )


def inputs(application: Application, rows: Sequence[SelfTestRow]) -> pl.DataFrame:
    """The events of self-test rows with their features, computed here and now.

    Raises:
        ModelRefusedError: there are none, an event cannot be read, or its features cannot be
            computed.
    """
    if not rows:
        raise ModelRefusedError(
            "the model has no self-test rows", todo="train it with `edml train`, which writes some"
        )
    try:
        events = event_json.from_json(application.event.schema, [row.event for row in rows])
        return beside(events, features.compute(application, events))
    except DataError as error:
        raise ModelRefusedError(f"the self-test's events cannot be read: {error}") from error
    except EdmlError as error:
        raise ModelRefusedError(f"the self-test's features fail: {error}") from error


def predict(
    application: Application, predictor: Predictor, frame: pl.DataFrame
) -> NDArray[np.generic]:
    """The model's answer for each row, checked: one finite number a row, under the label's name.

    Raises:
        ModelRefusedError: the model fails, or answers otherwise.
    """
    label = application.outcome.label
    try:
        outputs = predictor.predict(bind(predictor.signature, frame))
    except EdmlError as error:
        raise ModelRefusedError(f"the model's inputs cannot be bound: {error}") from error
    # Each runtime has errors of its own; whatever it says, the model is not usable.
    except Exception as error:
        raise ModelRefusedError(f"the model fails to predict: {error}") from error
    if label not in outputs:
        raise ModelRefusedError(
            f"the model gives {', '.join(outputs)}, but the application's label is {label!r}"
        )
    predictions = outputs[label]
    if predictions.shape != (frame.height,):
        raise ModelRefusedError(
            f"the model gives {label!r} of shape {list(predictions.shape)} for {frame.height} rows"
        )
    if not np.issubdtype(predictions.dtype, np.number) or not np.isfinite(predictions).all():
        raise ModelRefusedError(f"the model predicts {label!r} that is not a finite number")
    return predictions


def _check_features(number: int, recorded: dict[str, Any], computed: dict[str, Any]) -> None:
    for name, value in recorded.items():
        now = computed.get(name)
        if not _same(value, now):
            raise ModelRefusedError(
                f"self-test row {number}: the feature {name!r} is {now!r} here, "
                f"but {value!r} where the model was trained",
                todo="train it again: the application's feature function has changed since",
            )


def _same(recorded: Any, computed: Any) -> bool:
    if isinstance(recorded, float) and isinstance(computed, (int, float)):
        return isclose(recorded, computed, rel_tol=_FEATURE_TOLERANCE, abs_tol=_FEATURE_TOLERANCE)
    return bool(recorded == computed)
