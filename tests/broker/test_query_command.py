from tests.broker.city import City, eventually
from tests.broker.terminal import Terminal
from tests.trips import trips

V1 = "0.1.0-20191128143000-1a2b3c4"


def table(topic: str) -> str:
    """What a topic is called in SQL."""
    return topic.replace(".", "_").replace("-", "_")


def test_topics_are_joined_in_sql(city: City, terminal: Terminal) -> None:
    """A prediction knows the partition and the offset of its event."""
    city.publish(V1)
    city.pick_up(trips(30))
    with city.serving():
        eventually(lambda: city.predictions().height >= 30)
    predictions, events = table(city.app.predictions_topic), table(city.app.event.topic)
    (found,) = terminal(
        "query",
        "--json",
        f"SELECT count(*) AS n, avg(p.prediction) AS mean FROM {predictions} p JOIN {events} e "  # noqa: S608
        "ON e._partition = p.event_partition AND e._offset = p.event_offset AND e.uuid = p.uuid",
    ).document
    assert found["n"] == 30
    assert found["mean"] > 1


def test_an_empty_topic_has_its_columns(city: City, terminal: Terminal) -> None:
    """Before the first record, a query tells what there will be."""
    city.cluster.create()
    answer = terminal("query", f"FROM {table(city.app.scored_topic)}")
    assert answer.code == 0
    assert "No rows" in answer.out
    assert "error" in answer.out


def test_rows_beyond_the_limit_are_told(city: City, terminal: Terminal) -> None:
    """A long answer is cut, and says by how much."""
    city.cluster.create()
    answer = terminal("query", "SELECT * FROM range(7)", "--limit", "3", "--json")
    assert len(answer.document) == 3
    assert "4 rows more" in answer.err


def test_wrong_queries_are_explained(city: City, terminal: Terminal) -> None:
    """A table that is misspelt, SQL that is none, a column that there is not."""
    city.cluster.create()
    pickups = table(city.app.event.topic)
    for sql, expected in {
        f"FROM {pickups[:-1]}": f"did you mean {pickups}?",
        "SELCT 1": "syntax error",
        f"FROM {pickups} SELECT nix": '"nix" not found',
    }.items():
        answer = terminal("query", sql)
        assert answer.code == 2
        assert expected in answer.err
