import polars as pl

from edml.events import OFFSET, PARTITION, Batch, Outputs, Rejected, TopicPartition


def test_batch_counts_decoded_records() -> None:
    """A batch is as large as its frames; one without any is a tick."""
    frames = {"a": pl.DataFrame({"x": [1, 2]}), "b": pl.DataFrame({"x": [3]})}
    assert Batch(frames).rows == 3
    assert Batch().rows == 0


def test_outputs_are_empty_without_rows() -> None:
    """Frames without rows are nothing to write; a rejected row is."""
    rejected = Rejected("a", pl.DataFrame({PARTITION: [0], OFFSET: [1], "cause": ["no"]}))
    assert Outputs().empty
    assert Outputs({"a": pl.DataFrame({"x": []})}).empty
    assert not Outputs({"a": pl.DataFrame({"x": [1]})}).empty
    assert not Outputs(rejected=(rejected,)).empty


def test_partitions_are_written_as_people_do() -> None:
    """A partition is told by its topic and its number."""
    assert str(TopicPartition("taxi.pickups", 3)) == "taxi.pickups[3]"
