"""Registries that are none, and schemas that nobody can read."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from edml.errors import RegistryUnavailableError, SchemaError
from edml.kafka.registry import Registry
from edml.settings import RegistrySettings

V1 = "0.1.0-20191128143000-1a2b3c4"
SURGE = {"name": "surge", "type": "double", "default": 1.0}
Fields = list[dict[str, Any]]

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
def registry_that_says(answer: Answer) -> Iterator[str]:
    """A server that gives one answer, whatever it is asked."""
    status, content = answer

    class Handler(BaseHTTPRequestHandler):
        """Answers as it is told."""

        def do_GET(self) -> None:
            """Give the answer."""
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
        registry_that_says(STRANGE[kind]) as url,
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
        registry_that_says((status, content)) as url,
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
