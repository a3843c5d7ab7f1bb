"""Draws the figures of ``study.json`` as SVGs; see `bench.programs.plots`."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.programs.job import job
from bench.programs.plots import GREY, OURS, PEER, STYLE, WIDE

Rows = Sequence[Mapping[str, Any]]

LINES: Final = {
    "static": ("static", "#8b949e", "-"),
    "calendar_12": ("calendar, 12 months", "#a371f7", "-"),
    "calendar_1": ("calendar, last month", PEER, "-"),
    "oracle": ("oracle", "#3fb950", ":"),
    "edml": ("edml", OURS, "-"),
}
MARKS: Final = {
    "alarmed": ("alarm", "v", "#f85149"),
    "rejected": ("candidate not admitted", "x", GREY),
    "dropped": ("challenger dropped", "o", GREY),
    "promoted": ("promoted", "^", OURS),
    "rolled_back": ("rolled back", "s", "#f85149"),
}


def rmse(weeks: Rows, releases: Rows) -> Figure:
    """The RMSE of everybody by week; below, what the loop did."""
    figure = Figure(figsize=(WIDE, 4.4))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[5, 1])
    at = [datetime.fromisoformat(each["week"]) for each in weeks]
    for name, (label, colour, style) in LINES.items():
        width = 2.0 if name == "edml" else 1.1
        values = [each[name] for each in weeks]
        above.plot(at, values, color=colour, linestyle=style, linewidth=width, label=label)
    above.set(ylabel="RMSE, minutes", ylim=(3, None))
    above.legend(fontsize=8, loc="upper left")
    _happened(below, releases)
    return figure


def _happened(axis: Axes, releases: Rows) -> None:
    """A line for each kind of release."""
    for height, (kind, (label, mark, colour)) in enumerate(reversed(MARKS.items())):
        at = [
            datetime.fromisoformat(each["at"]).replace(tzinfo=None)
            for each in releases
            if each["kind"] == kind
        ]
        axis.scatter(at, [height] * len(at), marker=mark, color=colour, s=18)
        axis.annotate(
            label,
            (0.0, height),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=7,
            va="center",
        )
    axis.set(yticks=[], ylim=(-0.6, len(MARKS) - 0.4))


def main() -> None:
    """Draw what there is; prints ``name=file``."""
    told = job()
    figures = json.loads(Path(told["figures"]).read_text(encoding="utf-8"))
    folder = Path(told["folder"])
    with mpl.rc_context(STYLE):
        figure = rmse(figures["weeks"], figures["releases"])
        figure.set_layout_engine("constrained")
        file = folder / "study-rmse.svg"
        figure.savefig(file, transparent=True, metadata={"Date": None})
        print(f"rmse={file.name}", flush=True)


if __name__ == "__main__":
    main()
