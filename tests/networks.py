"""A small network made by hand, which can be corrected, and knows what few rows do not teach."""

from datetime import UTC, datetime
from math import log
from pathlib import Path

import numpy as np
import polars as pl

from edml import features
from edml.application import Application, Cross, Number
from edml.models import self_test
from edml.models.artefact import Artefact, Description
from edml.models.records import Metadata
from edml.trainer.encoding import Encoding
from edml.trainer.exporting import export
from edml.trainer.folded import CrossTable, Dense, Folded

TRAINED_TO = datetime(2019, 11, 1, tzinfo=UTC)


def network(application: Application, events: pl.DataFrame) -> Folded:
    """A network that says something else of each value of each category, around twelve."""
    computed = features.compute(application, events)
    encoding = Encoding.of(application, computed, intervals=10)
    continuous = len(encoding.intervals.lows) + 2 * len(encoding.crosses)
    numbers = [each for each in application.columns.values() if isinstance(each, Number)]
    effects = np.random.default_rng(9).normal(scale=0.3, size=(sum(encoding.sizes), 1))
    return Folded(
        label=application.outcome.label,
        link="log",
        valid=application.outcome.valid,
        categories=encoding.categories,
        numbers=[each.name for each in numbers],
        rows=effects.astype(np.float32),
        crosses=[_nothing(encoding, each) for each in encoding.crosses],
        intervals=encoding.intervals,
        first=Dense(np.zeros((continuous, 1), np.float32), np.array([log(12)], np.float32)),
        towers=[],
    )


def knowing(
    application: Application, folder: Path, events: pl.DataFrame, *, version: str
) -> Artefact:
    """Its artefact, as an ONNX model."""
    folder.mkdir(parents=True)
    made = network(application, events)
    predictor = export(made, "onnx", folder, 1)
    return Artefact.write(
        folder,
        Description(
            version=version,
            application=application.name,
            signature=made.signature,
            self_test=self_test.record(application, predictor, events.head(4)),
            metadata=Metadata(
                TRAINED_TO, "1a2b3c4", "made by hand", TRAINED_TO, TRAINED_TO, events.height
            ),
        ),
    )


def _nothing(encoding: Encoding, cross: Cross) -> CrossTable:
    first, second = encoding.place(cross.first), encoding.place(cross.second)
    pairs = encoding.sizes[first] * encoding.sizes[second]
    return CrossTable(first, second, encoding.sizes[second], np.zeros((pairs, 2), np.float32))
