import signal
from pathlib import Path

from confluent_kafka.admin import AdminClient

from tests.broker.city import City, eventually
from tests.broker.processes import start
from tests.trips import trips

V1 = "0.1.0-20191128143000-1a2b3c4"


def test_a_stopped_instance_leaves_its_group(city: City, tmp_path: Path) -> None:
    """After SIGTERM the command ends by itself with code 0, and its partitions are free at once."""
    city.publish(V1)
    city.pick_up(trips(100))
    process = start(city, "serve", tmp_path / "serve.log")
    eventually(lambda: city.predictions().height >= 100)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    group = f"{city.app.topic_prefix}edml.taxi.serve"
    admin = AdminClient(dict(city.cluster.settings.client()))
    described = admin.describe_consumer_groups([group])[group].result()
    assert described.members == [], (tmp_path / "serve.log").read_text()
