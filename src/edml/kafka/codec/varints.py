"""Avro's variable-length whole numbers, many at once.

A number is zigzagged (0, -1, 1, -2 … become 0, 1, 2, 3 …) and cut into groups of seven bits, the
least first; each byte but the last has its high bit set. Eight bytes are handled as one 64-bit
word, so that a whole column takes the same dozen vector operations, however long its numbers are.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Longs = NDArray[np.int64]

LONGEST: Final = 10
"""Bytes of the longest number: 64 bits in groups of seven."""

CONTINUED: Final = 0x80
"""The high bit of a byte: it is not the last one of its number."""

_ONE: Final = np.uint64(1)
_WORD_BITS: Final = 64
_LOW_7: Final = np.uint64(0x7F)
_HIGH_BITS: Final = np.uint64(0x8080808080808080)
_HALVES: Final = (
    (np.uint64(0x007F007F007F007F), np.uint64(0x7F007F007F007F00), np.uint64(1)),
    (np.uint64(0x00003FFF00003FFF), np.uint64(0x3FFF00003FFF0000), np.uint64(2)),
    (np.uint64(0x000000000FFFFFFF), np.uint64(0x0FFFFFFF00000000), np.uint64(4)),
)


def zigzag(values: Longs) -> Words:
    """Give back the numbers with their sign in the lowest bit."""
    return ((values << 1) ^ (values >> 63)).view(np.uint64)


def unzigzag(words: Words) -> Longs:
    """Undo `zigzag`."""
    return (words >> _ONE).view(np.int64) ^ -(words & _ONE).view(np.int64)


def pack(words: Words) -> Words:
    """Join the low seven bits of each of the eight bytes into 56 bits."""
    for even, odd, shift in _HALVES:
        words = (words & even) | ((words & odd) >> shift)
    return words


def spread(words: Words) -> Words:
    """Undo `pack`: lay the lowest 56 bits out in groups of seven, one a byte."""
    words = words & np.uint64(0x00FFFFFFFFFFFFFF)
    for even, odd, shift in reversed(_HALVES):
        words = (words & even) | ((words << shift) & odd)
    return words


def groups(words: Words) -> Longs:
    """Give back how many bytes each zigzagged number takes, 1 to 10."""
    sizes = np.ones(len(words), np.int64)
    rest = words >> np.uint64(7)
    while rest.any():
        sizes += rest != 0
        rest >>= np.uint64(7)
    return sizes


def encode(words: Words, sizes: Longs) -> tuple[Words, Words]:
    """Give back the bytes of zigzagged numbers as two little-endian words, of eight and two."""
    continued = (np.minimum(sizes, 9) - 1).astype(np.uint64) * np.uint64(8)
    marks = np.where(
        continued == _WORD_BITS,
        _HIGH_BITS,
        _HIGH_BITS & ((_ONE << (continued & np.uint64(63))) - _ONE),
    )
    ninth = (words >> np.uint64(56)) & _LOW_7
    tenth = words >> np.uint64(63)
    ninth |= np.where(sizes == LONGEST, np.uint64(0x80), np.uint64(0))
    return spread(words) | marks, ninth | (tenth << np.uint64(8))


def decode(
    first: Words, following: Callable[[Longs], Words]
) -> tuple[Longs, Longs, NDArray[np.bool_]]:
    """Give back the numbers that begin in these words, their sizes, and which are too long.

    Args:
        first: the eight bytes at the number's place, little endian.
        following: gives back the eight bytes after these, of some rows.
    """
    ends = ~first & _HIGH_BITS
    stop = ends & (~ends + _ONE)
    below = stop - _ONE
    words = pack(first & below & ~_HIGH_BITS)
    sizes = (np.bitwise_count(below).astype(np.int64) + 1) >> 3
    too_long = np.zeros(len(first), np.bool_)
    if len(rows := np.flatnonzero(stop == 0)):
        second = following(rows)
        ninth, tenth = second & np.uint64(0xFF), (second >> np.uint64(8)) & np.uint64(0xFF)
        has_tenth = ninth > _LOW_7
        words[rows] |= (ninth & _LOW_7) << np.uint64(56)
        words[rows] |= np.where(has_tenth, tenth & _ONE, np.uint64(0)) << np.uint64(63)
        sizes[rows] = 9 + has_tenth
        too_long[rows] = has_tenth & (tenth > 1)
    return unzigzag(words), sizes, too_long
