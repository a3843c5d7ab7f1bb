"""One study: everybody on the same trips, in two processes."""

import multiprocessing
import time
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

from bench.study import outcome, rivals
from bench.study.closed_loop import ClosedLoop
from bench.study.past import Numbers, Past
from bench.study.plan import Plan
from edml.application import Application
from edml.apps.taxi import taxi
from edml.models.records import Release
from edml.trainer import dataset

APPLICATION: Final[Application] = taxi

Reigns = list[tuple[str, str]]


def study(name: str, data: Path, plan: Plan) -> dict[str, Any]:
    """All figures of one study. The processes tell how far they are."""
    began_s = time.perf_counter()
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        looped: Future[tuple[Numbers, list[Release], Reigns]] = processes.submit(
            loop, name, data, plan
        )
        others: Future[dict[str, Numbers]] = processes.submit(rivalled, name, data, plan)
        found, releases, reigns = looped.result()
        predictions = {**others.result(), outcome.EDML: found}
    figures = outcome.figures(_read(data, plan), plan, predictions, releases)
    return {
        **figures,
        "plan": {key: str(value) for key, value in vars(plan).items()},
        "champions": reigns,
        "releases": [told_of(each) for each in releases],
        "weeks": weekly(data, plan, predictions),
        "took_s": time.perf_counter() - began_s,
    }


def loop(name: str, data: Path, plan: Plan) -> tuple[Numbers, list[Release], Reigns]:
    """The closed loop: what it predicts, what has happened, and who was champion from when on."""
    past = _read(data, plan)
    closed = ClosedLoop(past, past.application.policy, lambda what: _tell(name, what))
    closed.run(rivals.first_champion(past, plan), plan.first, plan.tested)
    reigns = [(since.isoformat(), version) for since, version in closed.reigns]
    return closed.predictions, closed.releases, reigns


def rivalled(name: str, data: Path, plan: Plan) -> dict[str, Numbers]:
    """What everybody else predicts."""
    past = _read(data, plan)

    def tell(what: str) -> None:
        _tell(name, what)

    champion = rivals.first_champion(past, plan)
    return {
        outcome.STATIC: rivals.static(past, plan, champion),
        outcome.YEAR: rivals.calendar(past, plan, tell, months=12),
        outcome.MONTH: rivals.calendar(past, plan, tell, months=1),
        outcome.ORACLE: rivals.oracle(past, plan, tell),
    }


def weekly(data: Path, plan: Plan, predictions: Mapping[str, Numbers]) -> list[dict[str, Any]]:
    """The RMSE of each by week, for the plot."""
    past = _read(data, plan)
    return [
        {
            "week": str(week.start),
            **{name: outcome.of(past, week, each) for name, each in predictions.items()},
        }
        for week in outcome.weeks(plan.tested)
    ]


def _read(data: Path, plan: Plan) -> Past:
    return Past(APPLICATION, dataset.read(APPLICATION, data, plan.whole).examples)


def told_of(release: Release) -> dict[str, Any]:
    """A release, ready for JSON."""
    return {
        "at": release.at.isoformat(),
        "kind": release.kind,
        "version": release.version,
        "cause": release.cause,
        "evidence": release.evidence,
    }


def _tell(name: str, what: str) -> None:
    print(f"{name}: {what}", flush=True)
