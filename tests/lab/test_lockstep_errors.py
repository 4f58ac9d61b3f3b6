"""What the publisher makes of errors when it asks how far the worker has come."""

from typing import Any, NoReturn

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.lab.lockstep import Lockstep


class Answering:
    """Stands for the reader of the group's offsets."""

    def __init__(self, code: int) -> None:
        self._error = KafkaException(KafkaError(code))

    def committed(self, _asked: Any, timeout: float) -> NoReturn:
        del timeout
        raise self._error


def asked(code: int) -> dict[tuple[str, int], int]:
    publisher = Lockstep.__new__(Lockstep)
    publisher._group_reader = Answering(code)  # type: ignore[assignment]
    return publisher._committed({("tick", 0): 1})


@pytest.mark.parametrize(
    "code",
    [
        KafkaError._TIMED_OUT,
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    ],
)
def test_a_coordinator_that_is_being_found_is_asked_again(code: int) -> None:
    assert asked(code) == {}


def test_a_refusal_is_told_at_once() -> None:
    with pytest.raises(KafkaException, match="authorization"):
        asked(KafkaError.GROUP_AUTHORIZATION_FAILED)
