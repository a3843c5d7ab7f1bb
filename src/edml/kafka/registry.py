"""The schema registry, by the REST interface that Confluent's, Apicurio and others share.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

import json
import ssl
from collections.abc import Generator
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

from edml.errors import RegistryUnavailableError, SchemaError
from edml.http import httpx
from edml.kafka.codec.layout import RecordSchema
from edml.settings import RegistrySettings

TIMEOUT_S: Final = 10.0
"""How long an answer is waited for."""

_MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
_SUBJECT_NOT_FOUND: Final = (40401, 40402)
_SCHEMA_NOT_FOUND: Final = 40403


class UnknownSchemaError(SchemaError):
    """The registry answers, and has no schema of this id: the record that names it is bad."""


def subject(topic: str) -> str:
    """Give back the subject of a topic's values, by Confluent's TopicNameStrategy."""
    return f"{topic}-value"


class Registry:
    """A registry of Avro schemas. Schemas and ids never change there, so each is asked for once.

    Every method raises `RegistryUnavailableError` when the registry does not answer, or does not
    answer as a registry does. That is a reason to wait, never a fault of a record.
    """

    def __init__(self, settings: RegistrySettings, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url: Final = settings.url.rstrip("/")
        self._client: Final = httpx.Client(
            auth=_auth(settings),
            headers={"Accept": _MEDIA_TYPE, "Content-Type": _MEDIA_TYPE},
            timeout=timeout_s,
            verify=True if settings.ca is None else ssl.create_default_context(cafile=settings.ca),
        )
        self._schemas: Final[dict[int, RecordSchema]] = {}
        self._ids: Final[dict[tuple[str, str], int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def schema(self, schema_id: int) -> RecordSchema:
        """Give back the schema of this id.

        Raises:
            UnknownSchemaError: there is none.
            SchemaError: it is no Avro schema that stands by itself.
        """
        if schema_id not in self._schemas:
            self._schemas[schema_id] = self._fetch(schema_id)
        return self._schemas[schema_id]

    def register(self, subject: str, schema: RecordSchema) -> int:
        """Give back the id of the schema, which is registered under the subject if it was not.

        Raises:
            SchemaError: it is not valid, or not compatible with the ones before it.
        """
        text = json.dumps(schema)
        if (subject, text) not in self._ids:
            answer = self._ask("POST", f"subjects/{_segment(subject)}/versions", {"schema": text})
            if answer.is_error:
                raise SchemaError(
                    f"the registry refuses the schema: {_message(answer)}",
                    where=f"subject {subject} at {self._url}",
                    todo="give new fields a default, and keep the types of old ones",
                )
            self._ids[subject, text] = int(_json(answer)["id"])
        return self._ids[subject, text]

    def latest(self, subject: str) -> RecordSchema | None:
        """Give back the subject's latest schema; None when there is no such subject.

        Raises:
            SchemaError: it is no Avro schema that stands by itself.
        """
        answer = self._ask("GET", f"subjects/{_segment(subject)}/versions/latest")
        if _code(answer) in _SUBJECT_NOT_FOUND:
            return None
        if answer.is_error:
            raise self._strange(answer)
        return self._avro(answer, where=f"subject {subject} at {self._url}")

    def incompatibilities(self, subject: str, schema: RecordSchema) -> list[str]:
        """Give back why the schema cannot follow the subject's latest one; empty: it can.

        Under a subject that does not exist yet, every schema can be the first.

        Raises:
            SchemaError: the schema is not valid.
        """
        path = f"compatibility/subjects/{_segment(subject)}/versions/latest?verbose=true"
        answer = self._ask("POST", path, {"schema": json.dumps(schema)})
        if _code(answer) in _SUBJECT_NOT_FOUND:
            return []
        if answer.is_error:
            raise SchemaError(
                f"the registry cannot compare the schema: {_message(answer)}",
                where=f"subject {subject} at {self._url}",
                todo="make it a valid Avro schema",
            )
        found = _json(answer)
        if found["is_compatible"]:
            return []
        return [str(message) for message in found.get("messages") or ["no reason is given"]]

    def set_compatibility(self, subject: str, level: str) -> None:
        """Say what later schemas of the subject must be compatible with, such as ``BACKWARD``.

        Raises:
            SchemaError: the registry does not know the level.
        """
        answer = self._ask("PUT", f"config/{_segment(subject)}", {"compatibility": level})
        if answer.is_error:
            raise SchemaError(
                f"the registry refuses the compatibility {level!r}: {_message(answer)}",
                where=f"subject {subject} at {self._url}",
                todo="use one of BACKWARD, FORWARD, FULL, their _TRANSITIVE, or NONE",
            )

    def _fetch(self, schema_id: int) -> RecordSchema:
        where = f"schema {schema_id} at {self._url}"
        answer = self._ask("GET", f"schemas/ids/{schema_id}")
        if _code(answer) == _SCHEMA_NOT_FOUND:
            raise UnknownSchemaError(
                f"the registry has no schema of id {schema_id}",
                where=where,
                todo="have the producer register its schema at this registry",
            )
        if answer.is_error:
            raise self._strange(answer)
        return self._avro(answer, where=where)

    def _avro(self, answer: httpx.Response, *, where: str) -> RecordSchema:
        """Give back the schema that was answered, if it is one of an Avro record, and whole."""
        found = _json(answer)
        if (kind := found.get("schemaType") or "AVRO") != "AVRO":
            raise SchemaError(
                f"it is a schema of {kind}, not of Avro",
                where=where,
                todo="have the producer write Avro",
            )
        if found.get("references"):
            raise SchemaError(
                "it refers to schemas of other subjects",
                where=where,
                todo="register it with the types it refers to inside of it",
            )
        try:
            schema = json.loads(found["schema"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._strange(answer) from error
        if not isinstance(schema, dict):
            raise SchemaError(
                "it is not the schema of a record",
                where=where,
                todo="have the producer write records",
            )
        return schema

    def _ask(self, method: str, path: str, content: object = None) -> httpx.Response:
        """Give back an answer that is about the schema: the registry is there, and knows us."""
        try:
            answer = self._client.request(method, f"{self._url}/{path}", json=content)
        except httpx.HTTPError as error:
            raise RegistryUnavailableError(
                f"the schema registry does not answer: {type(error).__name__}: {error}",
                where=self._url,
                todo="see whether it runs (`edml status`), and whether EDML_REGISTRY_URL is right",
            ) from error
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise RegistryUnavailableError(
                f"the schema registry does not let us in: {_message(answer)}",
                where=self._url,
                todo="set EDML_REGISTRY_USER and EDML_REGISTRY_PASSWORD, or EDML_REGISTRY_TOKEN",
            )
        about_schema = answer.is_success or answer.status_code in (
            HTTPStatus.NOT_FOUND,
            HTTPStatus.CONFLICT,
            HTTPStatus.UNPROCESSABLE_ENTITY,
        )
        if not about_schema or (answer.is_error and _code(answer) is None):
            raise self._strange(answer)
        return answer

    def _strange(self, answer: httpx.Response) -> RegistryUnavailableError:
        return RegistryUnavailableError(
            f"the schema registry answers {answer.status_code}: {_message(answer)}",
            where=str(answer.url),
            todo="see its log, and whether EDML_REGISTRY_URL is the address of a registry with "
            "Confluent's interface",
        )


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._header
        yield request


def _auth(settings: RegistrySettings) -> httpx.Auth | None:
    if settings.token is not None:
        return _Bearer(settings.token)
    if settings.user is not None:
        return httpx.BasicAuth(settings.user, settings.password or "")
    return None


def _segment(name: str) -> str:
    """Give back a name as one segment of a path."""
    return quote(name, safe="")


def _json(answer: httpx.Response) -> dict[str, Any]:
    """Give back the object that was answered; an empty one where it was none."""
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _code(answer: httpx.Response) -> int | None:
    """Give back Confluent's error code, or None where the answer has none."""
    code = _json(answer).get("error_code")
    return code if answer.is_error and isinstance(code, int) else None


def _message(answer: httpx.Response) -> str:
    return str(_json(answer).get("message") or answer.reason_phrase or "no reason is given")
