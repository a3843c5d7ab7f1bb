"""A batch of values from the log as one frame, and the ones that are bad.

The records of one schema are read side by side (`columns`), which is many times as fast as one
after the other. The few that are then in doubt are read by themselves (`strict`): either they are
good after all, or there is a cause why not. No bad record costs or changes its neighbours.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.errors import SchemaError
from edml.kafka.codec import wire
from edml.kafka.codec.columns import Buffer, Cursors
from edml.kafka.codec.dtypes import column_type, frame_schema, plain
from edml.kafka.codec.layout import Record, RecordSchema, flat, record
from edml.kafka.codec.resolve import Resolution
from edml.kafka.codec.strict import StrictReader
from edml.kafka.codec.wire import MalformedError

Rows = NDArray[np.int64]

ROW: Final = "#row"
"""Column of the row's place in the batch while it is decoded. No Avro field can have this name."""

FEW: Final = 60
"""Up to so many records, reading one by one is faster than side by side."""


class Bad(NamedTuple):
    """A value that is no record: its place in the batch, and why, for a person to read."""

    row: int
    cause: str


@dataclass(frozen=True)
class Decoded:
    """A decoded batch.

    ``frame`` has the reader's columns; its row ``i`` is the value at ``rows[i]`` of the batch, and
    ``rows`` ascends. ``bad`` has the other values, by row.
    """

    frame: pl.DataFrame
    rows: Rows
    bad: list[Bad]


class Decoder:
    """Decodes batches into frames of one reader's schema. It remembers the writers' schemas it met.

    Args:
        schemas: gives back the schema of an id. A `SchemaError` makes the records of this id bad;
            any other error, such as of a registry that does not answer, passes through.
        reader: the schema that the frames have.
        few: up to so many records are read one by one.

    Raises:
        SchemaError: the reader's schema is not valid, or has a field that no column can hold.
    """

    def __init__(
        self, schemas: Callable[[int], RecordSchema], reader: RecordSchema, *, few: int = FEW
    ) -> None:
        self._few: Final = few
        self._schemas: Final = schemas
        self._reader: Final = record(reader)
        self._empty: Final = pl.DataFrame(schema={ROW: pl.Int64(), **frame_schema(reader)})
        self._writers: Final[dict[int, _Writer]] = {}

    def decode(self, values: Sequence[bytes | None]) -> Decoded:
        """Give back the frame of the values, and what is bad among them."""
        frames: list[pl.DataFrame] = []
        bad: list[Bad] = []
        for schema_id, rows, records in self._groups(values, bad):
            try:
                frame, faults = self._writer(schema_id).decode(records, rows)
            except SchemaError as error:
                bad += [Bad(row, f"schema {schema_id}: {error.what}") for row in rows.tolist()]
            else:
                frames.append(frame)
                bad += faults
        frame = _in_order(frames) if frames else self._empty.clone()
        rows = frame.drop_in_place(ROW).to_numpy()
        return Decoded(frame, rows, sorted(bad))

    def _groups(
        self, values: Sequence[bytes | None], bad: list[Bad]
    ) -> Iterator[tuple[int, Rows, "_Records"]]:
        """Stand before the records of each schema id; what has none is bad."""
        if len(values) > self._few:
            buffer = Buffer(values)
            header = buffer.header()
            if header is not None and header[0] == wire.MAGIC:
                yield wire.schema_id(header), np.arange(len(values)), _Records(values, buffer)
                return
        groups, causes = _by_schema(values)
        bad += causes
        for schema_id, rows in groups:
            yield schema_id, rows, _Records([values[row] for row in rows.tolist()])

    def _writer(self, schema_id: int) -> "_Writer":
        if schema_id not in self._writers:
            self._writers[schema_id] = _Writer(
                record(self._schemas(schema_id)), self._reader, self._few
            )
        return self._writers[schema_id]


def decode(
    values: Sequence[bytes | None],
    schemas: Callable[[int], RecordSchema],
    reader: RecordSchema,
) -> Decoded:
    """Decode one batch; see `Decoder`, which is for many."""
    return Decoder(schemas, reader).decode(values)


class _Records:
    """Some values of one schema: by themselves, and side by side once that is asked for."""

    def __init__(self, values: Sequence[bytes | None], buffer: Buffer | None = None) -> None:
        self._values: Final = values
        self._buffer = buffer

    def __len__(self) -> int:
        return len(self._values)

    def buffer(self) -> Buffer:
        """Give back all of them side by side."""
        if self._buffer is None:
            self._buffer = Buffer(self._values)
        return self._buffer

    def at(self, places: Rows | None = None) -> Iterator[bytes]:
        """Give back those at some places, or all."""
        some = self._values if places is None else [self._values[i] for i in places.tolist()]
        return (value for value in some if value is not None)


