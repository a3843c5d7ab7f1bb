"""The taxi application as one would write it by hand: records in, features, records out.

Nothing of edml is imported: this is what the Python peers share, record by record.
"""

import csv
import io
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import fastavro
import numpy as np
import onnxruntime
from numpy.typing import NDArray

HEADER: Final = 5
UNKNOWN: Final = -1.0
NO_BOROUGH: Final = "Unknown"
LAST_ZONE: Final = 265
INTEGERS: Final = ("day_of_week", "hour_of_day", "pickup_zone", "dropoff_zone")
FLOATS: Final = ("day_of_year", "passenger_count", "distance_km")
DTYPES: Final[dict[str, type[np.generic]]] = {
    **dict.fromkeys(INTEGERS, np.int64),
    **dict.fromkeys(FLOATS, np.float32),
}

Features = dict[str, Any]


class Zones:
    """The city's zones: borough and centroid, by number."""

    def __init__(self, file: Path) -> None:
        with file.open(encoding="utf-8") as lines:
            self._zones = {
                int(row["zone"]): (row["borough"], float(row["x_km"]), float(row["y_km"]))
                for row in csv.DictReader(lines)
            }

    def borough(self, zone: int) -> str:
        """The borough of a zone."""
        found = self._zones.get(zone)
        return NO_BOROUGH if found is None else found[0]

    def distance_km(self, pickup: int, dropoff: int) -> float:
        """How far the centroids lie apart; -1 where a zone lies nowhere."""
        one, other = self._zones.get(pickup), self._zones.get(dropoff)
        if one is None or other is None:
            return UNKNOWN
        east, north = one[1] - other[1], one[2] - other[2]
        return float((east * east + north * north) ** 0.5)


def features(trip: Mapping[str, Any], zones: Zones) -> Features:
    """What the model is given of a trip."""
    local = trip["pickup_local"].timetuple()
    pickup, dropoff = trip["pickup_zone"], trip["dropoff_zone"]
    if not (1 <= pickup <= LAST_ZONE and 1 <= dropoff <= LAST_ZONE):
        raise ValueError(f"unknown zone: {pickup} or {dropoff}")
    passengers = trip["passengers"]
    return {
        "day_of_week": local.tm_wday + 1,
        "hour_of_day": local.tm_hour,
        "pickup_zone": pickup,
        "dropoff_zone": dropoff,
        "day_of_year": float(local.tm_yday),
        "passenger_count": 1.0 if passengers is None else float(passengers),
        "distance_km": zones.distance_km(pickup, dropoff),
    }


def columns(rows: Sequence[Features]) -> dict[str, NDArray[np.generic]]:
    """The model's inputs out of features."""
    return {
        name: np.array([row[name] for row in rows], dtype=dtype) for name, dtype in DTYPES.items()
    }


def onnx(path: Path) -> onnxruntime.InferenceSession:
    """The model, on one thread that does not spin."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def plain(schema: str) -> str:
    """A record's schema without logical types: instants are numbers."""
    record = json.loads(schema)
    for field in record["fields"]:
        if isinstance(field["type"], dict) and "logicalType" in field["type"]:
            field["type"] = field["type"]["type"]
    return json.dumps(record)


class Avro:
    """One topic's values in the Confluent wire format, by fastavro."""

    def __init__(self, schema: str, schema_id: int) -> None:
        self._schema = fastavro.parse_schema(json.loads(schema))
        self._header = struct.pack(">bI", 0, schema_id)

    def decode(self, value: bytes) -> dict[str, Any]:
        """The record in a value."""
        if value[:HEADER] != self._header:
            raise ValueError(f"another schema: {value[:HEADER]!r}")
        datum = io.BytesIO(value)
        datum.seek(HEADER)
        record = fastavro.schemaless_reader(datum, self._schema, None)
        if not isinstance(record, dict):
            raise TypeError(f"not a record: {record!r}")
        return record

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """A record as a value."""
        datum = io.BytesIO()
        datum.write(self._header)
        fastavro.schemaless_writer(datum, self._schema, record)
        return datum.getvalue()


class Predictions:
    """Makes prediction records of one model."""

    def __init__(self, version: str, zones: Zones) -> None:
        self._version = version
        self._zones = zones

    def record(
        self, trip: Mapping[str, Any], given: Features, answer: float, place: tuple[int, int]
    ) -> dict[str, Any]:
        """The prediction of a trip, read at ``place``: partition and offset."""
        return {
            "uuid": trip["uuid"],
            "prediction": answer,
            "version": self._version,
            "role": "champion",
            "event_time": trip["pickup_at"],
            "segment": self._zones.borough(given["pickup_zone"]),
            "event_partition": place[0],
            "event_offset": place[1],
            "features": given,
        }
