"""Which errors are expected, what they end the command with, and how they are told."""

import os
import sys
from typing import Any

import typer
from confluent_kafka import KafkaException
from pydantic import ValidationError
from typer.core import TyperGroup

from streams.broker import LocalKafkaError
from streams.cli.console import note
from streams.cli.exit_codes import ExitCode
from streams.lab.fitness import UnfitTopicsError
from streams.lab.lockstep import NoProgressError
from streams.messages.history import HistoryError
from streams.messages.registry import RegistryError, RegistryExtraMissingError
from streams.policy.errors import PolicyError


class CommandError(Exception):
    """A command cannot do what it was asked for; the message is for the person who asked.

    Attributes:
        code: what the process ends with.
    """

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        self.code = code
        super().__init__(message)


_CODES: tuple[tuple[type[Exception], ExitCode], ...] = (
    (HistoryError, ExitCode.HISTORY),
    (PolicyError, ExitCode.POLICY),
    (UnfitTopicsError, ExitCode.TOPICS),
    (NoProgressError, ExitCode.NO_WORKER),
    (LocalKafkaError, ExitCode.LOCAL_KAFKA),
    (RegistryError, ExitCode.REGISTRY),
    (RegistryExtraMissingError, ExitCode.REGISTRY),
)


def explain(error: Exception) -> tuple[ExitCode, str] | None:
    """The exit code and the words for an expected error; None for a defect, which keeps its traceback."""
    if isinstance(error, CommandError):
        return error.code, str(error)
    if isinstance(error, KafkaException):
        return ExitCode.BROKER, f"Kafka: {error.args[0].str() if error.args else error}"
    if isinstance(error, OSError):
        parts = [str(part) for part in (error.filename, error.strerror) if part]
        return ExitCode.FAILED, ": ".join(parts) or str(error)
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code, str(error)
    return None


def _plain(error: typer.BadParameter) -> str:
    """What is wrong with a parameter, where Typer hands on what Pydantic says."""
    if not isinstance(error.__cause__, ValidationError):
        return error.message
    # Only here: most commands do without.
    from streams.settings_problems import value_in_words  # noqa: PLC0415

    return value_in_words(error.__cause__.errors()[0])


class ExplainingGroup(TyperGroup):
    """The root of the commands: tells expected errors in words and ends with their exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises:
            typer.Exit: It failed for a reason that is expected.
        """
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader has seen enough. What is still buffered must not fail again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(ExitCode.OK) from None
        except typer.BadParameter as error:
            error.message = _plain(error)
            raise
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except Exception as error:
            explained = explain(error)
            if explained is None:
                raise
            code, message = explained
            note(f"dunning: {message}")
            raise typer.Exit(code) from error
        return result
