"""The study's figures as Markdown, for the documentation."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bench.report import heading, table
from bench.study.outcome import EDML, MONTH, ORACLE, STATIC, YEAR

NAMES: Final = {
    STATIC: "static",
    YEAR: "calendar, 12 months",
    MONTH: "calendar, last month",
    EDML: "**edml**",
    ORACLE: "oracle",
}
WORLDS: Final = "elsewhere"
TOLD: Final = (
    "alarmed",
    "requested",
    "rejected",
    "retrained",
    "promoted",
    "dropped",
    "rolled_back",
)

Figures = Mapping[str, Any]


def markdown(figures: Figures, plots: Mapping[str, str]) -> str:
    """All tables, and the plots by what they show."""
    lines = [
        *_goals(figures),
        *_months(figures),
        *_plot(plots, "rmse", "RMSE by week, and what the loop did"),
        *_shares(figures),
        *_releases(figures),
        *_elsewhere(figures),
    ]
    return "\n".join(lines) + "\n"


def _goals(figures: Figures) -> Iterator[str]:
    yield from heading("In short")
    delay = figures.get("detection_delay_days")
    rows = [
        ["`normal_months_ratio`", f"{figures['normal_months_ratio']:.3f}", "1.01 or less"],
        ["`false_alarms`", str(figures["false_alarms"]), "1 or fewer"],
        ["`useful_alarms`", str(figures["useful_alarms"]), ""],
    ]
    if "recovered_share" in figures:
        shares = figures["recovered_shares"]
        best = max(shares[YEAR]["pooled"], shares[MONTH]["pooled"])
        rows = [
            [
                "`recovered_share`",
                f"{shares[EDML]['pooled']:.2f}",
                f"0.90 or more, and > {best:.2f}",
            ],
            [
                "`detection_delay_days`",
                "none" if delay is None else f"{delay:.1f}",
                "4 or less",
            ],
            *rows,
        ]
    rows += [
        [f"`{name}`", str(figures[name]), ""] for name in ("retrainings", "promotions", "rollbacks")
    ]
    yield from table(["", "found", "goal"], rows)


def _months(figures: Figures) -> Iterator[str]:
    yield from heading("RMSE by month, in minutes")
    yield from table(
        ["month", *NAMES.values()],
        [[row["month"], *(f"{row[name]:.2f}" for name in NAMES)] for row in figures["months"]],
    )


def _shares(figures: Figures) -> Iterator[str]:
    if "recovered_share" not in figures:
        return
    yield from heading("Recovered after the change")
    rows = [
        [
            NAMES[name],
            f"{figures['recovered_rmse'][name]:.2f}",
            *(f"{share[way]:.2f}" for way in ("pooled", "weeks", "months")),
        ]
        for name, share in figures["recovered_shares"].items()
    ]
    ends = [
        [NAMES[name], f"{figures['recovered_rmse'][name]:.2f}", share, share, share]
        for name, share in ((STATIC, "0"), (ORACLE, "1"))
    ]
    yield from table(
        ["", "RMSE", "share", "mean of weeks' shares", "mean of months' shares"],
        [ends[0], *rows, ends[1]],
    )


def _releases(figures: Figures) -> Iterator[str]:
    yield from heading("What happened")
    rows = [
        [each["at"][:10], each["kind"], each["version"], each["cause"] or ""]
        for each in figures["releases"]
        if each["kind"] in TOLD
    ]
    yield from table(["day", "", "version", "why"], rows)


def _elsewhere(figures: Figures) -> Iterator[str]:
    worlds = figures.get(WORLDS)
    if not worlds:
        return
    yield from heading("Elsewhere")
    rows = [
        [
            name,
            _number(each.get("recovered_share")),
            _number(each.get("recovered_shares", {}).get(YEAR, {}).get("pooled")),
            _number(each.get("recovered_shares", {}).get(MONTH, {}).get("pooled")),
            _number(each.get("detection_delay_days"), 1),
            f"{each['false_alarms']} + {each['useful_alarms']}",
            f"{each['normal_months_ratio']:.3f}",
            f"{each['retrainings']} / {each['promotions']} / {each['rollbacks']}",
        ]
        for name, each in worlds.items()
    ]
    head = ["", "recovered", "calendar, 12", "calendar, 1", "delay, days", "alarms, false + useful"]
    yield from table([*head, "normal ratio", "trained / promoted / rolled back"], rows)


def _plot(plots: Mapping[str, str], name: str, told: str) -> Iterator[str]:
    if name in plots:
        yield from ("", f"![{told}]({plots[name]})")


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"
