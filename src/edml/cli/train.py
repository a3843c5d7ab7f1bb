"""``edml train``: the past becomes a model."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edml.cli.dates import Day
from edml.cli.options import application_option
from edml.trainer.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    from edml.trainer.training import Result

_DEFAULTS = Hyperparameters()


@click.command(
    epilog="""\b
Examples:
  edml train --app taxi --data trips --from 2018-01 --to 2019-11
  edml train --data trips --from 2018-01 --to 2019-11 \\
             --test-from 2019-12 --test-to 2020-02 --json figures.json"""
)
@application_option
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="The folder of past events.  [default: EDML_DATA, or simulated ones]",
)
@click.option(
    "--from",
    "start",
    type=Day("first"),
    required=True,
    help="The first month or day to learn from.",
)
@click.option(
    "--to", "end", type=Day("last"), required=True, help="The last one, which is included."
)
@click.option(
    "--test-from",
    type=Day("first"),
    help="Test on these.  [default: one week in five; of ten weeks or less, the last tenth]",
)
@click.option("--test-to", type=Day("last"), help="The last one, which is included.")
@click.option(
    "--output",
    "--output-dir",
    type=click.Path(path_type=Path),
    help="The artefact's folder.  [default: one of its version's name in .edml/models/APP]",
)
@click.option(
    "--job-dir",
    type=click.Path(path_type=Path),
    help="Where logs and checkpoints go; a training that was killed goes on from there.  "
    "[default: .edml/jobs/APP]",
)
@click.option(
    "--flavours",
    default="savedmodel,onnx",
    show_default=True,
    help="What the model is exported as, by commas; the first is judged.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    help="How often each row is learnt from.  [default: as often as 2.4 million examples take, "
    "30 times at most]",
)
@click.option(
    "--batch-size", type=click.IntRange(1), default=_DEFAULTS.batch_size, show_default=True
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=_DEFAULTS.learning_rate,
    show_default=True,
)
@click.option(
    "--seed",
    type=int,
    default=_DEFAULTS.seed,
    show_default=True,
    help="The same seed, rows and libraries give the same model.",
)
@click.option(
    "--lightgbm/--no-lightgbm", default=True, show_default=True, help="Compare with LightGBM, too."
)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True)
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Write the figures there as JSON; - prints them instead of the table.",
)
def command(
    *,
    app: str | None,
    data: Path | None,
    start: date,
    end: date,
    test_from: date | None,
    test_to: date | None,
    output: Path | None,
    job_dir: Path | None,
    flavours: str,
    epochs: int | None,
    batch_size: int,
    learning_rate: float,
    seed: int,
    threads: int,
    json_path: Path | None,
    lightgbm: bool,
) -> None:
    """Train a model on the past, compare it with baselines, and write it as an artefact.

    A month or a day that is named last is included.
    """
    from edml.application.finding import find_application
    from edml.cli.training_progress import training_progress
    from edml.models.quiet_tensorflow import import_tensorflow, silent_standard_error
    from edml.settings import Settings
    from edml.trainer.span import Span
    from edml.trainer.training import Job, run

    if (test_from is None) != (test_to is None):
        raise click.UsageError("give both --test-from and --test-to, or none of them")
    settings = Settings.read()
    application = find_application(app or settings.application)
    job = Job(
        train=Span(start, end),
        test=None if test_from is None or test_to is None else Span(test_from, test_to),
        data=data or settings.data,
        artefact=output,
        home=settings.home / "models" / application.name,
        job_dir=job_dir or settings.home / "jobs" / application.name,
        parameters=Hyperparameters(
            epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed
        ),
        flavours=[each.strip() for each in flavours.split(",")],
        lightgbm=lightgbm,
        threads=threads,
    )
    with silent_standard_error():
        import_tensorflow()
    with training_progress() as tell:
        result = run(application, job, datetime.now(UTC), tell)
    if json_path is not None and str(json_path) == "-":
        click.echo(json.dumps(result.figures(), indent=2))
        return
    if json_path is not None:
        json_path.write_text(json.dumps(result.figures(), indent=2) + "\n", encoding="utf-8")
    _print(result, application.outcome.unit)


def _print(result: "Result", unit: str) -> None:
    from edml.cli.tables import console, number, table

    compared = table("on the rows held out", "rows", "RMSE", "MAE", "bias", right=_NUMBERS)
    scores = {
        "the model": result.evaluation.whole,
        **result.evaluation.baselines,
        **{f"  {name}": score for name, score in result.evaluation.segments.items()},
        **{f"  {int(hour):02}:00": score for hour, score in result.evaluation.hours.items()},
    }
    for name, score in scores.items():
        compared.add_row(
            name, f"{score.rows:,}", number(score.rmse), number(score.mae), number(score.bias)
        )
    console().print(compared)
    left_out = sum(result.past.left_out.values())
    click.echo(
        f"Errors in {unit}. Learnt from {result.rows:,} rows of {result.past.source}; "
        f"{left_out:,} were left out:"
    )
    for cause, count in result.past.left_out.items():
        click.echo(f"  {count:>9,}  {cause}")
    click.echo(f"{result.artefact.version} took {result.seconds:.0f} s. It lies in")
    click.echo(f"  {result.artefact.folder}")
    click.echo(f"Publish it: edml publish {result.artefact.folder}")


_NUMBERS = ("rows", "RMSE", "MAE", "bias")
