from dataclasses import replace
from datetime import UTC, datetime

from edml.models.evidence import Training
from edml.models.records import Command, Release, Roles
from edml.monitoring.governor import decide, seat

AT = datetime(2020, 3, 18, tzinfo=UTC)
ROLES = Roles("taxi", revision=3, champion="v1", previous="v0")
CANDIDATE = Release("taxi", "retrained", "v2", AT, "trainer", evidence="{}")


def test_a_person_asks_for_a_training() -> None:
    """It is told as a request, which names the training; no role changes, frozen or not."""
    command = Command("taxi", "retrain", None, None, AT, "ada", "1")
    roles = replace(ROLES, frozen=True)
    decision = decide(roles, command, ["v1"])
    assert decision.roles == roles
    (told,) = decision.releases
    assert (told.kind, told.version, told.by) == ("requested", "v1", "ada")
    assert Training.from_json(told.evidence) == Training(reason="person", as_of=AT)


def test_a_candidate_takes_a_free_seat() -> None:
    """It is told of and becomes challenger at once, in one revision."""
    decision = seat(ROLES, CANDIDATE)
    assert decision.roles == replace(ROLES, challenger="v2", revision=4)
    assert [each.kind for each in decision.releases] == ["retrained", "challenging"]


def test_a_candidate_waits_for_a_seat() -> None:
    """Frozen roles stay; so does a challenger on trial, and a champion that is the candidate."""
    for roles in (
        replace(ROLES, frozen=True),
        replace(ROLES, challenger="v3"),
        replace(ROLES, champion="v2"),
        Roles("taxi", revision=0),
    ):
        decision = seat(roles, CANDIDATE)
        assert decision.roles == roles
        assert decision.releases == (CANDIDATE,)


def test_a_version_has_one_seat_after_a_roll_back() -> None:
    """The previous champion that was challenger, too, is only champion then."""
    roles = replace(ROLES, challenger="v0")
    decision = decide(roles, Command("taxi", "rollback", None, None, AT, "ada", "1"), ["v0", "v1"])
    assert decision.roles == Roles("taxi", revision=4, champion="v0", previous="v1")
