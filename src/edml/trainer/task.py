"""``python -m edml.trainer.task``: a training as a job, with the arguments of a training service.

``edml train`` does the same by hand. Here, history and the artefact may lie in a bucket: any URI
that fsspec reads and writes.
"""

import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import fsspec

from edml.application.finding import find_application
from edml.errors import DataError, EdmlError
from edml.settings import Settings
from edml.trainer.hyperparameters import Hyperparameters
from edml.trainer.span import Span, day_after, first_day
from edml.trainer.training import Job, run

logger = logging.getLogger(__name__)


@click.command(
    context_settings={"show_default": True},
    epilog="""\b
Example:
  python -m edml.trainer.task --bucket gs://city --pattern 'trips/yellow_*.parquet' \\
      --from 2018-01 --to 2019-11 --output-dir gs://city/model --job-dir /tmp/job""",
)
@click.option(
    "--app",
    default=lambda: Settings.read().application,
    show_default="that of the settings",
    help="An installed application, or package.module:name.",
)
@click.option("--bucket", help="The folder or URI below which history lies; without, simulated.")
@click.option("--pattern", default="*", help="Which files of the bucket are history.")
@click.option("--from", "start", required=True, help="The first month or day to learn from.")
@click.option("--to", "end", required=True, help="The last one, which is included.")
@click.option("--test-from", help="Test on these. Without, one week in five.")
@click.option("--test-to", help="The last one, which is included.")
@click.option("--output-dir", required=True, help="The folder or URI of the artefact.")
@click.option(
    "--job-dir",
    type=click.Path(path_type=Path),
    default=Path(".edml/job"),
    help="Where logs and checkpoints go; a job that was killed goes on from there.",
)
@click.option("--batch-size", type=click.IntRange(1), default=Hyperparameters().batch_size)
@click.option(
    "--train-examples",
    type=click.IntRange(1),
    help="How many examples are learnt from, each as often as it takes.",
)
@click.option(
    "--eval-steps", type=click.IntRange(1), help="Test on so many batches; without, on all."
)
@click.option("--seed", type=int, default=Hyperparameters().seed)
@click.option("--threads", type=click.IntRange(1), default=2)
def task(  # noqa: PLR0913  a parameter an option
    *,
    app: str,
    bucket: str | None,
    pattern: str,
    start: str,
    end: str,
    test_from: str | None,
    test_to: str | None,
    output_dir: str,
    job_dir: Path,
    batch_size: int,
    train_examples: int | None,
    eval_steps: int | None,
    seed: int,
    threads: int,
) -> None:
    """Train a model on history, and write its artefact. The figures are the last line, as JSON."""
    with TemporaryDirectory(prefix="edml-history-") as folder:
        job = Job(
            train=Span(first_day(start), day_after(end)),
            test=Span(first_day(test_from), day_after(test_to)) if test_from and test_to else None,
            data=None if bucket is None else fetch(bucket, pattern, Path(folder) / "history"),
            artefact=Path(folder) / "artefact",
            job_dir=job_dir,
            parameters=Hyperparameters(batch_size=batch_size, seed=seed, examples=train_examples),
            test_rows=None if eval_steps is None else eval_steps * batch_size,
            threads=threads,
        )
        result = run(find_application(app), job, datetime.now(UTC), _log)
        target, path = fsspec.url_to_fs(output_dir)
        target.put(f"{result.artefact.folder}/", f"{path.rstrip('/')}/", recursive=True)
    click.echo(json.dumps({**result.figures(), "artefact": output_dir}))


def fetch(bucket: str, pattern: str, folder: Path) -> Path:
    """Copy the files of a bucket that fit the pattern into a folder.

    Raises:
        DataError: the bucket cannot be read, or no file fits.
    """
    try:
        source, path = fsspec.url_to_fs(bucket)
        found = source.glob(f"{path.rstrip('/')}/{pattern}")
        folder.mkdir(parents=True)
        for each in found:
            source.get_file(each, str(folder / Path(each).name))
    # Each of fsspec's file systems has errors of its own.
    except Exception as error:
        raise DataError(f"the bucket cannot be read: {error}", where=bucket) from error
    if not found:
        raise DataError(
            f"no file is called {pattern!r}", where=bucket, todo="give another --pattern"
        )
    return folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job; exit with 0 when it is done, 1 when it failed, 2 when called wrongly."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        task.main(args=arguments, prog_name="python -m edml.trainer.task")
    except EdmlError as error:
        click.echo(f"edml: {error}", err=True)
        sys.exit(error.exit_code)


def _log(what: str, done: float) -> None:
    logger.info("%s (%.0f%%)", what, done * 100)


if __name__ == "__main__":
    main()
