"""Keys for records that come without one: the same source and row give the same key."""

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

_HEX: Final = np.array([*b"0123456789abcdef"], dtype=np.uint8)
_DIGITS: Final = np.array([place for place in range(36) if place not in {8, 13, 18, 23}])


def row_keys(source: str, rows: pl.Series) -> pl.Series:
    """One UUID (RFC 9562, version 8) for each row number of ``source``, as strings.

    >>> row_keys("trips of 2019-04", pl.Series([0, 1])).to_list()
    ['a62d3aeb-2d23-880a-80de-38e9b8a99dfa', '3c3ca4cb-1e15-8796-94ca-2d9a5178ccb4']
    """
    digest = hashlib.blake2b(source.encode(), digest_size=16).digest()
    number = rows.to_numpy().astype(np.uint64)
    high, low = (_mix(number, int.from_bytes(half)) for half in (digest[:8], digest[8:]))
    high = high & np.uint64(0xFFFF_FFFF_FFFF_0FFF) | np.uint64(0x8000)
    low = low & np.uint64(0x3FFF_FFFF_FFFF_FFFF) | np.uint64(0x8000_0000_0000_0000)
    octets = np.stack([high, low], axis=1).astype(">u8").view(np.uint8)
    text = np.full((len(rows), 37), ord("-"), dtype=np.uint8)
    text[:, _DIGITS] = _HEX[np.stack([octets >> 4, octets & 15], axis=2).reshape(-1, 32)]
    text[:, -1] = ord("\n")
    return pl.Series("key", [text.tobytes().decode()]).str.split("\n").explode().head(len(rows))


def _mix(numbers: npt.NDArray[np.uint64], seed: int) -> npt.NDArray[np.uint64]:
    """SplitMix64 (Steele, Lea, Flood 2014): one-to-one on 64 bits."""
    mixed = numbers * np.uint64(0x9E37_79B9_7F4A_7C15) + np.uint64(seed)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    return mixed ^ (mixed >> np.uint64(31))
