"""The demo itself: each stage begins what it needs, waits for it, and says what it sees.

All that is done here can be done by hand: the same commands run as child processes.
"""

from contextlib import ExitStack
from pathlib import Path

from edml import wiring
from edml.application.finding import find_application
from edml.demo import commands, months
from edml.demo.children import Children
from edml.demo.drift import Drift
from edml.demo.fresh_log import fresh_log
from edml.demo.home import Home
from edml.demo.plan import APPLICATION, Plan
from edml.demo.report import Report
from edml.demo.stagehand import Stagehand
from edml.demo.story import Story, View
from edml.demo.swap import Swap
from edml.demo.thinning import thinned
from edml.demo.watch import Watch


def perform(plan: Plan, home: Home, story: Story, view: View, resources: ExitStack) -> Report:
    """Everything, from an empty directory to the figures at the end.

    What is begun is handed to ``resources``, which end it.
    """
    application = find_application(APPLICATION)
    split = _split(plan)
    story.begin("log", "a real Kafka and a real schema registry, on this machine")
    log = resources.enter_context(fresh_log(home, story))
    cluster = resources.enter_context(wiring.Cluster(home.settings, application))
    cluster.create()
    watch = resources.enter_context(Watch(cluster))
    story.figures = lambda: watch.figures
    children = resources.enter_context(Children(home.environment, home.logs))
    story.done("log", f"Kafka at {log.bootstrap_servers}, registry at {log.registry_url}")
    stage = Stagehand(story, view, watch, children)
    trips = _trips(plan, home, split, stage)
    acts = Drift if plan.drift else Swap
    return acts(plan, stage, cluster, commands.Commands(plan, home, trips, split)).all()


def _split(plan: Plan) -> months.Split:
    """Which trips are learnt from, and which happen again."""
    if plan.drift:
        there = None if plan.data is None else list(months.files(plan.data))
        return months.before(plan.live or months.CHANGING, there)
    return months.USUAL if plan.data is None else months.split(plan.data)


def _trips(plan: Plan, home: Home, split: months.Split, stage: Stagehand) -> Path:
    """The folder of the trips to learn from and to replay."""
    stage.story.begin("data", "trips of New York's yellow taxis")
    if plan.data is None:
        trips = home.trips
        stage.run("data", commands.simulate(plan, home, split.all))
    else:
        trips = thinned(
            plan.data, split.all, home.trips, lambda said: stage.story.note("data", said)
        )
    stage.story.done("data", f"{plan.shown_data}, {split.all}")
    return trips
