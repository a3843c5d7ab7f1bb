import json
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

from edml.kafka.inspection import inspect
from edml.models.artefact import Artefact
from edml.wiring.publishing import publish
from tests.broker.city import City, eventually
from tests.broker.recomputation import sums
from tests.broker.terminal import Terminal
from tests.page import Page
from tests.trips import trips

V1 = "0.1.0-20191128143000-1a2b3c4"
V2 = "0.1.0-20191128153000-1a2b3c4-2"
COUNT = 600


def publish_with_distributions(city: City) -> None:
    """A champion that says what its features were like in training."""
    artefact = city.artefact(V1)
    days = {"counts": {str(day): 10 for day in range(1, 8)}, "other": 0}
    about = artefact.description.metadata
    told = replace(about, distributions=json.dumps({"day_of_week": days}))
    Artefact.write(artefact.folder, replace(artefact.description, metadata=told))
    publish(city.cluster, artefact.folder, flavour="onnx", role="champion", by="test")


def test_a_page_tells_of_errors_drift_and_decisions(
    city: City, terminal: Terminal, tmp_path: Path
) -> None:
    """Four days of two models: all parts of the page are there, and the log is as it was."""
    publish_with_distributions(city)
    city.publish(V2, role="challenger", slope=3.0)
    frame = trips(COUNT, every=timedelta(minutes=10))
    city.pick_up(frame)
    city.drop_off(frame)
    with city.serving(), city.scoring():
        eventually(lambda: sums(city)["count"].sum() == 2 * COUNT)
    before = asdict(inspect(city.cluster.settings.client()))
    path = tmp_path / "pages" / "report.html"
    answer = terminal("report", "--output", str(path))
    assert answer.code == 0, answer.err
    assert str(path) in answer.err
    assert asdict(inspect(city.cluster.settings.client())) == before
    page = Page(path.read_text())
    page.check()
    for expected in (
        "RMSE of each version",
        "RMSE by segment",
        "1a2b3c4-2 against 1a2b3c4",
        "Distance from the features in training",
        "day_of_week",
        "Who served when",
        f"challenging {V2}",
        V1,
    ):
        assert expected in page.text


def test_a_report_of_nothing_is_explained(city: City, terminal: Terminal, tmp_path: Path) -> None:
    """Without topics there is nothing to read; with them, the page says that nothing happened."""
    path = str(tmp_path / "report.html")
    missing = terminal("report", "--output", path)
    assert (missing.code, "edml topics create" in missing.err) == (1, True)
    city.cluster.create()
    assert terminal("report", "--output", path).code == 0
    assert "No model is published yet" in Page(Path(path).read_text()).text
    folder = terminal("report", "--output", "/dev/null/report.html")
    assert (folder.code, "cannot be written" in folder.err) == (2, True)
