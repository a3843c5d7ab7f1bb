"""A scene for each scenario, and one report of all."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.broker.city import City
from tests.broker.conftest import city
from tests.faults.plan import Plan
from tests.faults.report import Report
from tests.faults.scene import Scene, under_load

__all__ = ["city"]

PLAN = Plan.read()


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """The report of this run; `make faults` has it written."""
    report = Report(PLAN)
    yield report
    if PLAN.report:
        report.write()


@pytest.fixture
def scene(city: City, tmp_path: Path, report: Report) -> Iterator[Scene]:
    """A city under load."""
    with under_load(city, tmp_path, PLAN, report) as scene:
        yield scene


@pytest.fixture
def soak(city: City, tmp_path: Path, report: Report) -> Iterator[Scene]:
    """A city under half of the load that the machine can take."""
    with under_load(city, tmp_path, replace(PLAN, rate=PLAN.soak_rate), report) as scene:
        yield scene
