"""What each scenario did and found: a line on the terminal as it goes, and a table at the end."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.faults.plan import Plan

FOLDER: Final = Path(__file__).parents[2] / "build"
COLUMNS: Final = {
    "events": "events",
    "faults": "faults",
    "aborted": "transactions aborted",
    "vain": "records of them",
    "lost": "lost",
    "doubled": "doubled",
    "dead_letters": "dead letters",
    "apart": "windows differ by",
}


@dataclass(frozen=True)
class Outcome:
    """What is left of a scenario: counts by name, and the seconds that something took."""

    counts: Mapping[str, Any]
    seconds: Mapping[str, Sequence[float]] = field(default_factory=dict)


class Report:
    """The outcomes by scenario. Those of earlier runs stay until their scenario runs again."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._outcomes: dict[str, Any] = {}
        self._began = time.monotonic()

    def say(self, what: str) -> None:
        """Write a line about how it goes."""
        sys.stdout.write(f"  {time.monotonic() - self._began:6.1f} s  {what}\n")
        sys.stdout.flush()

    def add(self, scenario: str, outcome: Outcome) -> None:
        """Take down what came out."""
        found = asdict(outcome)
        self._outcomes[scenario] = {**found, "plan": asdict(self._plan)}
        told = ", ".join(f"{name} {value}" for name, value in found["counts"].items())
        took = "; ".join(f"{name} {_spread(each)}" for name, each in outcome.seconds.items())
        self.say(f"{scenario}: {told}. {took}")

    def write(self) -> None:
        """Write ``build/faults.json`` and ``build/faults.md``."""
        FOLDER.mkdir(exist_ok=True)
        file = FOLDER / "faults.json"
        before = json.loads(file.read_text()) if file.exists() else {}
        merged = {**before, **self._outcomes}
        file.write_text(json.dumps(merged, indent=2) + "\n")
        (FOLDER / "faults.md").write_text(markdown(merged))


def markdown(outcomes: Mapping[str, Any]) -> str:
    """The outcomes as a table."""
    heads = ["scenario", *COLUMNS.values(), "seconds: p50, worst"]
    lines = [_row(heads), _row(["---", *["---:"] * len(COLUMNS), "---"])]
    for scenario, outcome in outcomes.items():
        counts = outcome["counts"]
        took = [f"{name} {_spread(each)}" for name, each in outcome["seconds"].items() if each]
        cells = [_cell(counts.get(name)) for name in COLUMNS]
        lines.append(_row([scenario, *cells, "; ".join(took)]))
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.0e}" if value else "0"


def _spread(seconds: Sequence[float]) -> str:
    if not seconds:
        return "–"
    return f"{median(seconds):.1f}, {max(seconds):.1f}"
