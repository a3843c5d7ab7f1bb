"""`python -m bench.study`: studies the loop; writes ``build/study.json`` and ``build/study.md``."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import click

from bench.peers.peer import ROOT
from bench.report import with_tables
from bench.scene import BENCH_PYTHON
from bench.study import worlds
from bench.study.plan import TAXIS, Plan
from bench.study.report import WORLDS, markdown
from bench.study.study import study
from edml.errors import EdmlError
from edml.trainer.span import Span

PAGE = ROOT / "docs" / "explanation" / "study.md"
BUILD = ROOT / "build"
FIGURES = BUILD / "study.json"

LATER = replace(
    TAXIS,
    first=Span(date(2018, 7, 1), date(2019, 7, 1)),
    normal=Span(date(2019, 7, 1), date(2020, 3, 1)),
)
"""Another first champion, half a year later."""


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The TLC's files of 2018-01 to 2020-06.  [default: a simulated city that changes at once]",
)
@click.option("--elsewhere", is_flag=True, help="Other beginnings and generated streams, instead.")
@click.option("--world", "chosen", multiple=True, help="Of those, only this one; or these.")
@click.option(
    "--docs", is_flag=True, help=f"Put tables and plots into {PAGE.relative_to(ROOT)}, too."
)
def main(*, data: Path | None, elsewhere: bool, chosen: tuple[str, ...], docs: bool) -> None:
    """Study the closed loop in event time, beside static, calendar and oracle."""
    BUILD.mkdir(exist_ok=True)
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    try:
        if elsewhere or chosen:
            for name, (folder, plan) in _worlds(data).items():
                if not chosen or name in chosen:
                    figures.setdefault(WORLDS, {})[name] = _slim(study(name, folder, plan))
                    _write(figures)
        else:
            folder = data or worlds.write(BUILD / "study" / "abrupt", "abrupt", TAXIS.whole)
            found = study("taxis" if data else "simulated taxis", folder, TAXIS)
            figures = {**found, WORLDS: figures.get(WORLDS, {})}
            _write(figures)
    except EdmlError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    if "months" not in figures:
        return
    print(markdown(figures, {}))
    if docs:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_tables(page, markdown(figures, _drawn())), encoding="utf-8")


def _worlds(data: Path | None) -> Mapping[str, tuple[Path, Plan]]:
    """Where else the loop is studied."""
    found = {} if data is None else {"first champion to 2019-06": (data, LATER)}
    for name, plan in worlds.PLANS.items():
        folder = BUILD / "study" / name.replace(" ", "-")
        found[f"simulated, {name}"] = (worlds.write(folder, name, plan.whole), plan)
    return found


def _slim(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is too much to keep of each."""
    return {name: each for name, each in figures.items() if name != "weeks"}


def _drawn() -> dict[str, str]:
    """Draw the figures beside the page; gives back the files' names by what they show."""
    done = subprocess.run(
        [
            str(BENCH_PYTHON),
            "-m",
            "bench.programs.study_plots",
            f"figures={FIGURES}",
            f"folder={PAGE.parent}",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in done.stdout.split())


def _write(figures: Mapping[str, Any]) -> None:
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if "months" in figures:
        (BUILD / "study.md").write_text(markdown(figures, {}), encoding="utf-8")


if __name__ == "__main__":
    main()
