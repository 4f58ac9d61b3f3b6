"""Whether experiments compare what their author wants, and whether each arm is a sound policy by itself."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from itertools import combinations

from msgspec.structs import replace

from streams.dunning.experiment_settings import Arm, Experiment
from streams.dunning.policy import Policy, Reminder
from streams.dunning.variables import MessageKind
from streams.policy.errors import Problem
from streams.policy.usage import uses

_NOT_FOR = {
    "case": ("channels", "offer"),
    "renewal": ("campaign",),
    "card": ("campaign", "offer"),
}
"""What an arm cannot change of a subject."""
_MAY_SILENCE: dict[str, tuple[str, ...]] = {"case": (), "renewal": ("renewal", "offer"), "card": ("card",)}
_SILENT = "silence only what no rule asks for"


def experiment_problems(policy: Policy) -> Iterator[Problem]:
    """Everything that is wrong with the experiments themselves, and with what their arms name."""
    names: set[str] = set()
    for index, experiment in enumerate(policy.experiments):
        here = f"experiments[{index}]"
        if experiment.name in names:
            yield Problem(f"{here}.name", f"`{experiment.name}` stands twice", "names are unique")
        names.add(experiment.name)
        yield from _experiment(here, experiment, policy)
        for place, arm in enumerate(experiment.arms):
            yield from _arm(f"{here}.arms[{place}]", arm, experiment, policy)
    most = policy.memory.experiments
    if len(policy.experiments) > most:
        yield Problem("experiments", f"are {len(policy.experiments)}, and `memory.experiments` is {most}")
    yield from _overlaps(policy)


def arm_problems(policy: Policy, problems: Callable[[Policy], Iterator[Problem]]) -> Iterator[Problem]:
    """What `problems` finds wrong with the policy as customers in an arm meet it, but not with itself."""
    if not policy.experiments:
        return
    known = {(each.path, each.message) for each in problems(policy)}
    for index, experiment in enumerate(policy.experiments):
        for place, arm in enumerate(experiment.arms):
            for found in problems(as_in_arm(policy, experiment, arm)) if arm.changes else ():
                if (found.path, found.message) not in known:
                    path = f"experiments[{index}].arms[{place}]"
                    hint = _SILENT if arm.silence else found.hint
                    yield Problem(path, f"in this arm, `{found.path}`: {found.message}", hint)


def as_in_arm(policy: Policy, experiment: Experiment, arm: Arm) -> Policy:
    """The policy as customers in the arm meet it, if all that opens joins the experiment."""
    if experiment.subject == "case":
        campaign = arm.campaign if arm.campaign in policy.campaigns else None
        policy = replace(
            policy,
            default_campaign=campaign or policy.default_campaign,
            segments=tuple(
                replace(each, campaign=campaign or each.campaign, tone=arm.tone or each.tone)
                for each in policy.segments
            ),
        )
    reminders = {
        name: tuple(_reminder(each, arm) for each in room.reminders if arm.silence != name)
        for name, room in (("renewal", policy.renewals), ("card", policy.cards))
        if name == experiment.subject
    }
    return replace(
        policy,
        experiments=(),
        contact_hour=arm.contact_hour or policy.contact_hour,
        default_tone=arm.tone or policy.default_tone,
        renewals=replace(policy.renewals, reminders=reminders.get("renewal", policy.renewals.reminders)),
        cards=replace(policy.cards, reminders=reminders.get("card", policy.cards.reminders)),
    )


def _reminder(reminder: Reminder, arm: Arm) -> Reminder:
    return replace(
        reminder,
        channels=arm.channels.get(reminder.id, reminder.channels),
        template=arm.templates.get(reminder.template, reminder.template),
    )


def _experiment(here: str, experiment: Experiment, policy: Policy) -> Iterator[Problem]:
    segments = [segment.name for segment in policy.segments]
    for index, name in enumerate(experiment.segments):
        if name not in segments:
            yield _unknown(f"{here}.segments[{index}]", "segment", name, segments)
    starts, ends = experiment.starts_on, experiment.ends_on
    if starts is not None and ends is not None and ends < starts:
        yield Problem(f"{here}.ends_on", f"lies before `starts_on`, {starts}")
    yield from _arms(f"{here}.arms", experiment)


def _arms(here: str, experiment: Experiment) -> Iterator[Problem]:
    if len(experiment.arms) == 1:
        yield Problem(here, "has one arm, which compares nothing", "add what it is compared with")
    if not any(arm.weight for arm in experiment.arms):
        yield Problem(here, "has no arm with a weight: nobody joins")
    first: dict[str, int] = {}
    for place, arm in enumerate(experiment.arms):
        if first.setdefault(arm.name, place) != place:
            yield Problem(f"{here}[{place}].name", f"`{arm.name}` stands twice", "names are unique")
        if arm.holdout and arm is not experiment.control:
            yield Problem(f"{here}[{place}].holdout", "is a second holdout", "keep one")
        if arm is not experiment.control and not arm.changes:
            yield Problem(f"{here}[{place}]", f"`{arm.name}` changes nothing")


def _arm(here: str, arm: Arm, experiment: Experiment, policy: Policy) -> Iterator[Problem]:
    for name in _NOT_FOR[experiment.subject]:
        if name in arm.changes:
            yield Problem(f"{here}.{name}", f"cannot be changed for a {experiment.subject}")
    yield from _holdout(here, arm, experiment)
    if arm.campaign is not None and arm.campaign not in policy.campaigns:
        yield _unknown(f"{here}.campaign", "campaign", arm.campaign, list(policy.campaigns))
    if experiment.subject == "renewal":
        yield from _offer(f"{here}.offer", arm, policy)
    yield from _templates(here, arm, experiment, policy)
    yield from _reminder_channels(here, arm, experiment, policy)
    if arm.contact_hour is not None:
        yield from _hour(f"{here}.contact_hour", arm.contact_hour, policy)


def _holdout(here: str, arm: Arm, experiment: Experiment) -> Iterator[Problem]:
    if arm.holdout:
        for name in arm.changes:
            if name != "silence":
                yield Problem(f"{here}.{name}", "is a change, and a holdout has none")
    if arm.silence is not None and arm.silence not in _MAY_SILENCE[experiment.subject]:
        yield Problem(f"{here}.silence", f"is `{arm.silence}`, and `subject` is `{experiment.subject}`")
    if arm.silence is not None and not arm.holdout:
        yield Problem(f"{here}.silence", "is for a holdout", "set `holdout: true`")


def _offer(path: str, arm: Arm, policy: Policy) -> Iterator[Problem]:
    if arm.offer is None:
        return
    offer = policy.offers.get(arm.offer)
    if offer is None:
        yield _unknown(path, "offer", arm.offer, list(policy.offers))
    elif not offer.enabled:
        yield Problem(path, f"`{arm.offer}` is made to nobody", "set `enabled: true` of the offer")


def _templates(here: str, arm: Arm, experiment: Experiment, policy: Policy) -> Iterator[Problem]:
    rooms = {"case": ("campaigns.", "messages."), "renewal": ("renewals.",), "card": ("cards.",)}
    # Whether the one that stands in is written, and for which channels, the checks of the content tell.
    known = {
        use.template.removesuffix("" if use.decline_class is None else f"_{use.decline_class.value}")
        for use in uses(replace(policy, experiments=()))
        if use.path.startswith(rooms[experiment.subject]) and use.kind is not MessageKind.APOLOGY
    }
    for name in arm.templates:
        if name not in known:
            what = f"message of a {experiment.subject} with the template"
            yield _unknown(f"{here}.templates.{name}", what, name, sorted(known))


def _reminder_channels(here: str, arm: Arm, experiment: Experiment, policy: Policy) -> Iterator[Problem]:
    if experiment.subject == "case":
        return
    room = policy.renewals if experiment.subject == "renewal" else policy.cards
    known = [reminder.id for reminder in room.reminders]
    for name, channels in arm.channels.items():
        path = f"{here}.channels.{name}"
        if name not in known:
            yield _unknown(path, f"reminder of a {experiment.subject}", name, known)
        if not channels:
            yield Problem(path, "is empty", "name the channel that this reminder uses")
        if len(set(channels)) < len(channels):
            yield Problem(path, "names a channel twice", "name each once")


def _hour(path: str, hour: str, policy: Policy) -> Iterator[Problem]:
    """An hour at which a channel is closed is another treatment than the one that was meant: a day later."""
    for channel, window in policy.windows.items():
        closes = min([window.closes, *(each.closes for each in window.exceptions if each.closes is not None)])
        opens = max([window.opens, *(each.opens for each in window.exceptions if each.opens is not None)])
        if not opens <= hour < closes:
            yield Problem(
                path,
                f"is {hour}, and {channel.value} waits for its hours, {opens} to {closes} (`windows`)",
                "choose an hour within them",
            )


def _overlaps(policy: Policy) -> Iterator[Problem]:
    """Two experiments that change the same of the same customers: the second would lose its difference."""
    for (_, one), (index, other) in combinations(enumerate(policy.experiments), 2):
        if not _meet(one, other):
            continue
        for name in sorted(_changed(one) & _changed(other)):
            yield Problem(
                f"experiments[{index}]",
                f"`{other.name}` and `{one.name}` both change `{name}` of the same customers",
                "give them other segments or days, or make them one experiment with more arms",
            )


def _meet(one: Experiment, other: Experiment) -> bool:
    apart = one.segments and other.segments and set(one.segments).isdisjoint(other.segments)
    if one.subject != other.subject or apart:
        return False
    return not any(
        first.ends_on is not None and then.starts_on is not None and first.ends_on < then.starts_on
        for first, then in ((one, other), (other, one))
    )


def _changed(experiment: Experiment) -> set[str]:
    names = {name for arm in experiment.arms for name in arm.changes} - {"templates", "channels"}
    for arm in experiment.arms:
        names |= {f"templates.{name}" for name in arm.templates}
        names |= {f"channels.{name}" for name in arm.channels}
    return names


def _unknown(path: str, what: str, name: str, known: list[str]) -> Problem:
    close = get_close_matches(name, known, n=1)
    return Problem(path, f"there is no {what} `{name}`", f"did you mean `{close[0]}`?" if close else "")
