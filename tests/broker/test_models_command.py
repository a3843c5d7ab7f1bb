import pytest

from edml.cli.models import version_named
from edml.errors import UsageError
from tests.broker.city import City
from tests.broker.terminal import Terminal

V1 = "0.1.0-20191128143000-1a2b3c4"
V2 = "0.1.0-20191128153000-1a2b3c4-2"
V3 = "0.1.0-20191129143000-9f8e7d6"


def roles(terminal: Terminal) -> dict[str, str]:
    """Which version has which role."""
    found: dict[str, str] = terminal("models", "--json").document["roles"]
    return found


def test_models_are_listed_shown_and_compared(city: City, terminal: Terminal) -> None:
    """Versions with their roles; one with its signature; two with what differs."""
    assert "No model is published" in terminal("models").out
    city.publish(V1)
    city.publish(V2, role="challenger", slope=3.0)
    listed = terminal("models", "--json").document["models"]
    assert [(each["version"], each["roles"]) for each in listed] == [
        (V1, ["champion"]),
        (V2, ["challenger"]),
    ]
    assert V1 in terminal("models").out
    shown = terminal("models", "show", "1a2b3c4-2").out
    assert V2 in shown
    assert "distance_km" in shown
    compared = terminal("models", "compare", "143000", V2, "--json").document
    assert compared["versions"] == [V1, V2]
    assert terminal("models", "compare", "143000", V2).code == 0


def test_roles_change_through_the_governor(city: City, terminal: Terminal) -> None:
    """Promote, roll back, freeze, thaw and drop; the history tells of each."""
    city.publish(V1)
    city.publish(V2, role="challenger")
    assert V2 in terminal("models", "promote").out
    assert roles(terminal) == {"champion": V2, "previous": V1}
    terminal("models", "rollback")
    assert roles(terminal) == {"champion": V1, "previous": V2}
    city.publish(V3, role="challenger")
    terminal("models", "drop")
    assert "frozen" in terminal("models", "freeze").out
    assert "Nothing changes" in terminal("models", "freeze").out
    terminal("models", "thaw")
    assert not terminal("models", "--json").document["frozen"]
    kinds = [each["kind"] for each in terminal("models", "history", "--json").document]
    assert [
        *("published", "promoted", "published", "challenging", "promoted", "rolled_back"),
        *("published", "challenging", "dropped", "frozen", "thawed"),
    ] == kinds
    assert "thawed" in terminal("models", "history", "--last", "1").out


def test_what_makes_no_sense_is_refused(city: City, terminal: Terminal) -> None:
    """Nothing to promote, nothing to go back to, an unknown version: the reason is told."""
    city.publish(V1)
    for words, expected in {
        ("promote",): "no challenger to promote",
        ("rollback",): "no previous champion",
        ("drop",): "no challenger to drop",
        ("promote", "nix"): "no version is called nix",
    }.items():
        answer = terminal("models", *words)
        assert answer.code > 0
        assert expected in answer.err


def test_a_part_of_a_version_names_it() -> None:
    """A part that one version alone has, or that one version alone ends with."""
    assert version_named([V1, V2, V3], "1a2b3c4") == V1
    assert version_named([V1, V2, V3], "9f8e") == V3
    with pytest.raises(UsageError, match="several versions"):
        version_named([V1, V2, V3], "0.1.0")
