"""What is set wrongly is told in one error, before anything is read."""

import socket

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from edml.kafka import spans
from tests.broker.city import City
from tests.broker.terminal import Terminal


@pytest.mark.parametrize(
    "wrong",
    [
        ("EDML_KAFKA_LINGR_MS", "5", 'lingr.ms=5: No such configuration property: "lingr.ms"'),
        ("EDML_KAFKA_LINGER_MS", "soon", "does not take linger.ms=soon: Invalid value"),
        ("EDML_KAFKA_LINGER_MS", "-5", "is outside allowed range"),
        ("EDML_KAFKA_COMPRESSION_TYPE", "zip", 'Invalid value "zip"'),
        ("EDML_KAFKA_SESSION_TIMEOUT_MS", "900000", "must be >= `session.timeout.ms`"),
        ("EDML_KAFKA_ENABLE_IDEMPOTENCE", "maybe", "true or false"),
    ],
)
def test_a_wrong_property(
    wrong: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    """The error has the property, what is wrong with it, and where it was set."""
    variable, value, said = wrong
    monkeypatch.setenv(variable, value)
    for command in ("serve", "score", "topics"):
        answer = terminal(command)
        assert answer.code == 2
        assert said in answer.err
        assert variable in answer.err


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    """Serving ends with its address and what to do."""
    monkeypatch.setattr(spans, "TIMEOUT_S", 1.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("EDML_BOOTSTRAP_SERVERS", address)
        answer = terminal("serve")
    assert answer.code == 1
    assert "the log does not answer" in answer.err
    assert address in answer.err
    assert "edml status" in answer.err


def test_partners_of_a_join_with_other_partitions(city: City, terminal: Terminal) -> None:
    """Predictions and outcomes that lie apart are not joined: scoring refuses to start."""
    topics = {city.app.event.topic: 4, city.app.outcome.topic: 3}
    admin = AdminClient(dict(city.cluster.settings.client()))
    for created in admin.create_topics([NewTopic(*each) for each in topics.items()]).values():
        created.result()
    for command in ("score", "serve"):
        answer = terminal(command)
        assert answer.code == 1
        assert f"{city.app.outcome.topic} has 3 partitions instead of 4" in answer.err
