"""Makes a candidate, and has it stand up to the champion: what was known in, an artefact out."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from math import inf
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.application import Application
from edml.errors import TrainingError
from edml.models import event_json, flavours, self_test
from edml.models.artefact import Artefact, Description
from edml.models.records import Metadata
from edml.models.version import current_commit
from edml.retraining import examples
from edml.retraining.assignment import CORRECTS, Assignment, Result, Workplace
from edml.retraining.learners import Budget, Network, Scout, WideAndDeep
from edml.trainer import tables
from edml.trainer.choosing import LEAST_ROWS, Candidate, Choice, Choosing, Chosen, judged_from
from edml.trainer.dataset import Examples
from edml.trainer.distributions import distributions
from edml.trainer.evaluation import evaluate, score
from edml.trainer.exporting import drafted, export
from edml.trainer.hyperparameters import Hyperparameters
from edml.trainer.recipes import Recipe, recipe_of
from edml.trainer.training import libraries

Tell = Callable[[str, float], None]
"""Told what is being done, in a few words, and which share of that is done."""

Numbers = NDArray[np.float64]

LONGEST: Final = timedelta(days=2 * 365)
"""How far back history is read."""

_PLANNED: Final = 0.7
"""The share of its time that a training plans with: not all can be told beforehand."""

_SCOUTING: Final = 0.3
"""The share of what is planned that it has to try recipes."""


@dataclass(frozen=True)
class Champion:
    """The model to be beaten, as it answers, and its tables if it can be corrected."""

    description: Description
    predict: Callable[[Examples], Numbers]
    network: Network | None

    @classmethod
    def read(cls, application: Application, folder: Path, threads: int) -> Self:
        """Load it from its artefact's folder."""
        artefact = Artefact.read(folder)
        predictor = flavours.named(artefact.flavours()[0]).load(folder, threads=threads)
        found = tables.kept(application, folder)

        def predict(asked: Examples) -> Numbers:
            answers = self_test.predict(application, predictor, asked.features)
            return answers.astype(np.float64)

        return cls(artefact.description, predict, None if found is None else Network(found))

    @property
    def corrects(self) -> str:
        """The version that it corrects; itself when it corrects none."""
        return self.description.metadata.parameters.get(CORRECTS, self.description.version)

    @property
    def recipe(self) -> Recipe:
        """The recipe that it was made by; raises `TrainingError` when it does not tell."""
        told = self.description.metadata.parameters.get("recipe", "")
        if not told:
            raise TrainingError("the champion does not tell by which recipe it was made")
        return recipe_of(json.loads(told))

    def __call__(self, examples: Examples) -> Numbers:
        """What it says of some rows, whatever was said of them at the time."""
        return self.predict(examples)


def make(
    application: Application, assignment: Assignment, workplace: Workplace, tell: Tell
) -> Result:
    """Choose how much of the past to use, learn from it, and export what beats the champion.

    What renews the champion takes its recipe, starts where that has started, and need be no worse.

    Raises:
        TrainingError: there is too little to learn from, or the candidate is no model.
    """
    budget = Budget.of(assignment.time_s * _PLANNED)
    tell("gathering what was known", 0)
    known, source = gathered(application, assignment, workplace)
    champion = Champion.read(application, workplace.champion, assignment.threads)
    choosing: Choosing[Any] = Choosing(
        application=application,
        learner=WideAndDeep(
            application=application,
            parameters=Hyperparameters(),
            folder=workplace.job,
            budget=budget,
            threads=assignment.threads,
            tell=tell,
        ),
        champion=champion,
        start=_start(application, assignment, workplace, champion),
        as_of=assignment.known_to,
        since=judged_from(
            assignment.known_to, assignment.changed, champion.description.metadata.data_to
        ),
        tell=tell,
    )
    if assignment.renews:
        recipe = champion.recipe.renewed(assignment.known_to, assignment.changed)
        chosen = replace(choosing, recipes=[recipe], renews=True).choose(known)
    else:
        chosen = _chosen(choosing, known, budget, assignment.threads)
    if chosen.model is not None:
        tell("exporting", 0)
        _export(application, assignment, workplace, champion, Made(chosen, known, source))
    choice = chosen.choice
    return Result(admitted=choice.admitted, cause=choice.cause, **choice.figures())


def best(tried: Sequence[Candidate]) -> list[Recipe]:
    """The recipes that are left to the network: the best that begins anew, and that corrects.

    To begin anew is worth the time only where it seems to be better; to correct costs nothing.
    """
    kinds = ([each for each in tried if each.recipe.correction is kind] for kind in (False, True))
    anew, correction = (min(kind, key=attrgetter("loss"), default=None) for kind in kinds)
    least = inf if correction is None else correction.loss
    found = [anew if anew is not None and anew.loss < least else None, correction]
    return [each.recipe for each in found if each is not None and each.loss < inf]


