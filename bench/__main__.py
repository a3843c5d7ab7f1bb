"""`python -m bench`: measures edml beside its peers; writes ``build/bench.json`` and ``.md``."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import click

from bench.circumstances import circumstances, now
from bench.growth import growth
from bench.latency import latencies
from bench.peers.peer import ROOT
from bench.plan import FULL, QUICK
from bench.profile import profile
from bench.recovery import recovery
from bench.report import markdown, with_tables
from bench.scene import BENCH_PYTHON, Scene, model, scene
from bench.scoring import scoring
from bench.serving import serving
from bench.swap import swap
from edml.errors import EdmlError
from edml.kafka.embedded.progress import Silence
from edml.kafka.embedded.rehearsal import install

EXPERIMENTS: dict[str, Callable[[Scene], dict[str, Any]]] = {
    "serving": serving,
    "scoring": scoring,
    "latency": latencies,
    "swap": swap,
    "recovery": recovery,
    "growth": growth,
    "profile": profile,
}
QUICK_EXPERIMENTS = ("serving", "scoring", "latency")
PAGE = ROOT / "docs" / "explanation" / "performance.md"
BUILD = ROOT / "build"
JARS = Path(os.environ.get("EDML_JARS", ROOT / ".edml" / "jars"))


@click.command()
@click.option("--quick", is_flag=True, help="The main ratios, in less than three minutes.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(list(EXPERIMENTS)),
    help="Only this, or these; other figures stay as the run before has left them.",
)
@click.option("--peer", "peers", multiple=True, metavar="NAME", help="Compare with this one alone.")
@click.option("--rounds", type=click.IntRange(1), help="How often everything is measured.")
@click.option("--backlog", type=click.IntRange(1), help="How many trips there are to predict.")
@click.option(
    "--artefact",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The model, as `edml train` wrote it.  [default: one is trained, and kept]",
)
@click.option(
    "--docs", is_flag=True, help=f"Put tables and plots into {PAGE.relative_to(ROOT)}, too."
)
def main(  # noqa: PLR0913  one parameter an option
    *,
    quick: bool,
    docs: bool,
    only: tuple[str, ...],
    peers: tuple[str, ...],
    rounds: int | None,
    backlog: int | None,
    artefact: Path | None,
) -> None:
    """Measure edml beside its peers, on one broker, with the same records and the same model."""
    plan = QUICK if quick else FULL
    plan = replace(plan, peers=peers, rounds=rounds or plan.rounds, backlog=backlog or plan.backlog)
    signal.signal(signal.SIGTERM, _ended)
    folder = BUILD / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    install(JARS, Silence())
    measured: dict[str, Any] = {**(_kept() if only else {}), "circumstances": circumstances(plan)}
    try:
        with (
            alone(folder),
            scene(folder, JARS, plan, artefact or model(folder, quick=quick)) as set_up,
        ):
            for name, experiment in EXPERIMENTS.items():
                if name in (only or (QUICK_EXPERIMENTS if quick else EXPERIMENTS)):
                    began_s = time.perf_counter()
                    print(name, flush=True)
                    measured[name] = experiment(set_up)
                    took_s = round(time.perf_counter() - began_s, 1)
                    measured.setdefault("taken", {})[name] = {"at": now(), "took_s": took_s}
                    _write(measured)
    except EdmlError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    tables = markdown(measured)
    print(tables)
    if docs:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_tables(page, markdown(measured, _drawn())), encoding="utf-8")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else measures on this machine meanwhile; raises `EdmlError` when somebody does."""
    with (folder / "bench.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EdmlError(
                "another bench runs: both would measure each other",
                where=str(folder),
                todo="wait for it, or stop it with Ctrl-C",
            ) from error
        yield


def _drawn() -> list[str]:
    """Draw what was measured beside the page; gives back the files' names."""
    told = [f"figures={BUILD / 'bench.json'}", f"folder={PAGE.parent}"]
    done = subprocess.run(
        [str(BENCH_PYTHON), "-m", "bench.programs.plots", *told],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.split()


def _kept() -> dict[str, Any]:
    """What the run before has measured: what is measured again takes its place."""
    written = BUILD / "bench.json"
    return dict(json.loads(written.read_text(encoding="utf-8"))) if written.is_file() else {}


def _write(measured: Mapping[str, Any]) -> None:
    """Write down what is known so far."""
    (BUILD / "bench.json").write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    (BUILD / "bench.md").write_text(markdown(measured), encoding="utf-8")


def _ended(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does: every child is stopped on the way out."""
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
