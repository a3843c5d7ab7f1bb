import numpy as np
import pytest

from bench.flow import Arrivals
from bench.latency import Taken, best_that_keeps_up, judged
from bench.measure import Latency, Sample, advances, latency, ratios, spread, steady
from bench.report import BEGIN, END, with_tables
from bench.runs import Run, beside, with_the_better_of
from bench.watch import enough


def growing(per_step: int, steps: int, *, every_s: float = 1.0) -> list[Sample]:
    """A topic that grows by the same in every step; the first sample is the empty topic."""
    return [
        Sample(step * every_s, step * per_step, step * 0.5, step * 0.25)
        for step in range(steps + 1)
    ]


def run(rate: float) -> Run:
    """A run of which only the rate matters."""
    return Run(
        records_per_s=rate,
        startup_s=2.0,
        seconds=10.0,
        records=100,
        repeated=0,
        cpu_us=5.0,
        broker_cpu_us=2.0,
        rss_mb=100.0,
        others_cores=0.0,
    )


def taken(p99_ms: float, *, keeps_up: bool = True) -> Taken:
    """A latency of which only the p99 matters."""
    return Taken(Latency(1.0, 2.0, p99_ms, p99_ms, 100), keeps_up, 0.0)


def test_an_advance_is_a_sample_that_shows_something_new() -> None:
    """Samples that show what the one before showed are left out."""
    samples = [Sample(0, 5), Sample(1, 5), Sample(2, 9), Sample(3, 9), Sample(4, 10)]
    assert advances(samples) == [Sample(2, 9), Sample(4, 10)]


def test_the_steady_middle_leaves_the_warm_up_out() -> None:
    """What comes in the first seconds after the first output does not count."""
    slow_start = [Sample(0, 0), Sample(1, 1), Sample(2, 2), Sample(3, 3)]
    fast = [Sample(4 + step, 100 * step + 103) for step in range(7)]
    window = steady(slow_start + fast, warm_s=3.0)
    assert window is not None
    assert (window.offsets, window.seconds) == (600, 6)


