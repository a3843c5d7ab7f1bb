"""What the demo says at its end: what was seen, and what to try next."""

import os
from pathlib import Path
from typing import Final

from edml.demo.home import Home
from edml.demo.report import Report, VersionReport
from edml.settings import ENVIRONMENT_PREFIX

COURSE: Final = ("alarmed", "retrained", "rejected", "failed", "promoted", "dropped", "rolled_back")
"""What is told of the loop."""


def farewell(report: Report, home: Home) -> str:
    """The summary, and commands that work from here."""
    p50, p99 = (report.latency_ms[name] or 0.0 for name in ("p50", "p99"))
    settings = f"export EDML_CONFIG={_short(home.config)}"
    if stronger := [name for name in os.environ if _is_setting(name)]:
        settings = f"unset {' '.join(sorted(stronger))}; {settings}"
    versions = "\n".join(_version(each) for each in report.versions)
    return f"""
{report.events:,} events, {_from(report.data)}:
{report.predictions:,} were predicted, each exactly once; {report.scored:,} have met their outcome;
{report.dead_letters} were bad on purpose, and are kept as dead letters.
{report.rate_per_s:.0f} answers a second, half within {p50:.0f} ms, 99 of 100 within {p99:.0f} ms.

{versions}
{_course(report)}
What the demo wrote is still there. To look around:

  {settings}
  edml up              # the demo's log again
  edml models          # both versions, and which one answers
  edml scores          # their errors
  edml dead-letters    # the bad records, each with its cause
  edml topics
  edml report --output {_short(home.directory / "report.html")}    # one page about the models
  edml down
"""


def _from(data: str) -> str:
    return data if data == "simulated" else f"from {data}"


def _version(each: VersionReport) -> str:
    rmse = "nothing scored" if each.rmse is None else f"RMSE {each.rmse:.2f}"
    return f"  {each.version:<32}  {each.role:<10} {each.count:>7,} scored  {rmse}"


def _course(report: Report) -> str:
    """What the loop did, by the time of the events; empty where nobody was alarmed."""
    told = [each for each in report.releases if each["kind"] in COURSE and each["event_time"]]
    if not any(each["kind"] == "alarmed" for each in told):
        return ""
    lines = [
        f"  {str(each['event_time'])[:10]}  {each['kind']:<11}  {each['cause'] or each['version']}"
        for each in told
    ]
    return "\n".join(["", "What the loop did, by the days of the events:", "", *lines, ""])


def _is_setting(variable: str) -> bool:
    """Whether a variable of the environment is a setting, which would win over the demo's."""
    return variable.startswith(ENVIRONMENT_PREFIX) and variable != "EDML_CONFIG"


def _short(path: Path) -> str:
    """The path from here, where it is below."""
    here = Path.cwd()
    return str(path.absolute().relative_to(here) if path.absolute().is_relative_to(here) else path)
