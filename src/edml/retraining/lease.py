"""Who trains, as the log says: one at a time, whoever else would like to.

A `training` release is a lease: this holder trains until then, and nobody else. In the order of the
log, a lease counts if nobody else holds one: the first of two that ask at once has it, and what the
other wrote is nothing. It ends with the training's outcome (`retrained`, `rejected`, `failed`), or
when its time is over without another by the same holder.

A holder goes by its own clock. So it takes its lease to end `GRACE` before the others do: while
clocks are less than that apart, no two take themselves for the holder at the same time. Were they
further apart, there would still be one outcome: it is written under the governor's fence, and only
by who holds the lease on the log.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from edml.errors import DataError
from edml.models.evidence import Lease, Training
from edml.models.records import Release

TERM: Final = timedelta(minutes=5)
"""How long a lease holds; who trains for longer renews it."""

GRACE: Final = timedelta(seconds=15)
"""How much sooner a holder takes its own lease to be over."""

OUTCOMES: Final = frozenset({"retrained", "rejected", "failed"})


def due(releases: Sequence[Release]) -> Training | None:
    """The oldest training that was requested and has no outcome yet."""
    done = over(releases)
    requested = (_training(each) for each in releases if each.kind == "requested")
    return next((each for each in requested if each is not None and each.id not in done), None)


def over(releases: Sequence[Release]) -> set[str]:
    """The trainings that have an outcome, by their ids."""
    found = (_training(each) for each in releases if each.kind in OUTCOMES)
    return {each.id for each in found if each is not None}


def held(releases: Iterable[Release]) -> Lease | None:
    """The last lease that counted, unless its training has an outcome; its time may be over."""
    found: Lease | None = None
    for release in releases:
        if release.kind == "training":
            asked = _lease(release)
            if asked is not None and _free(found, asked.holder, release.at):
                found = asked
        elif found is not None and _ends(release, found):
            found = None
    return found


def may_take(releases: Sequence[Release], training: Training, holder: str, at: datetime) -> bool:
    """Whether a lease would count that this holder wrote now: to begin, to go on or to renew."""
    return training.id not in over(releases) and _free(held(releases), holder, at)


def holds(releases: Sequence[Release], training: Training, holder: str) -> bool:
    """Whether this holder has the lease of this training, and the training no outcome yet."""
    found = held(releases)
    return found is not None and (found.training.id, found.holder) == (training.id, holder)


def trusted_until(lease: Lease) -> datetime:
    """Until when the holder itself goes by its lease."""
    return lease.until - GRACE


def _free(found: Lease | None, holder: str, at: datetime) -> bool:
    return found is None or found.holder == holder or at >= found.until


def _ends(release: Release, lease: Lease) -> bool:
    if release.kind not in OUTCOMES:
        return False
    training = _training(release)
    return training is not None and training.id == lease.training.id


def _training(release: Release) -> Training | None:
    """The training that a release is about; None where its evidence says nothing of the kind."""
    try:
        return Training.from_json(release.evidence)
    except DataError:
        return None


def _lease(release: Release) -> Lease | None:
    try:
        return Lease.from_json(release.evidence)
    except DataError:
        return None
