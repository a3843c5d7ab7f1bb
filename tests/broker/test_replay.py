import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date

import pytest

from edml.apps.taxi import history
from edml.cli.replay import Report, replay_log
from edml.errors import LogError
from edml.replay.plan import Plan
from tests.broker.city import City, eventually
from tests.trips import trips

DAY = "2019-11-28"
"""A day of the simulated city, of which every replay here is a part or the whole."""

COUNT = history(None, date(2019, 11, 28), date(2019, 11, 29)).frame.height


@contextmanager
def replaying(city: City, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run ``edml replay`` for as long as the context lasts."""
    settings = city.cluster.settings
    process = subprocess.Popen(
        [sys.executable, "-m", "edml", "replay", "--json", *arguments],
        env={
            **os.environ,
            "EDML_HOME": str(settings.home),
            "EDML_BOOTSTRAP_SERVERS": str(settings.bootstrap_servers),
            "EDML_REGISTRY_URL": settings.registry.url,
            "EDML_TOPIC_PREFIX": settings.topic_prefix,
        },
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def report(process: "subprocess.Popen[str]") -> Report:
    """What the command says when it has ended well."""
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    facts = json.loads(output)
    del facts["replay"], facts["source"]
    return Report(**facts)


def times_written(city: City) -> dict[str, Counter[int]]:
    """By topic, how many keys are there how many times; a key is in both topics as often."""
    return {
        topic: Counter(Counter(each.key() for each in city.read(topic)).values())
        for topic in (city.app.event.topic, city.app.outcome.topic)
    }


def both(city: City, counts: dict[int, int]) -> dict[str, Counter[int]]:
    """The same counts for pick-ups and drop-offs."""
    return {city.app.event.topic: Counter(counts), city.app.outcome.topic: Counter(counts)}


def test_a_replay_writes_everything_once_unless_it_is_told_to_write_again(city: City) -> None:
    """The same command twice writes each record once; with --again, a second time."""
    day = ("--day", DAY, "--speed", "max")
    with replaying(city, *day) as process:
        first = report(process)
    with replaying(city, *day) as process:
        second = report(process)
    assert (first.records, first.already, first.written) == (2 * COUNT, 0, 2 * COUNT)
    assert (second.records, second.already, second.written) == (2 * COUNT, 2 * COUNT, 0)
    assert times_written(city) == both(city, {1: COUNT})
    with replaying(city, *day, "--again") as process:
        assert report(process).written == 2 * COUNT
    assert times_written(city) == both(city, {2: COUNT})


def test_a_replay_that_is_killed_goes_on_without_a_gap_or_a_double(city: City) -> None:
    """Killed with SIGKILL in the middle, twice, it goes on: each record is there once."""
    city.cluster.create()
    for killed_after in (100, 400):
        with replaying(city, "--day", DAY, "--rate", "200") as process:
            eventually(lambda n=killed_after: len(city.read(city.app.event.topic)) > n)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
    with replaying(city, "--day", DAY, "--speed", "max") as process:
        last = report(process)
    assert last.already > 500
    assert last.written > 0
    assert last.already + last.written == 2 * COUNT
    assert times_written(city) == both(city, {1: COUNT})


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(city: City) -> None:
    """What was written is committed, and the command ends well."""
    city.cluster.create()
    with replaying(city, "--day", DAY, "--rate", "200") as process:
        eventually(lambda: len(city.read(city.app.event.topic)) > 0)
        process.send_signal(signal.SIGINT)
        stopped = report(process)
    assert 0 < stopped.written < 2 * COUNT
    assert "the same command goes on with them" in stopped.sentence()
    assert sum(sum(counts.values()) for counts in times_written(city).values()) == stopped.written


def test_who_takes_a_replay_over_shuts_the_other_out(city: City) -> None:
    """Of two that write the same replay at a time, the first one is fenced; nothing is doubled."""
    city.cluster.create()
    plan = Plan.of(city.app, trips(20))
    with (
        closing(replay_log(city.cluster, plan)) as first,
        closing(replay_log(city.cluster, plan)) as second,
    ):
        second.write(plan.records(0, 10), (10, 0))
        with pytest.raises(LogError, match="started elsewhere"):
            first.write(plan.records(0, 10), (10, 0))
        second.write(plan.records(10, 40), (40, 0))
        assert second.done() == (40, 0)
    assert times_written(city) == both(city, {1: 20})


def test_a_shifted_replay_is_another_one(city: City) -> None:
    """The same trips shifted stand beside the others, under other keys, as if they were others."""
    city.cluster.create()
    for weeks in (0, 230):
        plan = Plan.of(city.app, trips(20), weeks=weeks)
        with closing(replay_log(city.cluster, plan)) as log:
            assert log.done() == (0, 0)
            log.write(plan.records(0, 40), (40, 0))
    assert times_written(city) == both(city, {1: 40})
