"""The figures as Markdown tables for the documentation."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

BEGIN = "<!-- figures -->"
END = "<!-- end of figures -->"

Figures = Mapping[str, Any]
Row = Sequence[str]


def markdown(measured: Figures, plots: Collection[str] = ()) -> str:
    """Every table that the figures give, and under it the plot of the same name where there is."""
    parts = list(_circumstances(measured["circumstances"]))
    for name, section in SECTIONS.items():
        if name in measured:
            parts += section(measured[name])
            parts += [
                f"\n![{PLOTS[name]}]({each})" for each in plots if each.endswith(f"-{name}.svg")
            ]
    return "\n".join(parts) + "\n"


def with_tables(page: str, tables: str) -> str:
    """A page of the documentation with these tables between its two marks."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def _circumstances(facts: Figures) -> Iterator[str]:
    plan = facts["plan"]
    rounds = "1 round" if plan["rounds"] == 1 else f"{plan['rounds']} rounds"
    yield (
        f"Taken on {facts['at'][:10]} with {facts['cores']} cores, on which the broker runs, too; "
        f"the load before was {facts['load_before']:.1f}. Kafka {facts['kafka']}, Python "
        f"{facts['python']}, ONNX Runtime {facts['onnxruntime']} for all. {rounds}, "
        f"{plan['measure_s']:.0f} s each."
    )


def _serving(by_guarantee: Figures) -> Iterator[str]:
    for guarantee, figures in by_guarantee.items():
        there = [name for name in ("onnx", "onnx_2", "savedmodel") if name in figures]
        ours = {f"**edml, {name}**": figures[name] for name in there}
        compared = [f"{name} ÷" for name in there]
        ratios = [figures[name]["ratio_to"] for name in there]
        yield from heading(f"Serving, {_words(guarantee)}")
        yield from _rates("records/s", ours, figures["peers"], compared, ratios)


def _scoring(figures: Figures) -> Iterator[str]:
    yield from heading("Scoring, exactly once")
    ours = {"**edml score**": figures}
    yield from _rates("matched/s", ours, figures["peers"], ["edml ÷"], [figures["ratio_to"]])


def _rates(
    unit: str, ours: Figures, peers: Figures, compared: Row, ratios: Sequence[Figures]
) -> Iterator[str]:
    rows = [
        [
            name,
            f"{each['records_per_s']['median']:,.0f}",
            f"{each['records_per_s']['low']:,.0f}–{each['records_per_s']['high']:,.0f}",
            *(f"{ratio[name]:.2f}" if name in ratio else "" for ratio in ratios),
            f"{each['cpu_us']:.1f}",
            f"{each['broker_cpu_us']:.1f}",
            f"{each['rss_mb']:,.0f}",
            f"{each['startup_s']:.1f}",
            f"{each['others_cores']:.2f}",
        ]
        for name, each in {**ours, **peers}.items()
    ]
    taken = ["CPU µs a record", "broker's", "MB", "first output, s", "others' cores"]
    yield from table(["", unit, "lowest–highest", *compared, *taken], rows)


def _latency(by_rate: Figures) -> Iterator[str]:
    yield from heading("Latency, ms from when an event is due to when it is read")
    rows = [
        [name, f"{int(rate):,}", _words(guarantee), *_percentiles(each)]
        for rate, by_guarantee in by_rate.items()
        for guarantee, figures in by_guarantee.items()
        for name, each in {"**edml**": figures, **figures["peers"]}.items()
    ]
    yield from table(["", "events/s", "guarantee", "p50", "p95", "p99", "lowest–highest", ""], rows)


def _percentiles(figures: Figures) -> Row:
    shown = [f"{figures[name]:,.1f}" for name in ("p50_ms", "p95_ms", "p99_ms")]
    p99 = figures["p99_rounds_ms"]
    apart = f"{p99['low']:,.1f}–{p99['high']:,.1f}" if p99["rounds"] > 1 else ""
    return [*shown, apart, "" if figures["keeps_up"] else "falls behind"]


def _swap(figures: Figures) -> Iterator[str]:
    yield from heading("A model swapped under load, 5,000 events/s, exactly once")
    rows = [
        [
            name,
            f"{each['p99_before_ms']:,.1f}",
            f"{each['p99_during_ms']:,.1f}",
            f"{each['p99_ratio']:.2f}",
            str(each["lost"]),
            str(each["doubled"]),
        ]
        for name, each in figures.items()
        if name in {"onnx", "savedmodel"}
    ]
    head = ["", "p99 before, ms", "p99 during, ms", "ratio", "lost", "doubled"]
    yield from table(head, rows)


def _recovery(figures: Figures) -> Iterator[str]:
    serving = figures["serving"]
    first = serving["first_record_s"]
    yield from heading("After a kill -9")
    rows = [
        [
            "serving at 5,000 events/s, to its first record",
            f"{first['median']:.1f} ({first['low']:.1f}–{first['high']:.1f})",
        ],
        *(
            [f"scoring with {int(number):,} open records, to its first score", f"{seconds:.1f}"]
            for number, seconds in figures["scoring"]["first_score_s"].items()
        ),
    ]
    yield from table(["", "s"], rows)
    yield ""
    yield f"Lost: {serving['lost']}. Doubled: {serving['doubled']}."


GROWING = {
    "models": "models that serve",
    "partitions": "partitions",
    "note_bytes": "bytes of text that an event has beside what the model needs",
    "open_records": "records that scoring holds",
}


def _growth(figures: Figures) -> Iterator[str]:
    yield from heading("What an event costs as things grow, exactly once, ONNX")
    rows = [
        [
            GROWING[what],
            f"{int(size):,}",
            f"{each['events_per_s']:,.0f}",
            f"{each['cpu_us']:.1f}",
            f"{each['broker_cpu_us']:.1f}",
            f"{each['rss_mb']:,.0f}",
        ]
        for what, sizes in figures.items()
        for size, each in sizes.items()
    ]
    yield from table(["", "how many", "events/s", "CPU µs an event", "broker's", "MB"], rows)


def _profile(figures: Figures) -> Iterator[str]:
    yield from heading("Where the time goes: serving with ONNX under backlog")
    rows = [
        *([row["thread"], row["stage"], f"{row['cpu_us']:.2f}"] for row in figures["rows"]),
        ["", "**in all**", f"**{figures['cpu_us']:.2f}**"],
    ]
    yield from table(["thread", "what", "CPU µs a record"], rows)


PLOTS = {
    "serving": "Records a second of edml, its limit and its peers",
    "latency": "The p99 by rate, and Kafka Streams' latency by its commit interval",
    "swap": "The p99 before and after a new model is on the log",
    "recovery": "Seconds from a kill to the first output, by open records",
    "growth": "Processor time an event as models, partitions, width and open records grow",
}
"""What a plot shows, for who cannot see it."""

SECTIONS: Mapping[str, Callable[[Figures], Iterator[str]]] = {
    "serving": _serving,
    "scoring": _scoring,
    "latency": _latency,
    "swap": _swap,
    "recovery": _recovery,
    "growth": _growth,
    "profile": _profile,
}


def _words(guarantee: str) -> str:
    return guarantee.replace("_", " ")


def heading(text: str) -> Iterator[str]:
    """A heading, with what sets it apart."""
    yield from ("", f"### {text}", "")


def table(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    """A Markdown table; the first column is text, the others are numbers."""
    yield _line(head)
    yield _line(["---", *["---:"] * (len(head) - 1)])
    yield from map(_line, rows)


def _line(cells: Row) -> str:
    return "| " + " | ".join(cells) + " |"
