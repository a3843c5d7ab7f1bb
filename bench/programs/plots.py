"""Draws the figures of ``bench.json`` as SVGs: text as text, on no background.

Runs in the environment of requirements/bench.txt. Grey text and middling colours are read on light
pages and on dark ones.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.programs.job import job

OURS, LIMIT, PEER = "#2f81f7", "#8b949e", "#d29922"
COLOURS: Final = (OURS, PEER, "#3fb950", "#db61a2", "#a371f7", LIMIT)
GREY: Final = "#7d8590"
LINES: Final = {"exactly_once": "-", "at_least_once": ":"}
WIDE: Final = 8.0
AT: Final = "5000"
STYLE: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "edml",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GREY
    ),
}

Figures = Mapping[str, Any]
THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}")


def throughput(measured: Figures) -> Iterator[Figure]:
    """Records a second, exactly once, with the lowest and the highest round."""
    if "serving" not in measured:
        return
    told = measured["serving"]["exactly_once"]
    ours = {
        "edml, ONNX": "onnx",
        "edml, ONNX, 2 instances": "onnx_2",
        "edml, SavedModel": "savedmodel",
    }
    bars = {shown: told[name] for shown, name in ours.items() if name in told} | told["peers"]
    groups = {"serving, records/s": bars}
    if "scoring" in measured:
        scoring = measured["scoring"]
        groups["scoring, matched/s"] = {"edml score": scoring, **scoring["peers"]}
    heights = [len(each) for each in groups.values()]
    figure = Figure(figsize=(WIDE, 0.36 * sum(heights) + 0.8 * len(heights)))
    axes = figure.subplots(len(groups), height_ratios=heights, squeeze=False)
    for axis, (title, each) in zip(axes[:, 0], groups.items(), strict=True):
        _bars(axis, title, {name: one["records_per_s"] for name, one in each.items()})
    yield figure


def latency(measured: Figures) -> Iterator[Figure]:
    """The p99 by rate; and Kafka Streams' by its commit interval at one rate."""
    if "latency" not in measured:
        return
    figure = Figure(figsize=(WIDE, 3.4))
    by_rate, curve = figure.subplots(1, 2)
    rates = measured["latency"]
    for guarantee, style in LINES.items():
        points = [(int(rate), each[guarantee]) for rate, each in rates.items()]
        _line(by_rate, points, f"edml, {_words(guarantee)}", OURS, style)
        best = [
            (rate, each["peers"][each["best_kafka_streams"]])
            for rate, each in points
            if "best_kafka_streams" in each
        ]
        _line(by_rate, best, f"Kafka Streams' best, {_words(guarantee)}", PEER, style)
    by_rate.set(xscale="log", yscale="log", xlabel="events/s", ylabel="p99, ms")
    by_rate.xaxis.set_major_formatter(THOUSANDS)
    by_rate.yaxis.set_major_formatter(THOUSANDS)
    by_rate.set_xticks([int(rate) for rate in rates])
    by_rate.minorticks_off()
    by_rate.legend(fontsize=8)
    if AT in rates:
        _curve(curve, rates[AT]["exactly_once"])
    yield figure


def _curve(axis: Axes, told: Figures) -> None:
    """Percentiles of Kafka Streams by commit interval, with edml's p99 across."""
    points = sorted(
        (int(name.rpartition("_")[2].removesuffix("ms")), each)
        for name, each in told["peers"].items()
        if name.startswith("kafka_streams_2_")
    )
    for colour, percentile in zip(COLOURS[1:], ("p99", "p95", "p50"), strict=False):
        _line(axis, points, f"Kafka Streams, {percentile}", colour, "-", f"{percentile}_ms")
    axis.axhline(told["p99_ms"], color=OURS, linestyle="--", label="edml, p99")
    axis.set(
        xscale="log",
        yscale="log",
        xlabel="commit interval, ms",
        ylabel=f"ms, at {int(AT):,} events/s, exactly once",
    )
    axis.set_xticks([interval for interval, _ in points])
    axis.xaxis.set_major_formatter(THOUSANDS)
    axis.yaxis.set_major_formatter(THOUSANDS)
    axis.minorticks_off()
    axis.legend(fontsize=8)


