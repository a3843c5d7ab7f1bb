import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from edml import wiring
from edml.errors import ModelRefusedError
from edml.kafka.group_offsets import committed
from edml.models.artefact import Artefact
from edml.models.records import Model
from edml.wiring.publishing import publish
from tests import hostile_models
from tests.artefacts import write_line
from tests.broker.city import City, eventually, times_each
from tests.trips import trips

V1 = "0.1.0-20191128143000-1a2b3c4"
V2 = "0.1.0-20191128153000-1a2b3c4"


def test_every_event_is_predicted_once(city: City) -> None:
    """Each pick-up gives one prediction of the champion, with features and origin."""
    city.publish(V1)
    city.pick_up(trips(500))
    with city.serving():
        eventually(lambda: city.predictions().height >= 500)
    predictions = city.predictions()
    assert times_each(predictions, "uuid") == {1: 500}
    assert times_each(predictions, "event_partition", "event_offset") == {1: 500}
    distance_km = predictions["features"].struct.field("distance_km")
    assert (predictions["prediction"] - (2 * distance_km + 1)).abs().max() < 1e-4  # type: ignore[operator]
    assert predictions["version"].unique().to_list() == [V1]
    assert city.dead_letters() == []


def test_at_least_once_predicts_too(city: City) -> None:
    """Without transactions, an undisturbed run gives one prediction an event as well.

    The group hears of the last events while it is quiet, and of all that is done when it stops.
    """
    city.publish(V1)
    city.pick_up(trips(100))
    group = f"{city.cluster.settings.topic_prefix}edml.taxi.serve"
    with city.serving(guarantee="at_least_once"):
        eventually(lambda: city.predictions().height >= 100)
        eventually(lambda: sum(committed(city.cluster.settings.client(), group).values()) == 100)
        city.pick_up(trips(200).tail(100))
        eventually(lambda: city.predictions().height >= 200)
    assert sum(committed(city.cluster.settings.client(), group).values()) == 200
    with city.serving(guarantee="at_least_once"):
        city.pick_up(trips(201).tail(1))
        eventually(lambda: city.predictions().height >= 201)
    assert times_each(city.predictions(), "uuid") == {1: 201}


def test_events_wait_for_the_first_model(city: City) -> None:
    """With no model yet, nothing is dropped: what came before the model is predicted by it."""
    city.cluster.create()
    city.pick_up(trips(50))
    with city.serving():
        city.publish(V1)
        eventually(lambda: city.predictions().height >= 50)
    assert times_each(city.predictions(), "uuid") == {1: 50}


def test_a_new_champion_takes_over_while_events_flow(city: City) -> None:
    """A published model is swapped in between two batches: no event is lost, none is doubled."""
    city.publish(V1)
    with city.serving():
        city.pick_up(trips(200))
        eventually(lambda: city.predictions().height >= 200)
        city.publish(V2, slope=3.0)
        eventually(lambda: any(r.kind == "loaded" and r.version == V2 for r in city.releases()))
        city.pick_up(trips(200, first=200))
        eventually(lambda: champions(city).height >= 400)
    assert times_each(champions(city), "uuid") == {1: 400}
    assert champions(city)["version"].unique().sort().to_list() == [V1, V2]


def test_a_challenger_predicts_in_the_shadow(city: City) -> None:
    """Champion and challenger answer the same events; the role says whose answer counts."""
    city.publish(V1)
    city.publish(V2, role="challenger", slope=3.0)
    city.pick_up(trips(100))
    with city.serving():
        eventually(lambda: city.predictions().height >= 200)
    assert times_each(city.predictions(), "uuid", "role") == {1: 200}
    by_role = city.predictions().group_by("role").agg(pl.col("version").unique().first())
    assert dict(by_role.iter_rows()) == {"champion": V1, "challenger": V2}


def test_instances_share_the_partitions(city: City) -> None:
    """Two instances predict each event once between them, also while the second one joins."""
    city.publish(V1)
    city.pick_up(trips(300))
    with city.serving(), city.serving():
        eventually(lambda: city.predictions().height >= 300)
        city.pick_up(trips(300, first=300))
        eventually(lambda: city.predictions().height >= 600)
    assert times_each(city.predictions(), "uuid") == {1: 600}


