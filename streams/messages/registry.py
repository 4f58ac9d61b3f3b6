"""A Confluent-compatible schema registry, asked over HTTP: ids to schemas, schemas to ids.

Subjects are named by topic (`<topic>-value`). Only `register` changes anything there, and only people call
it: a worker that registered by itself would make a contract of whatever it was built with.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from streams.messages.errors import MessageError
from streams.messages.schemas import Schema

T = TypeVar("T")

COMPATIBILITY = "BACKWARD_TRANSITIVE"
"""Of a subject that `register` makes: the next version must read what any version wrote, as we check."""

# A round waits for the answer, once per schema.
_TIMEOUT_SECONDS = 5
_RETRIES = 2
_NOT_FOUND = 404


class RegistryError(MessageError):
    """The registry does not answer, or refuses.

    Attributes:
        url: where it should be.
    """

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        super().__init__(f"the schema registry at {url}: {reason}")


class RegistryExtraMissingError(MessageError):
    """The package was installed without what talks to a registry."""

    def __init__(self) -> None:
        super().__init__(
            "a schema registry is configured, and its client is not installed: install "
            "`dunning-streams[registry]`"
        )


class Registered(NamedTuple):
    """One version of a subject.

    Attributes:
        version: its number in the subject.
        schema_id: its id in the registry.
        schema: what it is.
    """

    version: int
    schema_id: int
    schema: Schema


class Registry:
    """A registry; it is a `SchemaSource` and a `SchemaIds`.

    Args:
        url: where it is, with its path; without a password.
        username: with a password, for HTTP's basic authentication.
        password: of the user.
        ca_location: certificate authorities, PEM; the usual ones unless given.
        topic_prefix: goes before the name of every topic, and so before every subject's.

    Raises:
        RegistryExtraMissingError: its client is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        ca_location: Path | None = None,
        topic_prefix: str = "",
    ) -> None:
        try:
            # An extra, and half a second that only those spend who need it.
            from confluent_kafka import schema_registry  # noqa: PLC0415
        except ImportError as error:
            raise RegistryExtraMissingError from error
        self.url = url
        self._prefix = topic_prefix
        self._library: Any = schema_registry
        properties: dict[str, Any] = {"url": url, "timeout": _TIMEOUT_SECONDS, "max.retries": _RETRIES}
        if username is not None:
            properties["basic.auth.user.info"] = f"{username}:{password or ''}"
        if ca_location is not None:
            properties["ssl.ca.location"] = str(ca_location)
        self._client: Any = schema_registry.SchemaRegistryClient(properties)

    def name(self, subject: str) -> str:
        """Give the name that a subject of the contract has in the registry."""
        return self._prefix + subject

    def schema(self, schema_id: int) -> str:
        """Give the JSON of the schema of that id.

        Raises:
            LookupError: there is none.
            RegistryError: the registry does not answer.
        """
        text: str = self._ask(lambda: self._client.get_schema(schema_id).schema_str)
        return text

    def id_of(self, subject: str, schema: str) -> int:
        """Give the id under which the schema is registered for the subject.

        Raises:
            LookupError: it is not.
            RegistryError: the registry does not answer.
        """
        wanted = self._library.Schema(schema, "AVRO")
        schema_id: int = self._ask(lambda: self._client.lookup_schema(self.name(subject), wanted).schema_id)
        return schema_id

    def versions(self, subject: str) -> list[Registered]:
        """Give all versions of a subject, oldest first; none if there is no such subject.

        Raises:
            RegistryError: the registry does not answer, or holds something else than Avro there.
        """
        try:
            numbers: list[int] = self._ask(lambda: self._client.get_versions(self.name(subject)))
        except LookupError:
            return []
        return [self._version(subject, number) for number in sorted(numbers)]

    def register(self, subject: str, schema: str) -> int:
        """Register a schema as the subject's next version, and give its id; a new subject is kept compatible.

        Raises:
            RegistryError: the registry does not answer, or refuses it.
        """
        is_new = not self.versions(subject)
        schema_id: int = self._ask(
            lambda: self._client.register_schema(self.name(subject), self._library.Schema(schema, "AVRO"))
        )
        if is_new:
            self._ask(lambda: self._client.set_compatibility(self.name(subject), COMPATIBILITY))
        return schema_id

    def accepts(self, subject: str, schema: str) -> bool:
        """Whether the registry, by the subject's own rule, would take the schema as the next version.

        Raises:
            LookupError: there is no such subject.
            RegistryError: the registry does not answer.
        """
        wanted = self._library.Schema(schema, "AVRO")
        accepted: bool = self._ask(lambda: self._client.test_compatibility(self.name(subject), wanted))
        return accepted

    def _version(self, subject: str, number: int) -> Registered:
        found = self._ask(lambda: self._client.get_version(self.name(subject), number))
        if found.schema.schema_type != "AVRO":
            raise RegistryError(
                self.url, f"version {number} of {subject} is {found.schema.schema_type}, not AVRO"
            )
        return Registered(number, found.schema_id, json.loads(found.schema.schema_str))

    def _ask(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except self._library.SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                raise LookupError(error.error_message) from error
            raise RegistryError(self.url, f"{error.error_message} ({error.http_status_code})") from error
        except Exception as error:
            # Of the HTTP client, whose errors the library does not translate.
            raise RegistryError(self.url, f"{type(error).__name__}: {error}") from error
