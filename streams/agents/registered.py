"""A registry's schemas as a worker uses them: looked up at the start and once per id, never registered."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from streams.engine import ConfigurationError, ExitCode, FatalError
from streams.messages.codec import Encoder
from streams.messages.registry import Registry, RegistryError
from streams.messages.topics import Topic

T = TypeVar("T")


class RegistryFailedError(FatalError):
    """The registry does not answer. The records that need it are good, so they wait for the next start."""

    exit_code = ExitCode.BROKER


class RegisteredSchemas:
    """The source of schemas for what is read, and of ids for what is written.

    Args:
        registry: is asked.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def schema(self, schema_id: int) -> str:
        """Give the JSON of the schema of that id.

        Raises:
            LookupError: there is none.
            RegistryFailedError: the registry does not answer.
        """
        return self._or_end(lambda: self._registry.schema(schema_id))

    def id_of(self, subject: str, schema: str) -> int:
        """Give the id under which the schema is registered for the subject.

        Raises:
            LookupError: it is not.
            RegistryFailedError: the registry does not answer.
        """
        try:
            return self._or_end(lambda: self._registry.id_of(subject, schema))
        except LookupError as error:
            raise LookupError(
                f"the registry at {self._registry.url} does not hold this release's schema of "
                f"{self._registry.name(subject)} ({error})"
            ) from error

    def _or_end(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except RegistryError as error:
            raise RegistryFailedError(str(error)) from error


def encoder_of(registered: RegisteredSchemas | None, topics: Iterable[Topic]) -> Encoder:
    """An encoder whose schemas are found, so that none is missing in the middle of a round.

    Args:
        registered: finds them; without it the release's own serve.
        topics: what will be written.

    Raises:
        ConfigurationError: one is not registered.
        RegistryFailedError: the registry does not answer.
    """
    encoder = Encoder(ids=registered)
    if registered is not None:
        try:
            encoder.look_up(topics)
        except LookupError as error:
            raise ConfigurationError(f"{error}; `dunning schemas register` registers it") from error
    return encoder
