"""The whole loop in event time, day by day, by the very code that runs in production.

`edml.monitoring.loop` decides, on `edml.monitoring.figures` of the errors so far;
`edml.trainer.choosing` trains. What is not here is Kafka, and the time that a training takes: a
candidate is on trial from the watermark on at which it was asked for.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import numpy as np
import polars as pl

from bench.study.past import Numbers, Past
from bench.study.plan import midnight
from edml.application import EVENT_TIME, Policy
from edml.models.evidence import Training
from edml.models.records import Metadata, Release, Roles
from edml.monitoring import blocks, loop
from edml.monitoring.figures import Figures
from edml.monitoring.governor import Decision, seat
from edml.monitoring.history import History
from edml.monitoring.situation import Situation
from edml.trainer.choosing import Choosing, judged_from
from edml.trainer.dataset import Examples
from edml.trainer.evaluation import evaluate
from edml.trainer.recipes import RECIPES, Recipe, recipe_of
from edml.trainer.span import Span
from edml.trainer.trees import Trees, TreesLearner

BY = "study"
HELD_OUT = 5
"""Of the first champion's weeks, one in so many is its hold-out: of all seasons, days in a row."""
HOUR = timedelta(hours=1)
"""Errors are added up by the hour: what a season is told by, and less to read again each day."""

Tell = Callable[[str], None]


