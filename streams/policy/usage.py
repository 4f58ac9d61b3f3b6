"""Which templates a policy asks for, for what, and by which channels."""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from streams.dunning.events import Channel
from streams.dunning.experiment_settings import Arm
from streams.dunning.policy import DeclineClass, Policy
from streams.dunning.variables import MessageKind

FAILURE_CLASSES = (DeclineClass.SOFT, DeclineClass.HARD, DeclineClass.AUTHENTICATION)
"""The variants of a failure's template. Fraud has none of its own: it is worded as hard."""


class Use(Struct, frozen=True):
    """One template in one place of the policy; `path` is the setting that names it."""

    path: str
    template: str
    kind: MessageKind
    channels: tuple[Channel, ...]
    decline_class: DeclineClass | None = None
    step_id: str | None = None


def uses(policy: Policy) -> Iterator[Use]:
    """Every use of a template, in the order of the document; those in the arms of experiments at the end."""
    common = tuple(_common(policy))
    yield from common
    for index, experiment in enumerate(policy.experiments):
        for place, arm in enumerate(experiment.arms):
            yield from _in_arm(f"experiments[{index}].arms[{place}]", arm, common)


def _in_arm(path: str, arm: Arm, common: tuple[Use, ...]) -> Iterator[Use]:
    """What an arm asks for that nobody else does."""
    for use in common:
        channels = arm.channels.get(use.step_id or "", use.channels)
        variant = "" if use.decline_class is None else f"_{use.decline_class.value}"
        name = use.template.removesuffix(variant)
        if name in arm.templates:
            own = replace(use, path=f"{path}.templates.{name}", template=arm.templates[name] + variant)
            yield replace(own, channels=channels)
        elif channels != use.channels:
            yield replace(use, path=f"{path}.channels.{use.step_id}", channels=channels)


def _common(policy: Policy) -> Iterator[Use]:
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
        kind = MessageKind.CARD_EXPIRING
        yield Use(path, reminder.template, kind, reminder.channels, step_id=reminder.id)
    for index, reminder in enumerate(policy.renewals.reminders):
        path = f"renewals.reminders[{index}].template"
        kind = MessageKind.RENEWAL_UPCOMING
        yield Use(path, reminder.template, kind, reminder.channels, step_id=reminder.id)


def reachable_channels(policy: Policy, use: Use) -> tuple[Channel, ...]:
    """The channels that a message may go out by: its own, and those that it falls to if these are dead."""
    return tuple(dict.fromkeys((*use.channels, *policy.channel_order)))
