"""``edml replay``: past events and their outcomes happen again, at their own pace or faster."""

import time
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from math import inf
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final

import click

from edml.cli.dates import Day
from edml.cli.options import application_option, json_option
from edml.errors import UsageError

if TYPE_CHECKING:
    from edml.kafka.replayer import Replayer
    from edml.replay.pacer import Pacer
    from edml.replay.plan import Plan
    from edml.wiring import Cluster

USUAL_SPEED: Final = 60.0
NOW: Final = "now"


def _speed(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """A factor; ``max``, and 0, are infinite."""
    if value is None:
        return None
    try:
        factor = inf if value == "max" else float(value)
    except ValueError:
        factor = -1.0
    if not factor >= 0:
        raise click.BadParameter(
            f"{value!r} is no speed: write a factor such as 60, or max", ctx, param
        )
    return factor or inf


def _target(ctx: click.Context, param: click.Parameter, value: str | None) -> str | date | None:
    """A day; ``now`` stays what it is."""
    if value is None or value == NOW:
        return value
    return _today() if value == "today" else Day("first").convert(value, param, ctx)


@click.command(
    epilog="""\b
Example:
  edml replay --day 2019-11-28                               # a day in 24 minutes
  edml replay --from 2019-11-25 --to 2019-12-08 --rate 200   # two weeks, 200 records a second
  edml replay --from 2019-11 --to 2019-11 --shift-to now --speed 1"""
)
@application_option
@click.option("--day", type=Day("first"), metavar="DAY", help="The day to replay.")
@click.option("--from", "start", type=Day("first"), metavar="DAY", help="Or the first of many …")
@click.option("--to", "end", type=Day("last"), metavar="DAY", help="… and the last one, included.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="The folder of past events.  [default: EDML_DATA, or simulated ones]",
)
@click.option(
    "--speed",
    metavar="FACTOR",
    callback=_speed,
    help="So many times as fast as it happened; `max` is all at once.  [default: 60]",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="Instead: N records a second, in the order of their times.",
)
@click.option(
    "--shift-to",
    "target",
    metavar="DAY|today|now",
    callback=_target,
    help="Move the events by whole weeks: the last day comes as late as this day allows. With "
    "`now`, today is among the days, and the replay begins with this moment.",
)
@click.option("--again", is_flag=True, help="Write once more what has been written already.")
@json_option
def command(
    *,
    app: str | None,
    day: date | None,
    start: date | None,
    end: date | None,
    data: Path | None,
    speed: float | None,
    rate: float | None,
    target: str | date | None,
    again: bool,
    as_json: bool,
) -> None:
    """Write past events and outcomes to the log, each at its own time.

    Press p or the space bar to pause and to go on, Ctrl-C to stop. The same command goes on where
    it stopped and writes nothing twice, for as long as Kafka keeps offsets (a week by default).
    """
    if speed is not None and rate is not None:
        raise UsageError("--speed and --rate exclude each other", todo="give one of them")
    first, following = _days(day, start, end)

    from edml import wiring
    from edml.cli.running import stopped_by_signals
    from edml.cli.tables import print_json
    from edml.replay.plan import Plan

    with wiring.cluster(app) as cluster, stopped_by_signals() as stop:
        past = cluster.application.history(data or cluster.settings.data, first, following)
        weeks = _weeks(target, first, following - timedelta(days=1))
        plan = Plan.of(cluster.application, past.frame, weeks=weeks)
        report = _replay(
            cluster, plan, _pacer(plan, speed, rate), stop, again=again, from_now=target == NOW
        )
    if as_json:
        print_json({"replay": plan.id, "source": past.source, **asdict(report)})
    else:
        click.echo(report.sentence())


@dataclass(frozen=True)
class Report:
    """What became of a replay: of its ``records``, so many were ``already`` there or left out."""

    records: int
    already: int
    left_out: int
    written: int
    seconds: float

    def sentence(self) -> str:
        """The same for a person."""
        already = f", {self.already:,} were there already" if self.already else ""
        left_out = f", {self.left_out:,} lie before now" if self.left_out else ""
        what = f"{self.written:,} records are written{already}{left_out}."
        left = self.records - self.written - self.already - self.left_out
        if left:
            return f"{what} {left:,} are left: the same command goes on with them."
        if not self.written and self.already:
            return f"{what} With --again they are written once more."
        return what


def _replay(
    cluster: "Cluster", plan: "Plan", pacer: "Pacer", stop: Event, *, again: bool, from_now: bool
) -> Report:
    from edml.cli.replay_display import replay_display
    from edml.replay.run import Done, Replay, run

    cluster.create()
    with closing(replay_log(cluster, plan)) as log, replay_display(plan, stop) as display:
        before = Done() if again else Done(*log.done())
        at = datetime.now(UTC) if from_now else None
        started_s = time.monotonic()
        replay = Replay(plan, pacer, before).begin(now_s=started_s, at=at)
        end = run(replay, log, display, clock_s=time.monotonic)
        return Report(
            records=len(plan),
            already=before.records - before.since,
            left_out=replay.done.since,
            written=end.records - replay.done.records,
            seconds=round(time.monotonic() - started_s, 3),
        )


def replay_log(cluster: "Cluster", plan: "Plan") -> "Replayer":
    """Where the plan's records are written, in the replay's own name."""
    from edml.kafka.codec.schema import avro_schema
    from edml.kafka.replayer import Replayer
    from edml.kafka.serdes import FrameEncoder

    app = cluster.application
    return Replayer(
        cluster.settings.client(),
        group=f"{cluster.settings.topic_prefix}edml.replay.{app.name}.{plan.id}",
        topic=app.event.topic,
        encoders={
            each.topic: FrameEncoder(
                cluster.registry, each.topic, avro_schema(each.schema), key=each.key
            )
            for each in (app.event, app.outcome)
        },
    )


def _pacer(plan: "Plan", speed: float | None, rate: float | None) -> "Pacer":
    from edml.replay.pacer import Pacer

    if rate is not None:
        return Pacer.at_rate(len(plan), rate)
    return Pacer.at_speed(plan.seconds, speed or USUAL_SPEED)


def _days(day: date | None, start: date | None, end: date | None) -> tuple[date, date]:
    """The days, from the first up to the one after the last."""
    if day is not None and start is None and end is None:
        return day, day + timedelta(days=1)
    if day is None and start is not None and end is not None and start < end:
        return start, end
    raise UsageError(
        "it is not said which days to replay",
        todo="name one with --day 2019-11-28, or many with --from 2019-11-25 --to 2019-12-08",
    )


def _weeks(target: str | date | None, first: date, last: date) -> int:
    from edml.replay.plan import weeks_around, weeks_to

    if target is None:
        return 0
    if isinstance(target, date):
        return weeks_to(last, target)
    return weeks_around(first, last, _today())


def _today() -> date:
    return datetime.now().astimezone().date()