class _Writer:
    """How the records of one writer's schema are decoded. Its frames have the column `ROW`."""

    def __init__(self, layout: Record, reader: Record, few: int) -> None:
        self._few = few
        self._layout = layout
        self._resolution = Resolution(layout, reader)
        self._wanted = self._resolution.wanted
        types = {f.name: column_type(f.type) for f in layout.fields if f.name in self._wanted}
        self._plain = {ROW: pl.Int64(), **{name: plain(to) for name, to in types.items()}}
        self._casts = {name: to for name, to in types.items() if plain(to) != to}
        self._strict = StrictReader(layout, self._wanted)
        self._side_by_side = flat(layout)

    def decode(self, records: _Records, rows: Rows) -> tuple[pl.DataFrame, list[Bad]]:
        """Give back the frame of the records, and what is bad among them."""
        if self._side_by_side and len(records) > self._few:
            frame, doubtful = self._together(records.buffer(), rows)
            bad: list[Bad] = []
            if len(doubtful):
                careful, bad = self._one_by_one(records.at(doubtful), rows[doubtful])
                frame = _in_order([frame, careful])
        else:
            frame, bad = self._one_by_one(records.at(), rows)
        return self._resolved(frame, bad)

    def _together(self, buffer: Buffer, rows: Rows) -> tuple[pl.DataFrame, Rows]:
        """Give back the frame of the clean records, and the places of the others."""
        cursors = Cursors.over(buffer, skip=wire.HEADER.size)
        frame = cursors.frame(self._layout.fields, self._wanted)
        frame.insert_column(0, pl.Series(ROW, rows))
        doubtful = cursors.doubtful()
        if not doubtful.any():
            return frame, np.empty(0, np.int64)
        return frame.filter(~doubtful), np.flatnonzero(doubtful)

    def _one_by_one(self, records: Iterable[bytes], rows: Rows) -> tuple[pl.DataFrame, list[Bad]]:
        """Give back the frame of the good records, and the others with their causes."""
        good: list[list[Any]] = []
        bad: list[Bad] = []
        for value, row in zip(records, rows.tolist(), strict=True):
            try:
                good.append([row, *self._strict.read(value, wire.HEADER.size)])
            except MalformedError as error:
                bad.append(Bad(row, str(error)))
        frame = pl.DataFrame(good, schema=self._plain, orient="row")
        for name, to in self._casts.items():
            frame.replace_column(frame.get_column_index(name), frame[name].cast(to))
        return frame, bad

    def _resolved(self, frame: pl.DataFrame, bad: list[Bad]) -> tuple[pl.DataFrame, list[Bad]]:
        """Give back the frame as the reader's schema has it, and all that is bad."""
        rows = frame.drop_in_place(ROW)
        resolved, faults = self._resolution.apply(frame)
        resolved.insert_column(0, rows)
        if not faults:
            return resolved, bad
        causes = {row: cause for which, cause in reversed(faults) for row in rows.filter(which)}
        keep = ~np.logical_or.reduce([which for which, _ in faults])
        return resolved.filter(keep), bad + [Bad(row, cause) for row, cause in causes.items()]


def _by_schema(values: Sequence[bytes | None]) -> tuple[list[tuple[int, Rows]], list[Bad]]:
    """Give back which rows have which schema id, and the values that have none."""
    groups: list[tuple[int, Rows]] = []
    bad: list[Bad] = []
    for prefix, rows in _by_prefix(values):
        try:
            groups.append((wire.schema_id(prefix), rows))
        except MalformedError as error:
            bad += [Bad(row, str(error)) for row in rows.tolist()]
    return groups, bad


def _by_prefix(values: Sequence[bytes | None]) -> list[tuple[bytes | None, Rows]]:
    """Give back which rows begin with which five bytes. One schema, as in most, is fast."""
    prefixes = [value and value[: wire.HEADER.size] for value in values]
    if not prefixes or prefixes.count(prefixes[0]) == len(prefixes):
        return [(prefix, np.arange(len(prefixes))) for prefix in prefixes[:1]]
    rows: dict[bytes | None, list[int]] = defaultdict(list)
    for row, prefix in enumerate(prefixes):
        rows[prefix].append(row)
    return [(prefix, np.array(places)) for prefix, places in rows.items()]


def _in_order(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Join frames by the place of their rows in the batch."""
    return frames[0] if len(frames) == 1 else pl.concat(frames).sort(ROW)
