"""``edml predict``: a file of events in, a file of predictions out."""

import json
from pathlib import Path

import click

from edml.cli.options import application_option


@click.command(
    epilog="""\b
Examples:
  edml predict trips.parquet predictions.parquet --artefact build/model
  edml predict trips.csv predictions.jsonl --artefact build/model --app taxi"""
)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--artefact",
    required=True,
    type=click.Path(path_type=Path),
    help="The model's folder, as `edml train` wrote it.",
)
@application_option
@click.option("--flavour", help="Which flavour of the artefact.  [default: the first there is]")
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def command(
    *,
    source: Path,
    target: Path,
    artefact: Path,
    app: str | None,
    flavour: str | None,
    threads: int,
    as_json: bool,
) -> None:
    """Predict the events in the file IN, and write their keys and predictions to the file OUT.

    Both are Parquet, CSV or JSON lines, by their names. Events that cannot be predicted are left
    out, and counted by cause.
    """
    from datetime import UTC, datetime

    from edml.application.finding import find_application
    from edml.models import admission
    from edml.models.artefact import Artefact
    from edml.models.quiet_tensorflow import import_tensorflow, silent_standard_error
    from edml.serving.event_files import read_events, write_frame
    from edml.serving.file import predict_events
    from edml.serving.served import Bound

    found = Artefact.read(artefact)
    application = find_application(app or found.description.application)
    model = found.model(flavour or found.flavours()[0])
    if model.flavour == "savedmodel":
        with silent_standard_error():
            import_tensorflow()
    admitted = admission.admit(application, model, warm_sizes=(), threads=threads)
    predicted = predict_events(
        application,
        model.version,
        Bound(admitted.predictor, application.outcome.label),
        read_events(source, application.event.schema),
        datetime.now(UTC),
    )
    write_frame(predicted.predictions, target)
    causes = dict(predicted.rejected["cause"].value_counts(sort=True).iter_rows())
    if as_json:
        counts = {"predictions": predicted.predictions.height, "left_out": causes}
        click.echo(json.dumps({"version": model.version, **counts}, indent=2))
        return
    click.echo(f"{predicted.predictions.height:,} predictions of {model.version}: {target}")
    for cause, count in causes.items():
        first = predicted.rejected.filter(cause=cause)["row"][0]
        click.echo(f"  {count:,} left out: {cause} (the first is row {first})")
