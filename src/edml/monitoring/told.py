"""Decisions as lines for people."""

from edml.models.evidence import Alarm, Training
from edml.models.records import Release


def told(release: Release) -> str:
    """A decision as one line for people."""
    what = f"{release.kind.replace('_', ' ').capitalize()} {release.version}"
    if release.kind == "alarmed":
        alarm = Alarm.from_json(release.evidence, version=release.version)
        about = f"{alarm.about} {alarm.segment}".strip()
        since, until = (f"{each:%Y-%m-%d %H:%M}" for each in (alarm.start, alarm.end))
        figures = ", ".join(f"{name} {value:.4g}" for name, value in alarm.figures.items())
        return f"{what}: {about} from {since} to {until}: {figures}"
    if release.kind == "requested":
        training = Training.from_json(release.evidence)
        return f"Requested a training ({training.reason}) as of {training.as_of:%Y-%m-%d %H:%M}"
    return f"{what}: {release.cause}" if release.cause else what