def bad_values(good: bytes) -> dict[str, Any]:
    """Values that cannot be used, by a word of the cause that is given."""
    return {
        "null": None,
        "empty": b"",
        "magic": b"\x07" + good[1:],
        "99999": struct.pack(">bI", 0, 99_999) + good[5:],
        "ends": good[:-3],
        "left over": good + b"\x00\x01",
        "left over ": good + good[5:],
    }


def test_bad_records_are_buried_and_their_neighbours_served(city: City) -> None:
    """Each bad value is a dead letter with its bytes and cause; all others are predicted."""
    city.publish(V1)
    records = city.records(trips(60))
    bad = bad_values(records[0]["value"])
    for at, value in zip(range(5, 60, 7), bad.values(), strict=False):
        records[at] = {"key": records[at]["key"], "value": value}
    city.write(city.app.event.topic, records)
    expected = 60 - len(bad)
    with city.serving():
        eventually(lambda: city.predictions().height >= expected)
        eventually(lambda: len(city.dead_letters()) >= len(bad))
    assert times_each(city.predictions(), "uuid") == {1: expected}
    letters = city.dead_letters()
    assert len(letters) == len(bad)
    causes = " | ".join(letter["cause"] for letter in letters)
    assert [word for word in bad if word.strip() not in causes] == []
    assert {letter["topic"] for letter in letters} == {city.app.event.topic}
    buried = {each.value() for each in city.read(city.cluster.dead_letters)}
    assert set(bad.values()) <= buried


def test_unreasonable_events_are_buried(city: City) -> None:
    """An unknown zone, an event in the year 2090 and a record of a megabyte stop nothing."""
    city.publish(V1)
    frame = trips(30).with_columns(
        pickup_zone=pl.when(pl.int_range(30) == 3).then(999).otherwise("pickup_zone"),
        pickup_at=pl.when(pl.int_range(30) == 4)
        .then(pl.col("pickup_at").dt.offset_by("71y"))
        .otherwise("pickup_at"),
    )
    city.pick_up(frame)
    huge = city.records(trips(1, first=30).with_columns(uuid=pl.lit("x" * 990_000)))
    city.write(city.app.event.topic, [{"key": b"huge", "value": huge[0]["value"]}])
    with city.serving():
        eventually(lambda: city.predictions().height >= 28)
        eventually(lambda: len(city.dead_letters()) >= 2)
        eventually(lambda: city.predictions().height + len(city.dead_letters()) >= 31)
    causes = {letter["cause"] for letter in city.dead_letters()}
    assert {"unknown pick-up zone", "the event time is too far ahead"} <= causes


def test_a_refused_prediction_stands_alone(city: City) -> None:
    """An event whose prediction the broker refuses is buried; its neighbours are served."""
    city.publish(V1)
    city.cluster.create()
    topic = ConfigResource(ResourceType.TOPIC, city.app.predictions_topic)
    limit = ConfigEntry("max.message.bytes", "4000", incremental_operation=AlterConfigOpType.SET)
    topic.add_incremental_config(limit)
    admin = AdminClient(dict(city.cluster.settings.client()))
    admin.incremental_alter_configs([topic])[topic].result()
    keys = pl.when(pl.int_range(60) == 30).then(pl.lit("k" * 5_000)).otherwise("uuid")
    city.pick_up(trips(60).with_columns(uuid=keys))
    with city.serving():
        eventually(lambda: city.predictions().height >= 59)
        eventually(lambda: len(city.dead_letters()) >= 1)
    assert times_each(city.predictions(), "uuid") == {1: 59}
    (letter,) = city.dead_letters()
    assert "refuses" in letter["cause"]


def broken(city: City) -> dict[str, Model]:
    """Models that must be refused, by a word of the cause."""
    good = city.artefact(V2, slope=3.0).model("onnx")
    test = good.self_test[0]
    third = city.artefact("0.1.0-20191128163000-1a2b3c4")
    write_line(city.app, third.folder, column="distance_km", slope=float("nan"))
    nan = third.model("onnx")
    inputs = [replace(good.signature.inputs[0], name="surge")]
    return {
        "sha256": replace(good, sha256="0" * 64),
        "fetched": replace(good, artefact=None, uri="/nowhere/model.zip"),
        "surge": replace(good, signature=replace(good.signature, inputs=inputs)),
        "predicted": replace(good, self_test=[replace(test, prediction=test.prediction + 1)]),
        "finite": nan,
    }