def gathered(
    application: Application, assignment: Assignment, workplace: Workplace
) -> tuple[Examples, str]:
    """All that was known, from the log and from history, and where it is from."""
    as_of = assignment.known_to
    scored = pl.scan_ipc(workplace.scored / "*.arrow").collect()
    log = examples.from_log(application, scored, as_of)
    history: Examples | None = None
    missing: dict[str, str] = {}
    if assignment.data is not None:
        since = as_of - LONGEST
        history, missing = examples.from_history(application, assignment.data, since, as_of)
    known = examples.united(application, log, history)
    if known.rows < LEAST_ROWS:
        why = "".join(f"; {month}: {cause}" for month, cause in missing.items())
        raise TrainingError(
            f"{known.rows} outcomes were known at {as_of:%Y-%m-%d %H:%M}: too few to learn "
            f"from{why}"
        )
    without = f", which has nothing of {', '.join(missing)}" if missing else ""
    past = f"{known.rows - log.rows} rows of {assignment.data}{without}"
    return known, f"{log.rows} rows of the log, {past if assignment.data else 'no history'}"


def _start(
    application: Application, assignment: Assignment, workplace: Workplace, champion: Champion
) -> Network | None:
    """What is corrected: the champion, or what that corrects itself, so that none piles up."""
    if not (assignment.renews and workplace.base.is_dir()):
        return champion.network
    found = tables.kept(application, workplace.base)
    return None if found is None else Network(found)


def _chosen(choosing: Choosing[Any], known: Examples, budget: Budget, threads: int) -> Chosen[Any]:
    """Try all recipes quickly, and the best of them for good."""
    quick = Scout(application=choosing.application, budget=budget.share(_SCOUTING), threads=threads)
    scouted = replace(choosing, learner=quick).look(known)
    if scouted.chosen is None:
        return Chosen(scouted)
    found = replace(choosing, recipes=best(scouted.tried)).choose(known)
    tried = [*scouted.tried, *found.choice.tried]
    return replace(found, choice=replace(found.choice, tried=tried))


@dataclass(frozen=True)
class Made:
    """What there is to say of a candidate."""

    chosen: Chosen[Network]
    known: Examples
    source: str


def _export(
    application: Application,
    assignment: Assignment,
    workplace: Workplace,
    champion: Champion,
    made: Made,
) -> None:
    """Write the artefact; it has to answer as the network does, and better than the champion."""
    chosen = made.chosen
    if chosen.model is None or chosen.held_back is None or chosen.predictions is None:
        raise TrainingError("there is no candidate to export")
    network, rows = chosen.model.tables, chosen.held_back
    draft = drafted(workplace.candidate)
    predictor = export(network, assignment.flavour, draft, assignment.threads)
    answers = self_test.predict(application, predictor, rows.features).astype(np.float64)
    before = champion(rows)
    _check(rows, answers, chosen.model(rows), None if assignment.renews else before)
    evaluation = evaluate(application, rows, chosen.predictions, {"champion": before})
    description = Description(
        version=assignment.version,
        application=application.name,
        signature=network.signature,
        self_test=self_test.record(application, predictor, _events(application, champion)),
        metadata=_metadata(application, assignment, champion, made, evaluation.metrics()),
    )
    self_test.run(application, predictor, description.self_test)
    Artefact.write(draft, description)
    shutil.rmtree(workplace.candidate, ignore_errors=True)
    draft.rename(workplace.candidate)


def _check(rows: Examples, answers: Numbers, tables: Numbers, champion: Numbers | None) -> None:
    """What goes on trial has learnt these rows, too: it must at least know them better.

    Than what it renews, it need not.
    """
    off = float(np.max(np.abs(answers - tables) / np.maximum(1, np.abs(tables))))
    if off > self_test.TOLERANCE:
        raise TrainingError(f"the exported model differs from the network by {off:.1e}")
    if champion is None:
        return
    if score(rows.labels, answers).rmse >= score(rows.labels, champion).rmse:
        raise TrainingError("fitted on everything, the model is worse than the one admitted")


def _events(application: Application, champion: Champion) -> pl.DataFrame:
    """The events of the champion's self-test: of those on the log, only the features are known."""
    rows = champion.description.self_test
    return event_json.from_json(application.event.schema, [each.event for each in rows])


def _metadata(
    application: Application,
    assignment: Assignment,
    champion: Champion,
    made: Made,
    metrics: dict[str, float],
) -> Metadata:
    recipe = made.chosen.choice.chosen
    reach = None if recipe is None else recipe.recipe.reach
    times = made.known.events[application.event.time]
    newest: datetime = times[-1]
    used = made.known if reach is None else made.known.where(times >= newest - reach)
    return Metadata(
        trained_at=datetime.now(UTC),
        commit=current_commit(Path.cwd()),
        data_source=made.source,
        data_from=used.events[application.event.time][0],
        data_to=newest,
        rows=used.rows,
        metrics=metrics,
        distributions=distributions(application, used),
        libraries=libraries(),
        parameters=_parameters(assignment, made.chosen.choice, champion),
    )


def _parameters(assignment: Assignment, choice: Choice, champion: Champion) -> dict[str, str]:
    """What a model says of its making, so that it can be traced to its alarm."""
    training, chosen = assignment.training, choice.chosen
    corrects = champion.corrects if assignment.renews else assignment.champion
    return {
        **{name: str(value) for name, value in asdict(Hyperparameters()).items()},
        "training": training.id,
        "reason": training.reason,
        **({} if training.alarm is None else {"alarm": training.alarm}),
        "as_of": training.as_of.isoformat(),
        "known_to": assignment.known_to.isoformat(),
        "against": assignment.champion,
        **({"renews": assignment.champion} if assignment.renews else {}),
        **({CORRECTS: corrects} if chosen is not None and chosen.recipe.correction else {}),
        "recipe": "" if chosen is None else json.dumps(chosen.recipe.figures()),
    }
