"""Avro's variable-length whole numbers, many at once.

A number is zigzagged (0, -1, 1, -2 … become 0, 1, 2, 3 …) and cut into groups of seven bits, the
least first; each byte but the last has its high bit set. Eight bytes are handled as one 64-bit
word, so that a whole column takes the same dozen vector operations, however long its numbers are.
"""

from collections.abc import Callable, Mapping
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
_GROUP_BITS: Final = 7
_WORD_BYTES: Final = 8
_SHORT: Final = 2
_LOW_7: Final = np.uint64(0x7F)
_HIGH_BITS: Final = np.uint64(0x8080808080808080)
_GOES_ON: Final = np.uint64(0x8080)
"""The marks of a number of more than two bytes."""

_MARKS: Final = np.array(
    [sum(0x80 << 8 * byte for byte in range(min(each, 9) - 1)) for each in range(LONGEST + 1)],
    np.uint64,
)
"""The high bits of the first eight bytes of a number, by its size."""

_HALVES: Final = (
    (np.uint64(0x007F007F007F007F), np.uint64(0x7F007F007F007F00), np.uint64(1)),
    (np.uint64(0x00003FFF00003FFF), np.uint64(0x3FFF00003FFF0000), np.uint64(2)),
    (np.uint64(0x000000000FFFFFFF), np.uint64(0x0FFFFFFF00000000), np.uint64(4)),
)


_PAIR_BITS: Final = 14
_PAIR: Final = 1 << _PAIR_BITS
_LAST: Final = [
    bytes((word,)) if word < CONTINUED else bytes((word & 0x7F | CONTINUED, word >> _GROUP_BITS))
    for word in range(_PAIR)
]
"""The last one or two bytes of a zigzagged number, by what they stand for."""

_PAIRS: Final = [
    bytes((word & 0x7F | CONTINUED, word >> _GROUP_BITS | CONTINUED)) for word in range(_PAIR)
]
"""Two bytes of a zigzagged number that goes on behind them."""


class _Written(dict[int, bytes]):
    """The bytes of each number: those of small ones are looked up, others are made."""

    def __missing__(self, value: int) -> bytes:
        word = (value << 1) ^ (value >> 63)
        pairs = []
        while word >= _PAIR:
            pairs.append(_PAIRS[word & (_PAIR - 1)])
            word >>= _PAIR_BITS
        return b"".join(pairs) + _LAST[word]


WRITTEN: Final[Mapping[int, bytes]] = _Written(
    {(word >> 1) ^ -(word & 1): written for word, written in enumerate(_LAST)}
)
"""The bytes of each number, which fits in 64 bits."""


def zigzag(values: Longs) -> Words:
    """Give back the numbers with their sign in the lowest bit."""
    return ((values << 1) ^ (values >> 63)).view(np.uint64)


def unzigzag(words: Words) -> Longs:
    """Undo `zigzag`."""
    return (words >> _ONE).view(np.int64) ^ -(words & _ONE).view(np.int64)


ONE_BYTE: Final = unzigzag(np.arange(CONTINUED, dtype=np.uint64))
"""The number that each byte stands for which no other follows."""


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


def size(word: int) -> int:
    """Give back how many bytes a zigzagged number takes, 1 to 10."""
    return max(1, -(-word.bit_length() // _GROUP_BITS))


def encode(values: Longs) -> tuple[NDArray[np.generic], int, Longs | int]:
    """Give back the bytes of at least one number, the longest size, and all sizes.

    Each number has an equal part of the array, at the beginning of which its bytes stand; behind
    them there may be anything. Where all numbers have the same size, one stands for all.
    """
    words = zigzag(values)
    least, most = size(int(words.min())), size(int(words.max()))
    if most == 1:
        return words.astype(np.uint8), most, most
    sizes: Longs | int = least
    for each in range(least, most):
        sizes = sizes + (words >> np.uint64(_GROUP_BITS * each) != 0)
    if most == _SHORT:
        return _short(words.astype(np.uint16)), most, sizes
    eight = spread(words) | _MARKS[sizes]
    if most <= _WORD_BYTES:
        return eight, most, sizes
    return np.stack((eight, _behind(words)), axis=1), most, sizes


def _short(words: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Give back the bytes of zigzagged numbers that take one or two."""
    high = words >> _GROUP_BITS
    continued = (high != 0).astype(np.uint16) << _GROUP_BITS
    written: NDArray[np.uint16] = np.bitwise_or((words & 0x7F) | (high << 8), continued)
    return written


def _behind(words: Words) -> Words:
    """Give back the ninth and tenth byte of zigzagged numbers."""
    ninth = (words >> np.uint64(56)) & _LOW_7
    tenth = words >> np.uint64(63)
    written: Words = ninth | (tenth << np.uint64(7)) | (tenth << np.uint64(8))
    return written


def decode(
    first: Words, following: Callable[[Longs], Words]
) -> tuple[Longs, Longs, NDArray[np.bool_]]:
    """Give back the numbers that begin in these words, their sizes, and which are too long.

    Args:
        first: the eight bytes at the number's place, little endian.
        following: gives back the eight bytes after these, of some rows.
    """
    if not ((first & _GOES_ON) == _GOES_ON).any():
        return _decode_short(first.astype(np.uint16))
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


def _decode_short(pairs: NDArray[np.uint16]) -> tuple[Longs, Longs, NDArray[np.bool_]]:
    """Give back the numbers that begin in these pairs of bytes, of which none goes on behind."""
    continued = (pairs >> _GROUP_BITS) & 1
    words = (pairs & 0x7F) | (((pairs >> 1) & 0x3F80) * continued)
    values = (words >> 1).view(np.int16) ^ -(words & 1).view(np.int16)
    sizes = continued.astype(np.int64) + 1
    return values.astype(np.int64), sizes, np.zeros(len(pairs), np.bool_)
