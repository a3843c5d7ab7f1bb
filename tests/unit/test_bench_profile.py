import pytest

from bench.profile import MAIN, OTHER, Row, read, rows, stage_of

SRC = "/home/somebody/src/edml"
RAW = f"""\
thread (0x10): MainThread;<module> (/x/edml/__main__.py);turn ({SRC}/runtime/runner.py);consume \
({SRC}/kafka/message.py) 30
thread (0x10): MainThread;turn ({SRC}/runtime/runner.py);decode ({SRC}/kafka/codec/decode.py);take \
(/x/polars/frame.py) 10
thread (17): commit_0;run (threading.py);Sink._queue ({SRC}/kafka/sink.py) 5
"""
CONSUME = "take messages from librdkafka"
DECODE = "decode the batch"
PRODUCE = "hand records to librdkafka"


def test_a_stack_belongs_to_the_innermost_call_that_has_a_stage() -> None:
    """What is called below it belongs to it; what belongs to no stage is told as such."""
    assert [stage_of(each.calls) for each in read(RAW)] == [CONSUME, DECODE, PRODUCE]
    assert (
        stage_of(["edml.kafka.sink.Sink._commit", "json.dumps"])
        == "offsets, commit, delivery reports"
    )
    assert stage_of(["threading.run"]) == OTHER


def test_processor_time_is_shared_out_as_the_stacks_were_seen() -> None:
    """Each thread's own time; threads that run no Python are told by their names."""
    cpu_s = {16: 8.0, 17: 2.0, 20: 1.0, 21: 0.5}
    names = {16: "python", 17: "python", 20: "rdk:broker1", 21: "rdk:main"}
    found = rows(read(RAW), cpu_s, names, 1_000_000, main=16)
    assert [(each.thread, each.stage) for each in found[:3]] == [
        (MAIN, CONSUME),
        (MAIN, DECODE),
        ("commit", PRODUCE),
    ]
    assert [each.cpu_us for each in found] == pytest.approx([6.0, 2.0, 2.0, 1.5])
    assert found[-1] == Row("librdkafka", "librdkafka: fetch, send, checksums", 1.5)
