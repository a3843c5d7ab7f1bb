"""Decisions as lines for people."""

from edml.models.evidence import Training
from edml.models.records import Release


def told(release: Release) -> str:
    """A decision as one line for people."""
    what = f"{release.kind.replace('_', ' ').capitalize()} {release.version}"
    if release.kind == "requested":
        training = Training.from_json(release.evidence)
        return f"Requested a training ({training.reason}) as of {training.as_of:%Y-%m-%d %H:%M}"
    return f"{what}: {release.cause}" if release.cause else what
