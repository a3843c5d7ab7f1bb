import numpy as np

from edml.kafka.partition import murmur2, partitions

JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""Hashes that Apache Kafka's own tests of ``Utils.murmur2`` expect."""


def test_the_hashes_are_javas() -> None:
    """Keys of every length modulo four have the hash that Java's producer gives them."""
    assert murmur2(list(JAVA)).view(np.int32).tolist() == list(JAVA.values())


def test_a_partition_is_within_the_topic() -> None:
    """Hashes are made positive as Java does it, by dropping the sign."""
    expected = [(number & 0x7FFFFFFF) % 7 for number in JAVA.values()]

    assert partitions(list(JAVA), 7).tolist() == expected
    assert partitions([], 7).tolist() == []
