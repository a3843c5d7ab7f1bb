"""Registries that are none, and schemas that nobody can read."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

import pytest

from edml.errors import RegistryUnavailableError, SchemaError
from edml.kafka.registry import Registry
from edml.settings import RegistrySettings
from tests.broker.city import City, eventually, times_each
from tests.trips import trips

V1 = "0.1.0-20191128143000-1a2b3c4"

Answer = tuple[HTTPStatus, bytes]
OK, AWAY = HTTPStatus.OK, HTTPStatus.INTERNAL_SERVER_ERROR
STRANGE: dict[str, Answer] = {
    "500": (AWAY, b"<html>oops</html>"),
    "500 in its own words": (AWAY, b'{"error_code": 50001, "message": "no store"}'),
    "503": (HTTPStatus.SERVICE_UNAVAILABLE, b""),
    "429": (HTTPStatus.TOO_MANY_REQUESTS, b'{"error_code": 42901}'),
    "garbage": (OK, b"\x00\xff not JSON"),
    "another's JSON": (OK, b'{"hello": "world"}'),
    "a list": (OK, b"[1, 2]"),
    "no schema": (OK, b'{"schema": null}'),
    "half a schema": (OK, b'{"schema": "{\\"type\\": \\"rec"}'),
    "another server's 404": (HTTPStatus.NOT_FOUND, b"<html>not here</html>"),
}


@contextmanager
def registry_that_says(
    answers: Sequence[Answer], then: str | None = None, heard: list[str] | None = None
) -> Iterator[str]:
    """A server that gives some answers about schema ids, the last one again, or asks another one.

    All else is asked of ``then`` at once.
    """
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        """Answers as it is told."""

        def do_GET(self) -> None:
            """Give the next answer."""
            if heard is not None:
                heard.append(self.path)
            if then is not None and ("/ids/" not in self.path or not left):
                self._pass_on(then)
                return
            status, content = left[0] if then is None and len(left) == 1 else left.pop(0)
            self._say(status, content)

        do_POST = do_GET  # noqa: N815

        def _pass_on(self, to: str) -> None:
            size = int(self.headers.get("Content-Length", 0))
            request = Request(  # noqa: S310  of our own registry
                to + self.path,
                data=self.rfile.read(size) or None,
                headers={"Content-Type": "application/json"},
                method=self.command,
            )
            with urlopen(request) as answer:  # noqa: S310
                self._say(HTTPStatus(answer.status), answer.read())

        def _say(self, status: HTTPStatus, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("kind", STRANGE)
def test_a_registry_that_is_none_is_a_reason_to_wait(kind: str) -> None:
    """Whatever answers, if it is not about the schema, no record is bad for it."""
    with (
        registry_that_says([STRANGE[kind]]) as url,
        Registry(RegistrySettings(url=url)) as registry,
        pytest.raises(RegistryUnavailableError),
    ):
        registry.schema(1)


@pytest.mark.parametrize(
    "content",
    [
        b'{"error_code": 40403, "message": "Schema not found"}',
        b'{"schema": "{}", "schemaType": "PROTOBUF"}',
        b'{"schema": "\\"string\\""}',
    ],
)
def test_what_a_registry_says_of_a_schema_is_the_records_fault(content: bytes) -> None:
    """An unknown id, a schema of Protobuf, one that is no record: nothing to wait for."""
    status = HTTPStatus.NOT_FOUND if b"40403" in content else OK
    with (
        registry_that_says([(status, content)]) as url,
        Registry(RegistrySettings(url=url)) as registry,
        pytest.raises(SchemaError),
    ):
        registry.schema(1)


def test_a_registry_that_takes_too_long_is_a_reason_to_wait() -> None:
    """It has taken the question, and never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            Registry(RegistrySettings(url=url), timeout_s=0.2) as registry,
            pytest.raises(RegistryUnavailableError, match="does not answer"),
        ):
            registry.schema(1)


def test_serving_waits_while_the_registry_is_away(city: City) -> None:
    """Through ten strange answers, nothing is buried; then every event is predicted, once."""
    city.publish(V1)
    city.pick_up(trips(100))
    heard: list[str] = []
    url = city.cluster.settings.registry.url
    with registry_that_says(list(STRANGE.values()), then=url, heard=heard) as proxy:
        access = RegistrySettings(url=proxy)
        settings = replace(city.cluster.settings, registry_access=access)
        behind = replace(city, cluster=replace(city.cluster, settings=settings))
        with behind.cluster, behind.serving():
            eventually(lambda: city.predictions().height >= 100)
    assert sum("/ids/" in each for each in heard) > len(STRANGE)
    assert times_each(city.predictions(), "uuid") == {1: 100}
    assert city.dead_letters() == []
