"""What the tables say: drift, trials and doubts, computed from complete windows alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final

import polars as pl

from edml.application import Application
from edml.models.evidence import Alarm
from edml.models.records import Metadata
from edml.monitoring import drift, judge
from edml.monitoring.baseline import Baseline
from edml.monitoring.blocks import START, block_of, blocks, paired
from edml.monitoring.outcomes import Doubt, doubts
from edml.monitoring.situation import Finding, Outcome
from edml.serving import records as served

_OUTCOMES: Final[Mapping[judge.Kind, Outcome]] = {
    "promote": "better",
    "drop": "worse",
    "wait": "undecided",
}


@dataclass(frozen=True, eq=False)
class Figures:
    """The tables as they are at a watermark; see `edml.monitoring.situation.Statistics`.

    ``windows`` and ``answers`` are those of complete blocks (`edml.monitoring.scores_table`),
    ``models`` what is known of the versions; a version that is not among them has no alarms.
    ``noticed`` are alarms about inputs and predictions, which need no outcomes.
    """

    application: Application
    watermark: datetime
    windows: pl.DataFrame
    answers: pl.DataFrame
    models: Mapping[str, Metadata]
    noticed: Sequence[Alarm] = ()
    _alarms: dict[str, Sequence[Alarm]] = field(default_factory=dict, init=False)
    _trials: dict[object, Finding | None] = field(default_factory=dict, init=False)

    def trained_to(self, version: str) -> datetime | None:
        """The end of the data that a version was trained on, if that is known."""
        return self.models[version].data_to if version in self.models else None

    def alarms(self, version: str) -> Sequence[Alarm]:
        """Each time that drift of a version was found, or its outcomes were doubtful."""
        if version not in self._alarms:
            self._alarms[version] = self._find_alarms(version)
        return self._alarms[version]

    def trial(
        self, tried: str, against: str, since: datetime | None, *, renews: bool = False
    ) -> Finding | None:
        """How a version does beside another in the blocks from ``since`` on; None without any.

        One that ``renews`` the other is ``better`` when it has done no worse.
        """
        asked = (tried, against, since, renews)
        if asked not in self._trials:
            self._trials[asked] = self._try(tried, against, since, renews=renews)
        return self._trials[asked]

    def doubt(self, version: str) -> str:
        """Why the newest outcomes of a version's predictions are not to be believed, or ''."""
        ours = self.answers.filter(pl.col(served.VERSION) == version)
        newest = ours[START].max()
        found = self._doubts.get(newest) if isinstance(newest, datetime) else None
        return found.cause if found is not None else ""

    def _find_alarms(self, version: str) -> Sequence[Alarm]:
        found = [each for each in self.noticed if each.version == version]
        ours = set(self.answers.filter(pl.col(served.VERSION) == version)[START])
        found += [
            self._doubtful(version, start, doubt)
            for start, doubt in self._doubts.items()
            if start in ours
        ]
        if version in self._baselines:
            baselines = {version: self._baselines[version]}
            observed = blocks(self._believed, baselines, self.application)
            found += drift.alarms(observed, baselines, self.application.policy)
        return sorted(found, key=lambda alarm: (alarm.end, alarm.id))

    def _try(
        self, tried: str, against: str, since: datetime | None, *, renews: bool
    ) -> Finding | None:
        both = paired(self._believed, tried, against, self.application)
        if since is not None:
            both = both.filter(pl.col(START) >= since)
        trial = judge.verdict(both, self.application.policy, renews=renews)
        if trial.start is None or trial.end is None:
            return None
        return Finding(
            outcome=_OUTCOMES[trial.kind],
            start=trial.start,
            end=trial.end,
            blocks=trial.blocks,
            statistic=trial.statistic,
            threshold=trial.threshold,
            cause=trial.cause,
            change=trial.figures["change"],
            latest=both[START].to_list()[-1] + self.application.policy.block,
            figures=trial.figures,
        )

    @cached_property
    def _baselines(self) -> Mapping[str, Baseline]:
        return {
            version: Baseline.of(about.metrics, self.application)
            for version, about in self.models.items()
        }

    @cached_property
    def _doubts(self) -> Mapping[datetime, Doubt]:
        rmse = {version: baseline.rmse("") for version, baseline in self._baselines.items()}
        return doubts(self.answers, rmse, self.application.policy)

    @cached_property
    def _believed(self) -> pl.DataFrame:
        """The windows of the blocks that are not in doubt."""
        if not self._doubts:
            return self.windows
        doubtful = pl.Series(list(self._doubts), dtype=self.windows["window_start"].dtype)
        return self.windows.filter(~block_of(self.application).is_in(doubtful.implode()))

    def _doubtful(self, version: str, start: datetime, doubt: Doubt) -> Alarm:
        return Alarm(
            version=version,
            about="outcomes",
            start=start,
            end=start + self.application.policy.block,
            statistic=doubt.statistic,
            threshold=doubt.threshold,
            figures=doubt.figures,
        )