def swap(measured: Figures) -> Iterator[Figure]:
    """The p99 around a swap, quarter second by quarter second."""
    if "swap" not in measured:
        return
    figure = Figure(figsize=(WIDE, 2.8))
    axis = figure.subplots()
    flavours = {n: e for n, e in measured["swap"].items() if isinstance(e, dict)}
    for colour, (flavour, told) in zip(COLOURS, flavours.items(), strict=False):
        axis.plot(*zip(*told["timeline"], strict=True), color=colour, label=flavour)
    axis.axvline(0.0, color=GREY, linestyle=":", label="the new model is on the log")
    axis.set(xlabel="s", ylabel="p99, ms", ylim=(0, None))
    axis.legend(fontsize=8)
    yield figure


def recovery(measured: Figures) -> Iterator[Figure]:
    """Until the first score after a kill, by the records that wait for their outcome."""
    if "recovery" not in measured:
        return
    told = measured["recovery"]
    figure = Figure(figsize=(WIDE, 2.8))
    axis = figure.subplots()
    points = [(int(n), {"s": seconds}) for n, seconds in told["scoring"]["first_score_s"].items()]
    _line(axis, points, "scoring, to the first score", OURS, "-", "s")
    first = told["serving"]["first_record_s"]["median"]
    axis.axhline(first, color=PEER, linestyle="--", label="serving, to the first record")
    axis.set(xscale="log", xlabel="open records", ylabel="s after kill -9", ylim=(0, None))
    axis.xaxis.set_major_formatter(THOUSANDS)
    axis.legend(fontsize=8)
    yield figure


def growth(measured: Figures) -> Iterator[Figure]:
    """Processor time an event, as things grow."""
    if "growth" not in measured:
        return
    figure = Figure(figsize=(WIDE, 2.6))
    axes = figure.subplots(1, len(measured["growth"]), sharey=True)
    for axis, (what, sizes) in zip(axes, measured["growth"].items(), strict=True):
        points = [(int(size), each) for size, each in sizes.items()]
        _line(axis, points, "edml", OURS, "-", "cpu_us")
        _line(axis, points, "broker", LIMIT, "-", "broker_cpu_us")
        axis.set(xlabel=_words(what), ylim=(0, None))
        axis.set_xscale("log")
        axis.set_xticks([size for size, _ in points])
        axis.xaxis.set_major_formatter(THOUSANDS)
        axis.minorticks_off()
    axes[0].set_ylabel("CPU µs an event")
    axes[0].legend(fontsize=8)
    yield figure


PLOTS: Final[Mapping[str, Callable[[Figures], Iterator[Figure]]]] = {
    "serving": throughput,
    "latency": latency,
    "swap": swap,
    "recovery": recovery,
    "growth": growth,
}


def _bars(axis: Axes, title: str, rates: Mapping[str, Figures]) -> None:
    names = list(rates)
    colours = [OURS if n.startswith("edml") else LIMIT if n == "pipe" else PEER for n in names]
    medians = [each["median"] for each in rates.values()]
    spread = [
        [each["median"] - each["low"] for each in rates.values()],
        [each["high"] - each["median"] for each in rates.values()],
    ]
    axis.barh(names, medians, color=colours, xerr=spread, ecolor=GREY)
    for place, median in enumerate(medians):
        axis.annotate(
            f"{median:,.0f}",
            (spread[1][place] + median, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
        )
    axis.invert_yaxis()
    axis.set_title(title, fontsize=10, loc="left")
    axis.margins(x=0.12)
    axis.xaxis.set_major_formatter(THOUSANDS)


def _line(  # noqa: PLR0913, PLR0917  what is drawn, and how
    axis: Axes,
    points: Sequence[tuple[int, Figures]],
    label: str,
    colour: str,
    style: str,
    value: str = "p99_ms",
) -> None:
    if points:
        at, values = [x for x, _ in points], [each[value] for _, each in points]
        axis.plot(at, values, style, color=colour, marker="o", markersize=4, label=label)


def _words(name: str) -> str:
    return name.replace("_", " ")


def main() -> None:
    """Draw what was measured into a folder, and say which files there are."""
    told = job()
    measured = json.loads(Path(told["figures"]).read_text(encoding="utf-8"))
    folder = Path(told["folder"])
    with mpl.rc_context(STYLE):
        for name, draw in PLOTS.items():
            for figure in draw(measured):
                figure.set_layout_engine("constrained")
                file = folder / f"performance-{name}.svg"
                figure.savefig(file, transparent=True, metadata={"Date": None})
                print(file.name, flush=True)


if __name__ == "__main__":
    main()
