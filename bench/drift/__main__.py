"""`python -m bench.drift`: error rates and delays, beside river's; writes ``build/drift.json``."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
import polars as pl

from bench.drift.rates import experiments
from bench.drift.streams import Stream
from edml.apps.taxi import taxi

ROOT: Final = Path(__file__).parents[2]
BENCH_PYTHON: Final = ROOT / ".venv-bench" / "bin" / "python"
PROGRAM: Final = Path(__file__).with_name("off_the_shelf.py")
THIN: Final = Stream(per_hour=18)
MONTHS: Final = 14


@click.command()
@click.option("--runs", default=50, show_default=True, help="How many streams of each kind.")
def main(runs: int) -> None:
    """Measure, and print as it goes."""
    found: dict[str, dict[str, Any]] = {}
    for what, case, figures in experiments(runs):
        found.setdefault(what, {})[case] = figures
        print(f"{what} · {case}: {figures}", flush=True)
    if BENCH_PYTHON.exists():
        found["off the shelf"] = _off_the_shelf()
        print(found["off the shelf"])
    else:
        print("river is not there: `make bench` sets up its environment.")
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "drift.json").write_text(json.dumps(found, indent=1))


def _off_the_shelf() -> dict[str, dict[str, int]]:
    """How many alarms river's detectors raise in fourteen months in which nothing changes."""
    errors = THIN.errors(30 * MONTHS, 1).sort("event_time")
    squared = pl.col("error").clip(-taxi.clip, taxi.clip) ** 2
    days = errors.group_by_dynamic("event_time", every="1d").agg(squared.mean().alias("error"))
    values = {
        "squared errors, one by one": errors.select(squared)["error"],
        "errors, one by one": errors["error"],
        "mean squares of days": days["error"],
    }
    return {name: _alarms(each.to_numpy()) for name, each in values.items()}


def _alarms(values: Any) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "errors.npy"
        np.save(path, values)
        done = subprocess.run(
            [str(BENCH_PYTHON), str(PROGRAM), str(path)], check=True, capture_output=True, text=True
        )
    return {name: len(places) for name, places in json.loads(done.stdout).items()}


if __name__ == "__main__":
    main()
