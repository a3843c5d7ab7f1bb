"""Which partition a key belongs to, as Java's producer and ``murmur2_random`` have it.

MurmurHash2 by Austin Appleby (32 bits), with the seed and the mask of Apache Kafka's
``org.apache.kafka.common.utils.Utils.murmur2`` and ``toPositive``.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SEED: Final = 0x9747B28C
_M: Final = np.uint32(0x5BD1E995)
_R: Final = np.uint32(24)
_POSITIVE: Final = np.uint32(0x7FFFFFFF)


def partitions(keys: Sequence[bytes], count: int) -> NDArray[np.int32]:
    """Give back the partition of each key, where the topic has ``count`` of them.

    A record without a key has no partition of its own (librdkafka and Java draw one): leave it out.

    >>> partitions([b"21", b"foobar"], 6).tolist()
    [0, 0]
    """
    return ((murmur2(keys) & _POSITIVE) % np.uint32(count)).astype(np.int32)


def murmur2(keys: Sequence[bytes]) -> NDArray[np.uint32]:
    """Give back the hash of each key."""
    hashes = np.zeros(len(keys), np.uint32)
    sizes = np.fromiter(map(len, keys), np.int64, len(keys))
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        content = b"".join([keys[row] for row in rows.tolist()])
        hashes[rows] = _of_one_size(np.frombuffer(content, np.uint8).reshape(len(rows), size))
    return hashes


def _of_one_size(keys: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Give back the hashes of the rows, word by word. 32-bit numbers wrap around."""
    count, size = keys.shape
    words = np.ascontiguousarray(keys[:, : size // 4 * 4]).view("<u4")
    hashes = np.full(count, _SEED ^ size, np.uint32)
    for word in words.T:
        mixed = word * _M
        mixed ^= mixed >> _R
        hashes = hashes * _M ^ mixed * _M
    rest = keys[:, size // 4 * 4 :]
    if rest.shape[1]:
        for place in range(rest.shape[1]):
            hashes ^= rest[:, place].astype(np.uint32) << np.uint32(8 * place)
        hashes *= _M
    hashes ^= hashes >> np.uint32(13)
    hashes *= _M
    hashes ^= hashes >> np.uint32(15)
    return hashes
