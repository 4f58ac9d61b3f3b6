"""Which templates a policy asks for, for what, and by which channels."""

from collections.abc import Iterator

from msgspec import Struct

from streams.dunning.events import Channel
from streams.dunning.policy import DeclineClass, Policy
from streams.dunning.variables import MessageKind

FAILURE_CLASSES = (DeclineClass.SOFT, DeclineClass.HARD, DeclineClass.AUTHENTICATION)
"""The variants of a failure's template. Fraud has none of its own: it is worded as hard."""


class Use(Struct, frozen=True):
    """One template in one place of the policy. `path` is the setting that names it."""

    path: str
    template: str
    kind: MessageKind
    channels: tuple[Channel, ...]
    decline_class: DeclineClass | None = None


def uses(policy: Policy) -> Iterator[Use]:
    """Every use of a template, in the order of the document."""
    for name, campaign in policy.campaigns.items():
        for index, step in enumerate(campaign.ladder):
            path = f"campaigns.{name}.ladder[{index}].template"
            if step.template is None or step.action == "suspend":
                continue
            if step.action == "final_notice":
                yield Use(path, step.template, MessageKind.FINAL_NOTICE, step.channels)
                continue
            for decline_class in FAILURE_CLASSES:
                template = f"{step.template}_{decline_class.value}"
                yield Use(path, template, MessageKind.FAILURE, step.channels, decline_class)
    messages = policy.messages
    for kind, message in (
        (MessageKind.NEW_CARD_FAILED, messages.new_card_failed),
        (MessageKind.AUTHENTICATION, messages.authentication),
        (MessageKind.APOLOGY, messages.apology),
    ):
        yield Use(f"messages.{kind.value}.template", message.template, kind, message.channels)
    for index, reminder in enumerate(policy.cards.reminders):
        path = f"cards.reminders[{index}].template"
        yield Use(path, reminder.template, MessageKind.CARD_EXPIRING, reminder.channels)
    for index, reminder in enumerate(policy.renewals.reminders):
        path = f"renewals.reminders[{index}].template"
        yield Use(path, reminder.template, MessageKind.RENEWAL_UPCOMING, reminder.channels)


def reachable_channels(policy: Policy, use: Use) -> tuple[Channel, ...]:
    """The channels that a message may go out by: its own, and those that it falls to if these are dead."""
    return tuple(dict.fromkeys((*use.channels, *policy.channel_order)))
