"""An instance's own folder of models is only a cache: gone or damaged, it is filled again."""

from shutil import rmtree

import polars as pl

from tests.broker.city import City, eventually, times_each
from tests.trips import trips

V1 = "0.1.0-20191128143000-1a2b3c4"
V2 = "0.1.0-20191129143000-1a2b3c4"


def served(city: City, first: int) -> None:
    """Twenty more pick-ups are predicted by an instance that starts."""
    city.pick_up(trips(20, first=first))
    with city.serving():
        eventually(lambda: city.predictions().height >= first + 20)


def test_a_store_that_is_gone_or_damaged_is_filled_again(city: City) -> None:
    """The model comes from where it was published, and each event is predicted once."""
    city.publish(V1)
    served(city, 0)
    store = city.cluster.settings.home / "models"
    files = [each for each in store.rglob("*") if each.is_file() and each.name != "LOCK"]
    assert files
    for each in files:
        each.write_bytes(b"rubbish")
    served(city, 20)
    rmtree(store)
    served(city, 40)
    assert times_each(city.predictions(), "uuid") == {1: 60}


def test_a_store_that_is_deleted_under_an_instance(city: City) -> None:
    """What is loaded answers on, and what is published meanwhile is fetched, and answers next."""
    city.publish(V1)
    city.pick_up(trips(20))
    with city.serving():
        eventually(lambda: city.predictions().height >= 20)
        store = city.cluster.settings.home / "models"
        store.rename(store.with_name("gone"))
        city.publish(V2)
        eventually(lambda: ("loaded", V2) in [(e.kind, e.version) for e in city.releases()])
        city.pick_up(trips(20, first=20))
        eventually(lambda: city.predictions().height >= 40)
    predictions = city.predictions().filter(pl.col("role") == "champion")
    assert times_each(predictions, "uuid") == {1: 40}
    assert times_each(predictions, "version") == {20: 2}
