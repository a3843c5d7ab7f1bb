"""The governor's decisions: from the roles and a command to new roles and releases.

A person is never overruled: a command is carried out, frozen or not, or refused with its reason.
What edml does by itself leaves frozen roles, and a challenger that is on trial, as they are.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from edml.errors import EdmlError
from edml.models.evidence import Training
from edml.models.records import Command, Release, ReleaseKind, Roles


class CommandRefusedError(EdmlError):
    """A command that makes no sense as things are."""


@dataclass(frozen=True)
class Decision:
    """The roles from now on, and what there is to tell: nothing when nothing changes."""

    roles: Roles
    releases: tuple[Release, ...]


def decide(roles: Roles, command: Command, published: Collection[str]) -> Decision:
    """Carry out a command. Raises `CommandRefusedError` with the reason when it cannot be."""
    if command.version is not None and command.version not in published:
        raise CommandRefusedError(
            f"version {command.version} is not published for {command.application}",
            todo="see `edml models` for those that are",
        )
    if command.kind == "retrain":
        return Decision(roles, (_requested(roles, command),))
    kind, changed = _CHANGES[command.kind](roles, command)
    if changed == roles:
        return Decision(roles, ())
    changed = replace(changed, revision=roles.revision + 1)
    release = Release(
        application=command.application,
        kind=kind,
        version=_told_of(roles, changed, command),
        at=command.at,
        by=command.by,
        revision=changed.revision,
    )
    return Decision(changed, (release,))


def seat(roles: Roles, candidate: Release) -> Decision:
    """Tell of a candidate that edml has trained, and try it as challenger if that seat is free.

    While the roles are frozen, or another challenger is on trial, it is only told of; the monitor
    gives it the seat when that comes free.
    """
    if roles.frozen or roles.challenger is not None or roles.champion in {None, candidate.version}:
        return Decision(roles, (candidate,))
    changed = replace(roles, challenger=candidate.version, revision=roles.revision + 1)
    challenging = replace(candidate, kind="challenging", revision=changed.revision)
    return Decision(changed, (candidate, challenging))


def _told_of(before: Roles, after: Roles, command: Command) -> str:
    """The version that a release about a change of roles is about."""
    if command.kind == "drop":
        return before.challenger or ""
    return command.version or after.champion or ""


def _requested(roles: Roles, command: Command) -> Release:
    training = Training(reason="person", as_of=command.at)
    return Release(
        application=command.application,
        kind="requested",
        version=roles.champion or "",
        at=command.at,
        by=command.by,
        evidence=training.to_json(),
    )


def _name(roles: Roles, command: Command) -> tuple[ReleaseKind, Roles]:
    """Give a published version its role; the first one of all becomes champion."""
    if command.role == "challenger" and roles.champion is not None:
        if roles.champion == command.version:
            raise CommandRefusedError(f"version {command.version} is the champion already")
        return "challenging", replace(roles, challenger=command.version)
    return _promote(roles, command)


def _promote(roles: Roles, command: Command) -> tuple[ReleaseKind, Roles]:
    version = command.version or roles.challenger
    if version is None:
        raise CommandRefusedError(
            f"{command.application} has no challenger to promote",
            todo="name a version: `edml models promote VERSION`",
        )
    if version == roles.champion:
        return "promoted", roles
    return "promoted", replace(
        roles,
        champion=version,
        previous=roles.champion,
        challenger=None if roles.challenger == version else roles.challenger,
    )


def _roll_back(roles: Roles, command: Command) -> tuple[ReleaseKind, Roles]:
    if roles.previous is None:
        raise CommandRefusedError(
            f"{command.application} has no previous champion to go back to",
            todo="name a version: `edml models promote VERSION`",
        )
    return "rolled_back", replace(
        roles,
        champion=roles.previous,
        previous=roles.champion,
        challenger=None if roles.challenger == roles.previous else roles.challenger,
    )


def _drop(roles: Roles, command: Command) -> tuple[ReleaseKind, Roles]:
    if roles.challenger is None:
        raise CommandRefusedError(f"{command.application} has no challenger to drop")
    return "dropped", replace(roles, challenger=None)


def _freeze(roles: Roles, command: Command) -> tuple[ReleaseKind, Roles]:
    del command
    return "frozen", replace(roles, frozen=True)


def _thaw(roles: Roles, command: Command) -> tuple[ReleaseKind, Roles]:
    del command
    return "thawed", replace(roles, frozen=False)


_CHANGES: Final[Mapping[str, Callable[[Roles, Command], tuple[ReleaseKind, Roles]]]] = {
    "publish": _name,
    "promote": _promote,
    "rollback": _roll_back,
    "drop": _drop,
    "freeze": _freeze,
    "thaw": _thaw,
}
