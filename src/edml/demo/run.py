"""Runs the demo from beginning to end, and leaves nothing running, however it ends."""

from contextlib import ExitStack, suppress

import click

from edml import wiring
from edml.application.finding import find_application
from edml.demo import signals
from edml.demo.children import end_descendants
from edml.demo.home import Home
from edml.demo.performance import perform
from edml.demo.plan import APPLICATION, Plan
from edml.demo.report import Report
from edml.demo.screen import Topics
from edml.demo.stages import DRIFT_NAMES, NAMES
from edml.demo.story import Story, View
from edml.demo.view import view_of
from edml.errors import EdmlError
from edml.models.records import MODELS_TOPIC


class LeftRunningError(EdmlError):
    """A process that the demo started could not be ended."""


def run(plan: Plan, home: Home, *, plain: bool) -> Report:
    """Give back what the demo came to. Raises `signals.StoppedError` when it is asked to end."""
    story = Story(_topics(), plan.shown_data, stages=DRIFT_NAMES if plan.drift else NAMES)
    with home.held(), signals.raised():
        try:
            return _performed(plan, home, story, plain=plain)
        finally:
            signals.ignore()
            _leave_nothing()


def _performed(plan: Plan, home: Home, story: Story, *, plain: bool) -> Report:
    view = view_of(story, plain=plain)
    story.changed = view.pulse
    with ExitStack() as resources:
        try:
            with view:
                return _told(plan, home, story, view, resources)
        finally:
            signals.ignore()
            with suppress(OSError):  # the terminal may have been closed
                click.echo("Stopping what the demo has started…", err=True)


def _told(plan: Plan, home: Home, story: Story, view: View, resources: ExitStack) -> Report:
    try:
        return perform(plan, home, story, view, resources)
    except BaseException:
        story.fail()
        raise


def _leave_nothing() -> None:
    left = end_descendants()
    if left:
        raise LeftRunningError(
            f"still running: {', '.join(str(each.pid) for each in left)}",
            todo="end these processes by their numbers",
        )
    with suppress(OSError):
        click.echo("Nothing is left running.", err=True)


def _topics() -> Topics:
    app = find_application(APPLICATION)
    return Topics(
        events=app.event.topic,
        predictions=app.predictions_topic,
        scored=app.scored_topic,
        dead_letters=wiring.DEAD_LETTERS,
        models=MODELS_TOPIC,
        unit=app.outcome.unit,
    )
