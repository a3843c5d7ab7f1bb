from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench import latency, scoring, serving, swap
from bench.flow import Arrivals
from bench.latency import Taken
from bench.measure import Latency
from bench.report import markdown
from bench.runs import Run
from bench.swap import Swaps

KEYS = (
    *(
        f"serving.exactly_once.onnx.ratio_to.{peer}"
        for peer in ("pipe", "naive_python", "naive_java", "kafka_streams", "quix")
    ),
    "serving.exactly_once.savedmodel.ratio_to.pipe",
    "serving.exactly_once.savedmodel.ratio_to.quix_savedmodel",
    "scoring.ratio_to.kafka_streams",
    "scoring.ratio_to.quix",
    "latency.5000.exactly_once.p99_ms",
    "latency.5000.exactly_once.p99_ratio_to.kafka_streams",
    "latency.5000.at_least_once.p99_ms",
    "swap.p99_ratio",
    "swap.lost",
    "swap.doubled",
)
RATES = {
    "onnx": 120_000,
    "savedmodel": 60_000,
    "pipe": 150_000,
    "naive_python": 40_000,
    "naive_java": 100_000,
    "kafka_streams_1": 12_000,
    "kafka_streams_2": 20_000,
    "quix": 6_000,
    "quix_savedmodel": 1_000,
}
JOINED = {"edml": 60_000, "kafka_streams_1": 10_000, "kafka_streams_2": 15_000, "quix": 4_000}
CIRCUMSTANCES = {
    "at": "2026-01-01T00:00:00+00:00",
    "cores": 2,
    "load_before": 0.1,
    "kafka": "4",
    "python": "3",
    "onnxruntime": "1",
    "plan": {"rounds": 2, "measure_s": 8.0},
}


def runs(rates: dict[str, int]) -> dict[str, list[Run]]:
    """Two rounds of each peer, the second one 10% slower for all."""
    return {
        name: [Run(rate * share, 2.0, 8.0, 1_000, 0, 5.0, 2.0, 100.0, 0.0) for share in (1, 0.9)]
        for name, rate in rates.items()
    }


CURVE = {25: (90.0, 80.0, 10.0), 100: (160.0, 160.0, 160.0)}


def taken(*p99s_ms: float, keeps_up: bool = True) -> list[Taken]:
    """A latency by round, of which only the p99 matters."""
    return [Taken(Latency(1.0, 2.0, each, each, 100), keeps_up, 0.0) for each in p99s_ms]


def swaps(*, slower: float) -> Swaps:
    """Events at 100/s that take 10 ms, and after the swaps so many times as long."""
    due = np.arange(3_000) / 100
    took = np.where((due > 10) & (due < 15) | (due > 20) & (due < 25), 0.01 * slower, 0.01)
    return Swaps(Arrivals(due, due + took, repeated=1, behind_s=0.0), [10.0, 20.0], 5.0)


@pytest.fixture
def measured() -> dict[str, Any]:
    """What `bench.json` holds of a run whose figures are known."""
    curve = {f"kafka_streams_2_{ms}ms": taken(*p99s) for ms, p99s in CURVE.items()}
    curve["kafka_streams_2_5ms"] = taken(20.0, keeps_up=False)
    return {
        "circumstances": CIRCUMSTANCES,
        "serving": {"exactly_once": serving.told(runs(RATES))},
        "scoring": scoring.told(runs(JOINED)),
        "latency": {
            "5000": {
                "exactly_once": latency.told({"edml": taken(45.0, 40.0, 20.0), **curve}),
                "at_least_once": latency.told({"edml": taken(15.0), "pipe": taken(10.0)}),
            }
        },
        "swap": swap.told({"onnx": swaps(slower=1.2), "savedmodel": swaps(slower=1.5)}),
    }


def test_the_figures_stand_under_the_names_that_they_are_looked_up_by(
    measured: dict[str, Any],
) -> None:
    """Ratios, latencies and swaps, out of the rounds, flows and swaps that were recorded."""
    found = {}
    for key in KEYS:
        value: Any = measured
        for name in key.split("."):
            value = value[name]
        found[key] = value
    assert list(found.values()) == pytest.approx(
        [0.8, 3.0, 1.2, 6.0, 20.0, 0.4, 60.0, 4.0, 15.0, 40.0, 0.5, 15.0, 1.5, 0, 2]
    )


def test_the_time_around_a_swap_is_told_step_by_step() -> None:
    """The p99 before, and of the events that were due after it; where there are none, nothing."""
    around = swap.timeline(replace(swaps(slower=3.0), at_s=[10.0, 27.0]))
    told = dict(around)
    assert told[-1.0] == pytest.approx(10.0)
    assert told[1.0] == pytest.approx(20.0)  # the median of 30 and 10
    assert swap.timeline(replace(swaps(slower=3.0), at_s=[100.0])) == []


def test_every_figure_has_its_table_and_its_plot(measured: dict[str, Any]) -> None:
    """A plot stands under the tables of what it shows; in the terminal there are none."""
    page = markdown(measured, ["performance-swap.svg"])
    assert page.index("### A model swapped") < page.index("](performance-swap.svg)")
    assert "falls behind" in page
    assert "svg" not in markdown(measured)
