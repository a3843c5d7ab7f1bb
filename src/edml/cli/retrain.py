"""``edml retrain``: a new model from what the log has seen, tried against the champion."""

import getpass
import json
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from edml.cli.options import application_option, json_option, verbose_option

if TYPE_CHECKING:
    from edml.retraining.assignment import Result
    from edml.retraining.worker import Outcome, Worker


@click.command(
    epilog="""\b
Examples:
  edml retrain --app taxi --data trips     # now, once
  edml retrain --data trips --follow       # whenever the monitor, or a person, asks for it
  edml retrain --ask                       # ask one that follows, here or elsewhere"""
)
@application_option
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="The folder of past events, to learn from beside the log.  [default: EDML_DATA, or none]",
)
@click.option(
    "--once/--follow",
    default=True,
    show_default=True,
    help="Do the training that is due, or else one now; or wait for requests on the log.",
)
@click.option("--ask", is_flag=True, help="Only ask for a training, of whoever follows.")
@click.option(
    "--within",
    type=click.FloatRange(min=10),
    metavar="SECONDS",
    help="How long a training may take.  [default: the policy's training_s]",
)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True)
@verbose_option
@json_option
def command(
    *,
    app: str | None,
    data: Path | None,
    once: bool,
    ask: bool,
    within: float | None,
    threads: int,
    verbose: bool,
    as_json: bool,
) -> None:
    """Train a candidate on the log's own predictions and outcomes, and have it beat the champion.

    One that does better on rows that it has not seen is published, and is tried in the shadow as
    challenger. One at a time is trained, whoever else asks. Killed, it goes on where it was.
    """
    from edml import wiring
    from edml.cli.running import log_to_terminal, stopped_by_signals
    from edml.cli.training_progress import training_progress
    from edml.retraining import bounded
    from edml.retraining.worker import Means
    from edml.wiring.training import request_training, trainer

    with wiring.cluster(app) as cluster:
        if ask:
            request_training(cluster, getpass.getuser())
            click.echo("A training is asked for. Whoever runs `edml retrain --follow` does it.")
            return
        settings = cluster.settings
        means = Means(
            declared=app or settings.application,
            home=settings.home,
            train=bounded.run,
            data=data or settings.data,
            threads=threads,
            time_s=within,
        )
        with trainer(cluster, means) as worker, stopped_by_signals() as stop:
            if not once:
                log_to_terminal(verbose=verbose)
                _follow(worker, stop)
                return
            with training_progress() as tell:
                outcome = worker.once(
                    lambda: request_training(cluster, getpass.getuser()), stop.is_set, tell
                )
    _print(outcome, cluster.application.outcome.unit, as_json=as_json)


def _follow(worker: "Worker", stop: Event) -> None:
    """Train what is due, again and again."""
    while not stop.is_set():
        worker.next(stop.is_set)
        stop.wait(_POLL_S)


def _told(result: "Result") -> dict[str, Any]:
    return {"chosen": result.chosen, "admission": result.admission}


def _print(outcome: "Outcome", unit: str, *, as_json: bool) -> None:
    result = outcome.result
    if as_json:
        facts = {
            "training": outcome.training.id,
            "outcome": outcome.kind,
            "version": outcome.version,
            "cause": outcome.cause,
            **({} if result is None else _told(result)),
        }
        click.echo(json.dumps(facts, indent=2))
    elif result is None:
        click.echo(f"The training failed: {outcome.cause}")
    else:
        why = f": {outcome.cause}" if outcome.cause else ""
        click.echo(f"{outcome.version} {_SAID[outcome.kind]}{why}.")
        if result.chosen is not None:
            click.echo(f"Learnt from {result.chosen['recipe']}.")
        if "rmse" in result.admission:
            told = result.admission
            click.echo(f"On {told['rows']:,} rows that it had not seen, the clipped RMSE ({unit}):")
            click.echo(f"  champion   {told['rmse_champion']:.3f}")
            click.echo(f"  candidate  {told['rmse']:.3f}")
    if outcome.kind == "failed":
        raise SystemExit(1)


_POLL_S = 2.0
_SAID = {"retrained": "is published", "rejected": "is rejected"}
