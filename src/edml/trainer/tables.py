"""The folded network without any flavour: what it answers, and how its tables are kept.

An exported model only answers. Whoever wants to correct it needs its tables: they travel with it,
in the part of a SavedModel that is meant for such things (``assets.extra``), and in the metadata of
an ONNX model.
"""

import io
import json
from base64 import b64decode
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.application import Application, Category
from edml.trainer.encoding import Floats, Intervals, places_of
from edml.trainer.folded import CrossTable, Dense, Folded

Numbers = NDArray[np.float64]

SAVED_MODEL: Final = Path("saved_model", "assets.extra", "network.npz")
"""Where an artefact with a SavedModel keeps the tables."""

ONNX: Final = Path("model.onnx")
ONNX_METADATA: Final = "edml.network"
"""What the tables are called among an ONNX model's metadata, where they stand in base64."""

_AT_ONCE: Final = 8192


@dataclass(frozen=True)
class Asked:
    """Rows as a network takes them: places ``[rows, categories]``, shares ``[rows, intervals]``."""

    places: NDArray[np.int64]
    shares: Floats

    @classmethod
    def of(cls, network: Folded, features: pl.DataFrame) -> "Asked":
        """The rows of some features."""
        places = [places_of(each, features[each.name]) for each in network.categories]
        empty = np.empty((len(places), features.height), np.int64)
        intervals = network.intervals
        numbers = features.select(pl.col(network.numbers).cast(pl.Float32)).to_numpy()
        numbers = numbers.reshape(features.height, len(network.numbers))
        beyond = (numbers[:, intervals.owners] - intervals.lows) * intervals.scales
        return cls(
            np.array(places, dtype=np.int64).T if places else empty.T,
            np.clip(beyond, 0, 1).astype(np.float32),
        )

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: slice) -> "Asked":
        return Asked(self.places[rows], self.shares[rows])


def answers(network: Folded, features: pl.DataFrame) -> Numbers:
    """The labels that the network gives, ``[rows]``: what every flavour gives, to the rounding."""
    label = unlinked(network, scores(network, Asked.of(network, features)))
    return np.clip(label, *network.valid)


def scores(network: Folded, asked: Asked) -> Numbers:
    """The labels before they are unlinked, ``[rows]``."""
    parts = [
        _scores(network, asked[start : start + _AT_ONCE])
        for start in range(0, len(asked), _AT_ONCE)
    ]
    return np.concatenate([np.empty(0), *parts])


def linked(network: Folded, labels: Numbers) -> Numbers:
    """The scores that would give these labels."""
    return np.log(labels) if network.link == "log" else labels


def unlinked(network: Folded, score: Numbers) -> Numbers:
    """The labels that these scores give."""
    return np.exp(np.clip(score, -30, 30)) if network.link == "log" else score


def packed(network: Folded) -> bytes:
    """The tables as they are kept."""
    facts = {
        "label": network.label,
        "link": network.link,
        "valid": network.valid,
        "categories": [each.name for each in network.categories],
        "numbers": list(network.numbers),
        "crosses": [[each.first, each.second, each.columns] for each in network.crosses],
        "layers": [len(each) for each in network.towers],
    }
    arrays: dict[str, Any] = {
        "rows": network.rows,
        "owners": network.intervals.owners,
        "lows": network.intervals.lows,
        "scales": network.intervals.scales,
        **_dense("first", network.first),
        **{f"cross_{at}": each.rows for at, each in enumerate(network.crosses)},
    }
    for at, tower in enumerate(network.towers):
        for depth, layer in enumerate(tower):
            arrays |= _dense(f"tower_{at}_{depth}", layer)
    kept = io.BytesIO()
    np.savez_compressed(kept, facts=np.array(json.dumps(facts)), **arrays)
    return kept.getvalue()


def kept(application: Application, artefact: Path) -> Folded | None:
    """The tables in an artefact's folder; None where there are none that fit the application."""
    found = _found(artefact)
    return None if found is None else unpacked(application, found)


def unpacked(application: Application, tables: bytes) -> Folded | None:
    """The network again; None where it is not one of the application's."""
    try:
        with np.load(io.BytesIO(tables), allow_pickle=False) as found:
            return _network(application, json.loads(str(found["facts"])), found)
    except (KeyError, ValueError, OSError, BadZipFile):  # another application's, or another edml's
        return None


def _found(artefact: Path) -> bytes | None:
    if (artefact / SAVED_MODEL).is_file():
        return (artefact / SAVED_MODEL).read_bytes()
    if (artefact / ONNX).is_file():
        import onnxruntime

        session = onnxruntime.InferenceSession(artefact / ONNX, providers=["CPUExecutionProvider"])
        told = session.get_modelmeta().custom_metadata_map.get(ONNX_METADATA)
        return None if told is None else b64decode(told)
    return None


def _network(application: Application, facts: dict[str, Any], found: Any) -> Folded:
    categories = [application.columns[name] for name in facts["categories"]]
    known = [each for each in categories if isinstance(each, Category)]
    network = Folded(
        label=facts["label"],
        link=facts["link"],
        valid=application.outcome.valid,
        categories=known,
        numbers=facts["numbers"],
        rows=found["rows"],
        crosses=[
            CrossTable(first, second, columns, found[f"cross_{at}"])
            for at, (first, second, columns) in enumerate(facts["crosses"])
        ],
        intervals=Intervals(found["owners"], found["lows"], found["scales"]),
        first=Dense(found["first_kernel"], found["first_bias"]),
        towers=[
            [
                Dense(found[f"tower_{at}_{depth}_kernel"], found[f"tower_{at}_{depth}_bias"])
                for depth in range(layers)
            ]
            for at, layers in enumerate(facts["layers"])
        ],
    )
    places = sum(len(each.values) + 1 for each in known)
    if len(known) != len(categories) or len(network.rows) != places:
        raise ValueError("the columns are not those of the application")
    return network


def _scores(network: Folded, asked: Asked) -> Numbers:
    hidden = np.repeat(network.first.bias[np.newaxis], len(asked), axis=0)
    for at, offset in enumerate(network.offsets):
        hidden += network.rows[offset + asked.places[:, at]]
    continuous = [asked.shares]
    for cross in network.crosses:
        first, second = asked.places[:, cross.first], asked.places[:, cross.second]
        continuous.append(cross.rows[first * cross.columns + second])
    hidden += np.concatenate(continuous, axis=1) @ network.first.kernel
    wide, *units = np.split(hidden, np.cumsum(network.widths)[:-1], axis=1)
    for tower, own in zip(network.towers, units, strict=True):
        wide = wide + reduce(_through, tower, own)
    return wide[:, 0].astype(np.float64)


def _through(units: Floats, layer: Dense) -> Floats:
    answer: Floats = np.maximum(units, 0) @ layer.kernel + layer.bias
    return answer


def _dense(name: str, layer: Dense) -> dict[str, Floats]:
    return {f"{name}_kernel": layer.kernel, f"{name}_bias": layer.bias}
