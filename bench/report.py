"""The figures as Markdown tables for the documentation."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = Sequence[str]


def markdown(measured: Mapping[str, Any]) -> str:
    """Every table that the figures give."""
    parts = [*_circumstances(measured["circumstances"])]
    for guarantee, figures in measured.get("serving", {}).items():
        parts += ["", f"### Serving, {guarantee.replace('_', ' ')}", "", *_serving(figures)]
    return "\n".join(parts) + "\n"


def _circumstances(facts: Mapping[str, Any]) -> Iterator[str]:
    runtimes = facts["onnxruntime"]
    yield (
        f"{facts['at'][:10]}: {facts['cores']} cores, the broker's among them, load "
        f"{facts['load_before']:.1f} before; Kafka {facts['kafka']}, Python {facts['python']}, "
        f"ONNX Runtime {runtimes['python']} in Python and {runtimes['java']} in Java; "
        f"{facts['plan']['rounds']} rounds."
    )


def _serving(figures: Mapping[str, Any]) -> Iterator[str]:
    ours = {f"**edml, {name}**": figures[name] for name in ("onnx", "savedmodel")}
    flavours = figures["onnx"]["ratio_to"], figures["savedmodel"]["ratio_to"]
    rows = []
    for name, each in {**ours, **figures["peers"]}.items():
        rate = each["records_per_s"]
        rows.append(
            [
                name,
                f"{rate['median']:,.0f}",
                f"{rate['low']:,.0f}–{rate['high']:,.0f}",
                *(f"{ratio[name]:.2f}" if name in ratio else "" for ratio in flavours),
                f"{each['cpu_us']:.1f}",
                f"{each['broker_cpu_us']:.1f}",
                f"{each['rss_mb']:,.0f}",
                f"{each['startup_s']:.1f}",
            ]
        )
    head = [
        "",
        "records/s",
        "lowest–highest",
        "ONNX is × faster",
        "SavedModel is × faster",
        "CPU µs a record",
        "broker's",
        "MB",
        "first output after s",
    ]
    yield from table(head, rows)


def table(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    """A Markdown table; the first column is text, the others are numbers."""
    yield _line(head)
    yield _line(["---", *["---:"] * (len(head) - 1)])
    yield from map(_line, rows)


def _line(cells: Row) -> str:
    return "| " + " | ".join(cells) + " |"
