"""``edml``: finds a command by its name, and imports nothing but that."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

import click

from edml import __version__
from edml.errors import EdmlError

COMMANDS: Final = {
    "demo": "See all of it in three minutes: train, publish, serve, score, swap.",
    "up": "Start Kafka and the schema registry on this machine.",
    "down": "Stop what `up` started.",
    "status": "Show what runs, the topics, and how far their readers are.",
    "topics": "List, create, seek and check an application's topics.",
    "data": "Fetch, simulate and describe past events.",
    "train": "Train a model on the past.",
    "predict": "Predict a file of events with a trained model.",
    "publish": "Publish a trained model: it is served from then on.",
    "models": "List, show, compare, promote and roll back models.",
    "backtest": "Play the past through another model, or again through those that were live.",
    "replay": "Write past events to the log, at their own pace or faster.",
    "serve": "Predict events as they come.",
    "score": "Join predictions with what really happened.",
    "monitor": "Notice drift, ask for trainings, promote what is better, roll back.",
    "scores": "Show the error of each model, as scored so far.",
    "explain": "Tell where one prediction came from, and what became of it.",
    "report": "Write a page about the models: errors, drift, decisions.",
    "retrain": "Train again on what the log has seen, when that is asked for.",
    "query": "Ask the topics in SQL.",
    "dead-letters": "List, show and redrive the records that could not be used.",
}


class Lazy(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order in which one meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import ``edml.cli.<name>`` and give back its ``command``."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"edml.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edml")
def edml() -> None:
    """Run a machine-learning model as an event-stream application on Kafka, and keep it good.

    Settings come from the environment (EDML_…) and from edml.toml.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; exit with 0 when it is done, 1 when it failed, 2 when called wrongly."""
    try:
        code = edml.main(args=arguments, prog_name="edml", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except EdmlError as error:
        click.secho(f"edml: {error}", err=True, fg="red" if sys.stderr.isatty() else None)
        if error.leaves_threads:
            sys.stdout.flush()
            os._exit(error.exit_code)
        sys.exit(error.exit_code)
    if code:  # what a command gave to `context.exit`
        sys.exit(code)