def test_whoever_commits_seldom_is_measured_from_commit_to_commit() -> None:
    """Samples between two commits change nothing, wherever the measurement begins or ends."""
    seldom = [Sample(tick / 10, 1_000 * (tick // 20)) for tick in range(119)]
    window = steady(seldom, warm_s=1.0)
    assert window is not None
    assert window.offsets / window.seconds == pytest.approx(500.0)


def test_of_a_short_run_the_first_half_is_left_out() -> None:
    """A backlog that is empty before the warm-up is over still gives a figure."""
    window = steady(growing(10, 8), warm_s=60.0)
    assert window is not None
    assert (window.first.at_s, window.last.at_s) == (5.0, 8.0)


def test_of_few_advances_the_last_two_are_taken() -> None:
    """Who commits twice at once and then late has a rate, too."""
    window = steady([Sample(0, 0), Sample(1, 5), Sample(1.2, 6), Sample(9, 45)], warm_s=60.0)
    assert window is not None
    assert (window.offsets, window.first.at_s) == (39, 1.2)


def test_whoever_commits_seldom_is_watched_until_enough_was_seen() -> None:
    """Time is up only after some commits; and a backlog that is worked off ends it at once."""
    commits = [Sample(0, 1), Sample(6, 2), Sample(12, 3)]
    assert not enough(commits[:2], now=13.0, seconds=5.0)
    assert enough(commits, now=12.1, seconds=5.0)
    assert not enough(commits, now=12.1, seconds=60.0)
    assert enough(commits, now=20.0, seconds=60.0)


def test_a_run_without_two_advances_has_no_steady_middle() -> None:
    """One commit has no rate, and no commit has none."""
    assert steady([Sample(0, 0), Sample(1, 0)], warm_s=1.0) is None
    assert steady(growing(10, 1), warm_s=1.0) is None


def test_a_window_tells_the_processor_time_taken_in_it() -> None:
    """The peer's and the broker's, from its first advance to its last."""
    window = steady(growing(10, 8), warm_s=4.0)
    assert window is not None
    assert (window.peer_cpu_s, window.broker_cpu_s) == (1.5, 0.75)


def test_a_spread_is_the_median_between_the_lowest_and_the_highest() -> None:
    """In whatever order the rounds came."""
    found = spread([3.0, 1.0, 10.0])
    assert (found.median, found.low, found.high, found.rounds) == (3.0, 1.0, 10.0, 3)


def test_ratios_are_taken_round_by_round() -> None:
    """A round in which the whole machine was slow does not change them."""
    assert ratios([100.0, 10.0, 90.0], [50.0, 5.0, 30.0]).median == 2.0


def test_rounds_that_do_not_pair_are_an_error() -> None:
    """Ratios of different numbers of rounds would mean nothing."""
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_latency_is_told_in_milliseconds() -> None:
    """Percentiles of a hundred events that took 1 to 100 ms."""
    found = latency(np.arange(1, 101) / 1000)
    assert (found.worst_ms, found.events) == (100.0, 100)
    assert found.p50_ms == pytest.approx(50.5)
    assert found.p99_ms == pytest.approx(99.01)


def test_a_stall_is_charged_to_every_event_that_it_kept_waiting() -> None:
    """Latency counts from when an event was due: a second's stall is seen a thousand times."""
    due = np.arange(4_000) / 1_000
    arrived = np.where((due > 2) & (due < 3), 3.0, due + 0.001)
    found = judged(Arrivals(due, arrived, repeated=0, behind_s=0.0), warm_s=1.0).latency
    assert found.events == 3_000
    assert found.worst_ms == pytest.approx(999.0)
    assert found.p95_ms > 800


def test_a_peer_that_falls_behind_does_not_keep_up() -> None:
    """Its last events are late by more than a second, though its first ones are not."""
    due = np.arange(10_000) / 1_000
    assert judged(Arrivals(due, due + 0.01, 0, 0.0), warm_s=2.0).keeps_up
    assert not judged(Arrivals(due, due * 1.2, 0, 0.0), warm_s=2.0).keeps_up


def test_a_peer_that_loses_an_event_does_not_keep_up() -> None:
    """What never arrived is counted, and left out of the percentiles."""
    due = np.arange(1_000) / 1_000
    arrived = due + 0.01
    arrived[500] = np.nan
    arrivals = Arrivals(due, arrived, 0, 0.0)
    assert arrivals.lost == 1
    assert not judged(arrivals, warm_s=0.0).keeps_up
    assert judged(arrivals, warm_s=0.0).latency.events == 999


def test_latency_of_a_span_is_that_of_the_events_due_in_it() -> None:
    """However late they arrived."""
    arrivals = Arrivals(np.array([0.0, 1.0, 2.0, 3.0]), np.array([9.0, 1.5, 8.0, 3.1]), 0, 0.0)
    assert arrivals.latency_s(since=1.0, until=3.0).tolist() == [0.5, 6.0]


def test_the_best_commit_interval_is_one_that_keeps_up() -> None:
    """The least p99 does not count where the peer falls behind; None where all of them do."""
    curve = {"25": taken(40), "10": taken(30), "5": taken(20, keeps_up=False)}
    assert best_that_keeps_up(curve) == "10"
    assert best_that_keeps_up({"5": curve["5"]}) is None


def test_a_peer_is_as_fast_as_with_its_better_number_of_threads() -> None:
    """The faster of two is taken under the name that they share."""
    runs = {"streams_1": [run(10)], "streams_2": [run(30)], "other": [run(99)]}
    assert with_the_better_of(runs, "streams")["streams"] == [run(30)]
    assert with_the_better_of({"other": [run(99)]}, "streams") == {"other": [run(99)]}


def test_our_figures_stand_beside_how_many_times_we_do_what_they_do() -> None:
    """The median of the rounds' ratios, and their spread."""
    told = beside([run(100), run(120), run(90)], {"pipe": [run(200), run(200), run(100)]})
    assert told["ratio_to"] == {"pipe": 0.6}
    assert told["ratio_spread_to"]["pipe"] == {"median": 0.6, "low": 0.5, "high": 0.9, "rounds": 3}
    assert told["records_per_s"]["median"] == 100
    assert told["verified_records"] == 300


def test_tables_replace_those_between_a_page_s_marks() -> None:
    """What stands before and after stays, and doing it again changes nothing."""
    page = f"# Title\n\n{BEGIN}\nold\n{END}\n\nafter\n"
    once = with_tables(page, "| new |\n")
    assert once == f"# Title\n\n{BEGIN}\n\n| new |\n\n{END}\n\nafter\n"
    assert with_tables(once, "| new |\n") == once
