"""One customer explained from what Kafka holds of them: for the command line and for the page."""

from collections.abc import Callable
from datetime import datetime, timedelta

from streams.dunning.explanation import AHEAD, Explanation, explain
from streams.lab.customer_log import Places, read_customer
from streams.policy import LoadedPolicy

BACK = timedelta(days=100)
"""How far back things are told unless said otherwise: a ladder, and more than half of one before."""


def explain_customer(
    places: Places,
    customer_id: str,
    policy: Callable[[], LoadedPolicy],
    *,
    at: datetime | None = None,
    back: timedelta = BACK,
    ahead: timedelta = AHEAD,
    within_seconds: float | None = None,
) -> Explanation:
    """Read what there is of a customer, and explain it.

    Args:
        places: where Kafka has it.
        customer_id: who.
        policy: what decides where nothing says so, for no worker has run yet.
        at: as of this moment (UTC); as of now unless given.
        back: how far back things are told.
        ahead: how far things to come are told.
        within_seconds: give up after so long.

    Raises:
        KafkaException: a topic is missing, for no worker has run yet, or the brokers do not answer.
        LogTooLongError: it takes longer than it may.
        PolicyError: the policy in force cannot be read by this release.
    """
    log = read_customer(places, customer_id, back=back, at=at, within_seconds=within_seconds)
    decides = log.policy or policy()
    return explain(
        customer_id,
        log.state,
        log.told,
        log.at,
        decides.policy,
        render=decides.render,
        ahead=ahead,
        latest=log.latest,
        is_state_known=log.is_state_known,
        notes=log.notes,
    )
