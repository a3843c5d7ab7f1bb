"""Past events, predicted as serving predicts them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import polars as pl

from edml.application import Application
from edml.backtesting.recording import NARROW
from edml.errors import ModelRefusedError, NoChampionError
from edml.events import OFFSET, PARTITION, Batch
from edml.serving import records as served
from edml.serving.predict import CAUSE, Predict
from edml.serving.served import Predicts, ServedModel

CANDIDATE: Final = "candidate"
AGAINST: Final = "against"
"""What models are called in a backtest, where the recorded ones have their roles."""

RECORDED: Final = "recorded"
AGAIN: Final = "again"


class Playing:
    """Predicts with a candidate, and with others beside it.

    ``models`` begins with the candidate. Events that it cannot predict are left out and counted, by
    cause, in ``left_out``; what another one cannot predict, it does not predict.
    """

    def __init__(self, application: Application, models: Mapping[str, Predicts]) -> None:
        (candidate, *others) = models
        self._application = application
        self._predict = Predict(application)
        self._candidate = candidate
        self._served = [
            ServedModel("champion", candidate, models[candidate]),
            *(ServedModel("challenger", each, models[each]) for each in others),
        ]
        self.left_out: Counter[str] = Counter()

    def __call__(self, events: pl.DataFrame, now: datetime) -> pl.DataFrame:
        """The predictions of a batch of events, with the columns `NARROW`.

        Raises `ModelRefusedError` when the candidate answers none of many events.
        """
        found, causes = _predicted(self._predict, self._application, self._served, events, now)
        self.left_out.update(causes)
        role = pl.when(pl.col(served.ROLE) == "champion").then(pl.lit(CANDIDATE))
        return found.with_columns(role.otherwise(pl.lit(AGAINST)).alias(served.ROLE))


class AsOfLive:
    """Predicts each event with the model that was champion, as each recorded prediction names it.

    ``recorded`` are the champions' recorded predictions with the columns `NARROW`, ``models`` the
    models of all versions that they name.
    """

    def __init__(
        self, application: Application, recorded: pl.DataFrame, models: Mapping[str, Predicts]
    ) -> None:
        self._application = application
        self._predict = Predict(application)
        self._recorded = recorded.rename(
            {
                served.PREDICTION: RECORDED,
                served.EVENT_PARTITION: PARTITION,
                served.EVENT_OFFSET: OFFSET,
            }
        ).select(PARTITION, OFFSET, served.KEY, served.VERSION, RECORDED)
        self._models = models

    def __call__(self, events: pl.DataFrame, now: datetime) -> pl.DataFrame:
        """Each recorded prediction of these events, and the one that its model gives `AGAIN`.

        That is null where the model gives none now.
        """
        ours = self._recorded.join(events.select(PARTITION, OFFSET), on=[PARTITION, OFFSET])
        again = [
            self._again(version, events.join(asked, on=[PARTITION, OFFSET], how="semi"), now)
            for (version,), asked in ours.group_by(served.VERSION)
        ]
        if not again:
            return ours.with_columns(pl.lit(None, pl.Float64).alias(AGAIN))
        return ours.join(pl.concat(again), on=[PARTITION, OFFSET, served.VERSION], how="left")

    def _again(self, version: object, events: pl.DataFrame, now: datetime) -> pl.DataFrame:
        model = ServedModel("champion", str(version), self._models[str(version)])
        found, _ = _predicted(self._predict, self._application, [model], events, now)
        return found.select(
            pl.col(served.EVENT_PARTITION).alias(PARTITION),
            pl.col(served.EVENT_OFFSET).alias(OFFSET),
            served.VERSION,
            pl.col(served.PREDICTION).alias(AGAIN),
        )


def _predicted(
    predict: Predict,
    application: Application,
    models: Sequence[ServedModel],
    events: pl.DataFrame,
    now: datetime,
) -> tuple[pl.DataFrame, Iterable[str]]:
    """The narrow predictions of events, and why the others have none."""
    try:
        outputs = predict(models, Batch({application.event.topic: events}), now)
    except NoChampionError as error:
        raise ModelRefusedError(
            error.what.replace("the champion", "the model"),
            todo="see with `edml predict` what it makes of a few events",
        ) from error
    nothing = pl.DataFrame(schema=served.prediction_dtypes(application))
    found = outputs.frames.get(application.predictions_topic, nothing)
    return found.select(NARROW), _causes(each.frame for each in outputs.rejected)


def _causes(rejected: Iterable[pl.DataFrame]) -> Iterator[str]:
    for frame in rejected:
        yield from frame[CAUSE]