@pytest.mark.parametrize("word", ["sha256", "fetched", "surge", "predicted", "finite"])
def test_a_broken_model_is_refused_and_the_old_one_serves_on(city: City, word: str) -> None:
    """A release says what is wrong with a new champion, and nothing else changes."""
    city.publish(V1)
    model = broken(city)[word]
    with city.serving():
        city.pick_up(trips(20))
        eventually(lambda: city.predictions().height >= 20)
        with city.cluster.governor() as governor:
            request = wiring.command(city.cluster, "publish", model.version, "champion", "test")
            governor.publish(model, request)
        eventually(lambda: any(each.kind == "refused" for each in city.releases()))
        city.pick_up(trips(20, first=20))
        eventually(lambda: city.predictions().height >= 40)
    assert city.predictions()["version"].unique().to_list() == [V1]
    (refused,) = [each for each in city.releases() if each.kind == "refused"]
    assert refused.version == model.version
    assert word in str(refused.cause)


@pytest.mark.parametrize(("deed", "cause"), [("crash", "SIGSEGV"), ("hang", "within 3 s")])
def test_a_model_that_ends_its_process_or_hangs_stops_nothing(
    city: City, deed: str, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is tried apart, events flow; after a restart, the old model still answers."""
    hostile_models.install(tmp_path / "packages", monkeypatch)
    trial_s = 3.0 if deed == "hang" else city.cluster.settings.trial_s
    settings = replace(city.cluster.settings, trial_s=trial_s)
    with replace(city.cluster, settings=settings) as bounded:
        sent = refuse_while_events_flow(city, replace(city, cluster=bounded), deed)
    assert times_each(city.predictions(), "uuid") == {1: sent}
    assert champions(city)["version"].unique().to_list() == [V1]
    refused = [str(each.cause) for each in city.releases() if each.kind == "refused"]
    assert len(refused) == 2
    assert all(cause in each for each in refused)


def refuse_while_events_flow(city: City, bounded: City, deed: str) -> int:
    """Serve, publish a hostile model, and serve again; gives back how many events there were.

    The good model is admitted before the time of trials is bounded.
    """
    city.publish(V1)
    (city.artefact(V2).folder / "model.onnx").write_text(f"hostile {deed}")
    model = replace(Artefact.read(city.folder / V2).model("onnx"), flavour="hostile")
    sent = 0

    def flow() -> None:
        nonlocal sent
        city.pick_up(trips(20, first=sent))
        sent += 20
        eventually(lambda: city.predictions().height >= sent)

    with city.serving():
        flow()
    with bounded.serving():
        flow()
        with city.cluster.governor() as governor:
            request = wiring.command(city.cluster, "publish", model.version, "champion", "test")
            governor.publish(model, request)
        while not any(each.kind == "refused" for each in city.releases()):
            flow()
    with bounded.serving():
        flow()
    return sent


def test_a_broken_artefact_is_not_published(city: City) -> None:
    """`edml publish` tries the model first, and refuses what serving would refuse."""
    artefact = city.artefact(V1)
    (artefact.folder / "model.onnx").write_bytes(b"this is no model")
    with pytest.raises(ModelRefusedError, match="cannot load"):
        publish(city.cluster, artefact.folder, flavour="onnx", role="champion", by="test")


def test_publishing_twice_changes_nothing(city: City) -> None:
    """A model that is published already is not published again."""
    first = city.publish(V1)
    folder = city.folder / V1
    again = publish(city.cluster, folder, flavour="onnx", role="champion", by="test")[1]
    assert again.roles == first
    assert [each.kind for each in city.releases()] == ["published", "promoted"]


def champions(city: City) -> pl.DataFrame:
    """The predictions that count."""
    return city.predictions().filter(pl.col("role") == "champion")