@dataclass
class ClosedLoop:
    """A champion, and the loop that keeps it good; `run` it once.

    ``predictions`` are those that users were given, ``reigns`` who was champion from when on.
    """

    past: Past
    policy: Policy
    tell: Tell
    models: dict[str, Trees] = field(default_factory=dict)
    about: dict[str, Metadata] = field(default_factory=dict)
    releases: list[Release] = field(default_factory=list)
    reigns: list[tuple[datetime, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.roles = Roles(self.past.application.name, revision=0)
        self.predictions = self.past.nothing()
        self._learner = TreesLearner(application=self.past.application)
        self._versions = count(1)
        self._windows: list[pl.DataFrame] = []
        self._answers: list[pl.DataFrame] = []

    def run(self, champion: Trees, learned: Span, tested: Span) -> None:
        """Begin with a champion that has learnt from some days, and go through those tested."""
        examples = self.past.examples[self.past.of(learned)]
        tried, held_out = self._held_out(examples)
        version = self._publish(champion, held_out, tried(held_out), midnight(learned.end))
        self.roles = replace(self.roles, champion=version, revision=1)
        self.reigns.append((midnight(tested.start), version))
        since = midnight(tested.start)
        for now in self._watermarks(tested):
            self._serve(since, now)
            self._decide(now)
            since = now
        self._serve(since, midnight(tested.end))

    def _held_out(self, examples: Examples) -> tuple[Trees, Examples]:
        """A model of most of the weeks, and the others, by which it is known how good it is."""
        day = examples.events.select(pl.col(self.past.application.event.time).dt.epoch("d"))
        held_out = day.to_series() // 7 % HELD_OUT == 0
        learned = examples.where(~held_out)
        tried = self._learner.fit(learned, np.ones(learned.rows), None)
        return tried, examples.where(held_out)

    def _watermarks(self, tested: Span) -> Iterator[datetime]:
        """The moments at which one more block is complete."""
        application = self.past.application
        now = midnight(tested.start) + application.policy.block + application.outcome.wait
        while now < midnight(tested.end):
            yield now
            now += application.policy.block

    def _serve(self, start: datetime, end: datetime) -> None:
        """Predict with whoever has a role, and add up the errors."""
        rows = self.past.rows(start, end)
        examples = self.past.examples[rows]
        for role, version in self.roles.served().items():
            predictions = self.models[version](examples)
            if role == "champion":
                self.predictions[rows] = predictions
            errors = self._errors(examples, predictions)
            hourly = replace(self.past.application, window=HOUR)
            self._windows.append(blocks.from_errors(errors, hourly, version))
            self._answers.append(self._answered(errors, version))

    def _errors(self, examples: Examples, predictions: Numbers) -> pl.DataFrame:
        application = self.past.application
        return pl.DataFrame(
            {
                EVENT_TIME: examples.events[application.event.time],
                "segment": examples.features[application.segment],
                "prediction": predictions,
                "error": predictions - examples.labels,
            }
        )

    def _answered(self, errors: pl.DataFrame, version: str) -> pl.DataFrame:
        """Every trip of the past has an outcome that counts."""
        block = pl.col(EVENT_TIME).dt.truncate(self.past.application.policy.block)
        return errors.group_by(block.alias(blocks.START)).agg(
            version=pl.lit(version),
            predictions=pl.len(),
            answered=pl.len(),
            count=pl.len(),
            sum_error=pl.col("error").sum(),
            sum_prediction=pl.col("prediction").sum(),
        )

    def _decide(self, now: datetime) -> None:
        """Take steps until there is nothing to do; train whenever that is asked for."""
        figures = self._figures(now)
        while decision := loop.decide(self._situation(now, figures)):
            self._apply(decision)
            for release in decision.releases:
                if release.kind == "requested":
                    self._train(Training.from_json(release.evidence), release.version, now)
                    figures = replace(figures, models=dict(self.about))

    def _situation(self, now: datetime, figures: Figures) -> Situation:
        return Situation(
            application=self.past.application.name,
            policy=self.policy,
            roles=self.roles,
            releases=self.releases,
            statistics=figures,
            at=now,
        )

    def _figures(self, now: datetime) -> Figures:
        application = self.past.application
        complete = pl.lit(now - application.outcome.wait - application.policy.block)
        windows = pl.concat(self._windows).filter(blocks.block_of(application) <= complete)
        answers = (
            pl.concat(self._answers)
            .filter(pl.col(blocks.START) <= complete)
            .group_by("version", blocks.START)
            .sum()
        )
        return Figures(application, now, windows, answers, dict(self.about))

    def _apply(self, decision: Decision) -> None:
        champion = decision.roles.champion
        if champion is not None and champion != self.roles.champion:
            self.reigns.append((decision.releases[-1].at, champion))
        self.roles = decision.roles
        self.releases += decision.releases
        for each in decision.releases:
            self.tell(f"{each.at:%Y-%m-%d} {each.kind} {each.version} {each.cause or ''}")

    def _train(self, training: Training, version: str, now: datetime) -> None:
        """Choose what becomes of the champion ``version``, and put who is admitted on trial."""
        wait = self.past.application.outcome.wait
        changed = self._changed(training)
        renews = training.renews == version
        chosen = Choosing(
            application=self.past.application,
            learner=self._learner,
            champion=self.models[version],
            start=self.models[version],
            as_of=training.as_of,
            since=judged_from(training.as_of, changed, self.about[version].data_to),
            recipes=[self._recipe(version).renewed(training.as_of, changed)] if renews else RECIPES,
            renews=renews,
        ).choose(self.past.examples)
        recipe = None if chosen.choice.chosen is None else chosen.choice.chosen.recipe
        told: dict[str, Any] = {
            "application": self.roles.application,
            "at": now,
            "by": BY,
            "evidence": training.to_json(**chosen.choice.figures()),
        }
        if chosen.model is None or chosen.held_back is None or chosen.predictions is None:
            rejected = Release(
                kind="rejected", version=self._version(), cause=chosen.choice.cause, **told
            )
            self._apply(Decision(self.roles, (rejected,)))
        else:
            candidate = self._publish(
                chosen.model,
                chosen.held_back,
                chosen.predictions,
                training.as_of - wait,
                recipe,
            )
            retrained = Release(kind="retrained", version=candidate, cause=str(recipe), **told)
            self._apply(seat(self.roles, retrained))

    def _changed(self, training: Training) -> datetime | None:
        """When the change began that the training's alarm has told of."""
        alarms = History.of(self.releases).alarms
        return next((each.start for each in alarms if each.id == training.alarm), None)

    def _publish(
        self,
        model: Trees,
        held_out: Examples,
        predictions: Numbers,
        data_to: datetime,
        recipe: Recipe | None = None,
    ) -> str:
        """Have a model at hand under a new name; gives back the name."""
        version = self._version()
        self.models[version] = model
        self.about[version] = Metadata(
            trained_at=data_to,
            commit="",
            data_source=BY,
            data_from=data_to,
            data_to=data_to,
            rows=held_out.rows,
            metrics=evaluate(self.past.application, held_out, predictions, {}).metrics(),
            parameters={} if recipe is None else {"recipe": json.dumps(recipe.figures())},
        )
        return version

    def _recipe(self, version: str) -> Recipe:
        return recipe_of(json.loads(self.about[version].parameters["recipe"]))

    def _version(self) -> str:
        return f"v{next(self._versions)}"
