"""The demo's views: what stands on a terminal, and in lines."""

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from edml.demo.figures import Day, Errors, Figures, Happening, Latency, Sample, Served, Told
from edml.demo.screen import Screen, Topics, clock
from edml.demo.stages import DRIFT_NAMES, NAMES, Mark, Stages
from edml.demo.story import Story
from edml.demo.view import PlainView

AT = datetime(2019, 11, 28, 14, 30, tzinfo=UTC)
FIRST, SECOND = "0.1.0-20191128143000-1a2b3c4", "0.1.0-20191128150000-1a2b3c4-2"
TOPICS = Topics(
    events="taxi.pickups",
    predictions="taxi.predictions",
    scored="taxi.scored",
    dead_letters="edml.dead-letters",
    models="edml.models",
    unit="minutes",
)
BUSY = Figures(
    events=12_345,
    predictions=12_342,
    scored=12_001,
    dead_letters=3,
    rate_per_s=251.2,
    recent_latency=Latency(21.2, 148.4),
    champion=SECOND,
    served=(
        Served(FIRST, "champion", 9_000, Errors(8_800, 10, 80.0, 4e4, 3e5), (6.0, 5.5, 5.8)),
        Served(SECOND, "champion", 3_342, Errors(3_201, 900, 8.0, 9e3, 9e4), (5.0, 5.2)),
        Served(FIRST, "previous", 3_342, Errors(3_201, 900, 9.0, 9e3, 1e5), (5.9, 6.0)),
    ),
    samples=[
        Sample(f"{number:08x}-aaaa", "Staten Island", AT, 12.0, 10.0 if number < 30 else None)
        for number in range(40)
    ],
    happenings=[
        Happening(AT + timedelta(seconds=number), "dead letter", "a long cause " * 12)
        for number in range(12)
    ],
)


def stages() -> Stages:
    """In the middle of the second training."""
    stages = Stages.to_come()
    for number, name in enumerate(NAMES[:5]):
        stages = stages.began(name, number, "").done(name, number + 1.0, "")
    return stages.began("replay", 5, "trips happen again").began("retrain", 6, "it learns " * 12)


def rows(screen: Screen, width: int, height: int) -> Sequence[str]:
    """What stands on a terminal of this size."""
    out = io.StringIO()
    Console(file=out, width=width, height=height, force_terminal=True, color_system=None).print(
        screen
    )
    return out.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("figures", [Figures(), BUSY], ids=["at first", "busy"])
def test_a_screen_fits_its_terminal(width: int, height: int, figures: Figures) -> None:
    """Nothing is wrapped, and nothing lies below the last row."""
    shown = rows(Screen(TOPICS, "/a/long/folder" * 9, 72.3, stages(), figures), width, height)
    assert len(shown) <= height
    assert max(len(row) for row in shown) <= width


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_a_screen_shows_what_it_is_about(width: int, height: int) -> None:
    """Stages, figures, both versions with their roles and errors, a trip, what happened."""
    shown = "\n".join(rows(Screen(TOPICS, "simulated", 72.3, stages(), BUSY), width, height))
    for text in (
        *("✓ log", "● retrain", "○ swap", "1:12"),
        *("12,345", "251", "21 · 148", "taxi.pickups"),
        *(FIRST, SECOND, "was champion", "in the shadow", "5.84", "~5.30"),
        *("10.00", "+2.00", "dead letter"),
    ):
        assert text in shown


CHANGING = replace(
    BUSY,
    days=tuple(
        Day(AT.date() + timedelta(days=day), Errors(10, 0, 0.0, 0.0, 10.0 * (9 if day > 30 else 1)))
        for day in range(60)
    ),
    told=(
        Told("promoted", FIRST, None, None),
        Told("alarmed", FIRST, "RMSE", AT + timedelta(days=34)),
        Told("alarmed", FIRST, "bias", AT + timedelta(days=35)),
        Told("promoted", SECOND, None, AT + timedelta(days=58)),
    ),
)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_a_city_that_changes_has_its_course_on_the_screen(width: int, height: int) -> None:
    """RMSE by day, and below the days on which something happened, as far as there is room."""
    screen = Screen(TOPICS, "simulated", 72.3, Stages.to_come(DRIFT_NAMES), CHANGING)
    shown = rows(screen, width, height)
    assert len(shown) <= height
    assert max(len(row) for row in shown) <= width
    (course,) = [number for number, row in enumerate(shown) if row.startswith("RMSE by day")]
    assert "▃" * 15 in shown[course]
    assert "█" * 14 + " 3.00 minutes" in shown[course]
    of_a_point = 2 if width == 80 else 1
    first_day = len("RMSE by day  ")
    assert shown[course + 1].index("↑alarm 01 Jan") == first_day + 34 // of_a_point
    assert ("↑promoted 25 Jan" in shown[course + 1]) == (width > 80)
    assert "bias" not in shown[course + 1]


def test_before_anything_flows_the_screen_says_what_one_will_see() -> None:
    """Each topic with what it is for."""
    shown = "\n".join(rows(Screen(TOPICS, "simulated", 3, Stages.to_come()), 80, 24))
    assert "taxi.predictions     the model in service answers it, exactly once" in shown


def test_stages_are_to_come_under_way_done_or_failed() -> None:
    """What was done stays done when another one fails."""
    at_end = stages().failed(9.0)
    marks = {stage.name: stage.mark for stage in at_end.all}
    assert marks["log"] is Mark.DONE
    assert marks["retrain"] is Mark.FAILED
    assert marks["swap"] is Mark.TO_COME
    assert at_end.by_name["retrain"].lasted_s(50.0) == 3.0


def test_plain_lines_tell_each_thing_once() -> None:
    """However often the view is asked."""
    now_s = 0.0
    story = Story(TOPICS, "simulated", clock=lambda: now_s)
    out = io.StringIO()
    with PlainView(story, Console(file=out)) as view:
        story.changed = view.pulse
        story.begin("log", "a real Kafka")
        now_s = 65.0
        story.done("log", "Kafka at 127.0.0.1:9092")
        story.figures = lambda: Figures(happenings=(Happening(AT, "loaded", FIRST),))
        view.pulse()
        view.pulse()
    assert out.getvalue().splitlines() == [
        " 0:00  begin log: a real Kafka",
        " 1:05  done  log: Kafka at 127.0.0.1:9092",
        f" 1:05        loaded: {FIRST}",
    ]


def test_the_clock_counts_minutes_and_seconds() -> None:
    """And hours as minutes."""
    assert [clock(seconds) for seconds in (0, 65.9, 3_600)] == ["0:00", "1:05", "60:00"]
