import threading
from collections import Counter

from edml.kafka.dead_letters import Choice, DeadLetter, dead_letters, redrive
from tests.broker.city import City, eventually
from tests.broker.terminal import Terminal
from tests.trips import trips

V1 = "0.1.0-20191128143000-1a2b3c4"
BAD = {b"unmagic": b"\x07no avro", b"short": b"\x00\x00", b"null": None}


def buried(city: City) -> list[DeadLetter]:
    """Serve three bad pick-ups among good ones, and give back the dead letters."""
    city.publish(V1)
    city.pick_up(trips(10))
    city.write(city.app.event.topic, [{"key": key, "value": BAD[key]} for key in BAD])
    with city.serving():
        eventually(lambda: len(letters(city)) >= 3)
    return letters(city)


def letters(city: City) -> list[DeadLetter]:
    """All dead letters of the city."""
    return dead_letters(city.cluster.settings.client(), city.cluster.dead_letters)


def copies(city: City) -> Counter[tuple[bytes | None, bytes | None]]:
    """How often each of the bad records stands on the topic of events."""
    found = [(each.key(), each.value()) for each in city.read(city.app.event.topic)]
    return Counter(each for each in found if each[0] in BAD)


def test_what_was_bad_is_listed_and_shown(city: City, terminal: Terminal) -> None:
    """Each dead letter is told with its cause and where it was read; its bytes are shown."""
    found = {each.key: each for each in buried(city)}
    listed = terminal("dead-letters", "--json").document
    assert {key.decode() for key in BAD} == {each["key"] for each in listed}
    assert all(each["topic"] == city.app.event.topic for each in listed)
    unmagic = found[b"unmagic"]
    shown = terminal("dead-letters", "show", str(unmagic.place))
    assert "cannot be decoded" in shown.out
    assert "07 6e 6f 20 61 76 72 6f" in shown.out
    assert "serve" in shown.out
    only = terminal("dead-letters", "list", "--where", "cause=magic", "--json").document
    assert [each["key"] for each in only] == ["unmagic"]


def test_each_is_redriven_once(city: City, terminal: Terminal) -> None:
    """The original key and bytes are on the topic once more, however often it is asked for."""
    buried(city)
    once = dict.fromkeys(BAD.items(), 1)
    assert once == copies(city)
    (unmagic,) = terminal("dead-letters", "redrive", "--where", "cause=magic", "--json").document
    assert city.app.event.topic == unmagic["to"]
    assert "2 redriven" in terminal("dead-letters", "redrive", "--all").out
    assert "nothing to redrive" in terminal("dead-letters", "redrive", "--all").out
    assert dict.fromkeys(once, 2) == copies(city)
    assert all(each.redriven_to == city.app.event.topic for each in letters(city))


def test_a_letter_is_redriven_again_if_it_is_asked_for(city: City, terminal: Terminal) -> None:
    """By its place, to another topic, twice."""
    place = str(buried(city)[0].place)
    words = ("dead-letters", "redrive", place, "--to", city.app.scored_topic)
    assert "1 redriven" in terminal(*words).out
    assert "nothing to redrive" in terminal(*words).out
    assert "1 redriven" in terminal(*words, "--again").out
    assert len(city.read(city.app.scored_topic)) == 2


def test_two_at_the_same_time_do_not_double(city: City) -> None:
    """Whoever comes second takes over from the first, and knows what it has done."""
    buried(city)
    client, topic = city.cluster.settings.client(), city.cluster.dead_letters
    failures: list[Exception] = []

    def once() -> None:
        try:
            redrive(client, topic, Choice())
        except Exception as failure:  # noqa: BLE001 - the one that is fenced says so, whatever it is
            failures.append(failure)

    threads = [threading.Thread(target=once) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    redrive(client, topic, Choice())
    assert dict.fromkeys(BAD.items(), 2) == copies(city)
    assert all("not redriven" in str(each) for each in failures)


def test_wrong_usage_is_told(city: City, terminal: Terminal) -> None:
    """A place that has no letter, a condition that is none, nothing meant at all."""
    city.cluster.create()
    assert "There are no dead letters" in terminal("dead-letters").out
    wrong = {
        ("show", "0:99"): "there is no dead letter at 0:99",
        ("show", "nowhere"): "not the place of a dead letter",
        ("redrive",): "not clear which dead letters",
        ("redrive", "--all", "0:1"): "not clear which dead letters",
        ("redrive", "--where", "colour=red"): "no condition",
    }
    for words, expected in wrong.items():
        answer = terminal("dead-letters", *words)
        assert answer.code == 2
        assert expected in answer.err
