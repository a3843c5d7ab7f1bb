"""What the records seen so far come to. Pure: records and times of arrival in, figures out."""

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from edml.demo.answers import Answers
from edml.demo.figures import Figures, Happening, Sample, Told
from edml.demo.rate import Rate
from edml.demo.scores import Scores
from edml.models.records import Release

SAMPLES: Final = 400
HAPPENINGS: Final = 12

Row = Mapping[str, Any]


class Tally:
    """Counts what is seen on the topics; times of arrival are seconds since 1970."""

    def __init__(self) -> None:
        self._answers = Answers()
        self._rate = Rate()
        self._scores = Scores()
        self._events = 0
        self._predictions = 0
        self._scored = 0
        self._dead_letters = 0
        self._champion: str | None = None
        self._told: list[Told] = []
        self._loaded: frozenset[str] = frozenset()
        self._event_time: datetime | None = None
        self._samples: OrderedDict[str, Sample] = OrderedDict()
        self._happenings: deque[Happening] = deque(maxlen=HAPPENINGS)

    def event(self, key: bytes, written_ms: int) -> None:
        """A record on the topic of events, good or bad."""
        self._events += 1
        self._answers.event(key, written_ms)

    def prediction(self, row: Row, at: float) -> None:
        """A prediction, by whichever version in whichever role."""
        self._scores.predicted(row["version"], row["role"])
        if row["role"] != "champion":
            return
        self._predictions += 1
        self._rate.add(1, at)
        self._answers.answer(row["uuid"].encode(), at * 1000)
        self._event_time = row["event_time"]
        self._remember(Sample(row["uuid"], row["segment"], row["event_time"], row["prediction"]))

    def scored(self, row: Row) -> None:
        """A prediction with its outcome."""
        self._scores.scored(row["version"], row["role"], row["error"])
        if row["role"] != "champion":
            return
        self._scored += 1
        sample = self._samples.get(row["uuid"])
        if sample is not None:
            self._samples[row["uuid"]] = replace(sample, outcome=row["outcome"])

    def windows(self, rows: Iterable[Row]) -> None:
        """Cumulative sums of errors, by window."""
        self._scores.windows(rows)

    def dead_letter(self, key: bytes, cause: str, at: float) -> None:
        """A record that could not be used."""
        self._dead_letters += 1
        self._answers.dead(key)
        self.happened(Happening(datetime.fromtimestamp(at, UTC), "dead letter", cause))

    def release(self, release: Release) -> None:
        """Something that happened to a model."""
        if release.kind in {"promoted", "rolled_back"}:
            self._champion = release.version
        if release.kind == "loaded":
            self._loaded |= {release.version}
        self._told.append(Told(release.kind, release.version, release.cause, self._event_time))
        text = release.version + (f" ({release.cause})" if release.cause else "")
        self.happened(Happening(release.at, release.kind, text))

    def happened(self, happening: Happening) -> None:
        """Something else that a person would like to hear of."""
        self._happenings.append(happening)

    def figures(self, now: float) -> Figures:
        """Everything, as it is now."""
        return Figures(
            events=self._events,
            predictions=self._predictions,
            scored=self._scored,
            dead_letters=self._dead_letters,
            doubled=self._answers.doubled,
            unanswered=self._answers.unanswered,
            rate_per_s=self._rate.recent(now),
            mean_rate_per_s=self._rate.mean,
            rates=self._rate.course(now),
            latency=self._answers.latency,
            recent_latency=self._answers.recent_latency,
            champion=self._champion,
            loaded=self._loaded,
            served=self._scores.served,
            samples=tuple(self._samples.values()),
            happenings=tuple(self._happenings),
            event_time=self._event_time,
            told=tuple(self._told),
            days=self._scores.days,
        )

    def _remember(self, sample: Sample) -> None:
        self._samples[sample.key] = sample
        if len(self._samples) > SAMPLES:
            self._samples.popitem(last=False)
