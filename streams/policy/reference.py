"""The reference of the policy (`docs/policy.md`), written from the model, `care` and the rules."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from streams.dunning.events import Channel
from streams.dunning.policy import Policy, Step
from streams.dunning.variables import CALL_VARIABLES, VARIABLES
from streams.policy.content import ALWAYS_KNOWN
from streams.policy.loading import load
from streams.policy.markdown import table
from streams.policy.message_length import MOST_PUSH_BODY, MOST_PUSH_TITLE, MOST_SMS_SEGMENTS
from streams.policy.sandbox import FILTER_NAMES
from streams.policy.schema import whole_document_schema

_INTRODUCTION = """\
# The policy

<!-- Generated from the model by `streams.policy.reference`. Do not edit. -->

A policy is everything that a billing team may decide: when a customer is asked, by which channel, in which
words, and what must have happened before an account is suspended. It is YAML (or JSON), in one file or in a
directory like `policies/care/`. Its version is a hash of all that it says. A case keeps the ladder and the
words of the version that it opened with; everything else, budgets and windows among it, always goes by the
present version. [Versions](policy-versions.md) tells how to publish one, move cases to it and drop old ones.

`dunning policy check FILE` names everything that is wrong with a policy by its path, and `dunning policy show
care` prints the shipped one as a single file, which can be edited and given back.

## A small change

Name a policy to build on, and only what differs. Maps are merged, lists are replaced as a whole, and `null`
removes an entry of a map.

```yaml
# patient.yaml
extends: care
name: patient
suspension:
  notice: P14D          # the final notice is at least two weeks old
campaigns:
  standard:
    ladder:             # a list: written out in full
      - {id: d0_email, day: 0, channels: [email], template: payment_failed}
      - {id: d10_email, day: 10, channels: [email], template: payment_failed}
      - {id: d60_notice, day: 60, action: final_notice, channels: [email, letter], template: final_notice}
      - {id: d75_suspend, day: 75, action: suspend}
minimum_amount:
  USD: 500              # five dollars
  JPY: null             # no minimum
content:
  en:
    final_notice:
      sms:
        body: "Please call us before {{ suspension_date | date }}: {{ total }} is open."
```

## How values are written

- A duration is ISO 8601: `P3D` is three days, `PT12H` twelve hours.
- A time of day is the customer's own, `"09:00"`. Quotes are not needed here, and do no harm elsewhere.
- Money is in ISO 4217 minor units: `100` is one dollar, or a hundred yen.
- Keys are text: `NO` is Norway, `05` a decline code. Only `true` and `false` are booleans. The same key twice
  in a map is an error, and so are anchors, aliases and tags.
"""

_CHANNELS = """\
## Channels, replies and promises

- **Preference.** A step with `follow_preference` goes by the customer's preferred channel, if that is one
  of `preferable_channels` and reaches them. Windows, budget and gate hold as ever. What is due at once (the
  first contact, what an event causes) follows a preference only to a channel without hours.
- **The end of a channel.** A hard bounce ends an address, an opt-out or a complaint the channel. Steps fall
  to the next live channel of `channel_order`: first to one by which the case has not been spoken of, to a
  call or a letter only where nothing gentler is left. An address that failed is used again after an
  `opted_in` by that channel, or when a profile lists the channel that the one before did not. A soft bounce
  is retried once, after `soft_bounce_retry_after`.
- **STOP and its kin.** A `replied` whose `text` is one of `reply_words`, in any language, is an opt-out or
  an opt-in. It is no response: it holds nothing and postpones nothing.
- **A call brought forward.** Where a channel of `bring_call_forward` fails by one of its `reports`, the
  next phone step of each case is due at the first contact hour `after` that, unless the customer has
  responded.
- **Nobody to reach.** A step that no live channel can carry becomes one `review` of the case, with the
  reason `no_live_channel`.
- **A reply** stops the ladder of the cases that its message listed, for `hold_after_reply` at most, counted
  from the first reply that nobody has dealt with. A person ends it, once they have spoken with the
  customer: a feedback `answered` for the command that was replied to (or for any about the case). So does a
  `promised`. If neither comes, a `review` with the reason `hold_for_reply` goes out, and the ladder goes on
  at the next contact hour. What the customer does meanwhile is still answered: the link to confirm a
  payment, and the word that a new card failed.
- **A promise** holds all ladders until its date and `hold_after_promise`, the longest one that stands.
- **The gate** asks for delivered contacts by `suspension.channels`, as far as so many are live; a phone is
  not, for somebody who has responded and so is not called. Where steps by another channel were held or
  superseded, `suspension.widen_notice` sends the final notice by a further one.
- **Hours.** A command by a channel with hours (`windows`) is good until they end on the same day, so that
  no sender rings at night who keeps to `send_after` and `expires_at`. A sender that lets one expire reports
  `bounced_soft`, and it is sent again; otherwise it counts as delivered after `assume_delivered_after`.

"""

_EXPERIMENTS = """\
## Experiments

An experiment deals customers to arms by a hash of its salt, the arm and the customer. A case, or the
reminders of a renewal or a card, join when they open and keep their arm. So does the customer for all later
ones, which do not count. An arm may change `campaign` (of cases), `tone`, `templates`, `channels` (of
reminders), `offer` (of renewals) and `contact_hour`, and has to pass all checks of a policy by itself.
Windows, the budget of contacts and the gate of a suspension are alike in all arms. None keeps a debt from
whom it concerns, or a reminder that a rule in `compliance` asks for.
[Test a change before you make it](tasks/test-a-change-before-you-make-it.md) goes through one.

"""

_CONTENT = """\
## Content

`content.<locale>.<template>.<channel>` has a `body`, and a `subject` for an e-mail (its subject), a push (its
title; needed for both) or a letter (its headline). [Content](content.md) tells how texts are written: blocks,
tones, links, and what is sent by which channel. Of a customer's locale `de-AT`, the texts in `de-AT` are
taken, else those in `de`, else those of `default_locale`. That one must have all of them: each template for
every channel that its step names, and for all of `channel_order`, since a step falls to the next channel when
one is dead. A failed payment's template has three variants, `<template>_soft`, `<template>_hard` and
`<template>_authentication`; fraud is worded as hard.

A text is Jinja with variables, conditions, loops and these filters: {filters}.
It calls nothing and imports nothing. Every text is rendered with samples when the policy is loaded: an
unknown variable, or one that is printed though it may be absent, is an error there and not when a message is
due. An SMS takes at most {sms} segments, a push {title} characters of title and {body} of body.

Every text may use {always}. A text for a call may use what whoever calls has to know, each of which may be
absent: {call}. `contacts_made` has a line for each earlier contact, the latest
first (`call_sheet.contacts` of them): the local day, the channel, the step, and `sent`, `tried`, `delivered`,
`bounced` or `responded`. Beyond that:

| message | always there | may be absent (None) |
|---|---|---|
"""


def render() -> str:
    """The text of `docs/policy.md`."""
    care = load("care").policy
    lines = [_INTRODUCTION, *_ladder(care), _CHANNELS, _EXPERIMENTS, *_settings(), *_content()]
    return "\n".join(lines).rstrip("\n") + "\n"


def _ladder(policy: Policy) -> Iterator[str]:
    yield "## The ladder of `care`\n"
    yield "Days are the customer's local days from the first failure of the oldest unpaid invoice.\n"
    yield from table(
        ("day", "step", "what", "channels", "only if", "preference"),
        (
            (
                str(step.day),
                f"`{step.id}`",
                _action(step),
                ", ".join(step.channels),
                _condition(step),
                "followed" if step.follow_preference else "",
            )
            for step in policy.campaigns[policy.default_campaign].ladder
        ),
    )
    yield "Reminders before anything fails:\n"
    reminders = [
        (f"`{each.id}`", f"{_days(each.days_before)} before {end}", ", ".join(each.intervals) or "all")
        for end, room in (
            ("the end of the card's expiry month", policy.cards.reminders),
            ("the renewal", policy.renewals.reminders),
        )
        for each in room
    ]
    yield from table(("reminder", "when", "terms"), reminders)


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"


def _action(step: Step) -> str:
    if step.action == "suspend":
        return "suspend, if the gate of `suspension` is met"
    return "final notice, naming the date" if step.action == "final_notice" else f"`{step.template}`"


def _condition(step: Step) -> str:
    return "nobody has responded" if step.only_if == "no_response" else ""


def _settings() -> Iterator[str]:
    schema = whole_document_schema()
    yield "## Settings\n"
    channels = ", ".join(f"`{channel.value}`" for channel in Channel)
    yield f"`[]` stands for each entry of a list, `<name>` for each key of a map. A channel is {channels}.\n"
    root = schema["$defs"]["Policy"]
    rows = [row for row in _rows(root, "", schema["$defs"]) if not row[0].startswith("`content.")]
    yield from table(("setting", "type", "default", "meaning"), rows)


def _rows(node: dict[str, Any], path: str, definitions: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    required = node.get("required", [])
    for name, described in node.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        target = _target(described, definitions)
        default = "required" if name in required else _default(described)
        meaning = described.get("description") or target.get("description", "")
        yield f"`{here}`", _type(described, definitions), default, meaning
        yield from _below(target, here, definitions)


def _below(target: dict[str, Any], here: str, definitions: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    if "properties" in target:
        yield from _rows(target, here, definitions)
    entry = target.get("additionalProperties")
    if isinstance(entry, dict):
        yield from _below(_target(entry, definitions), f"{here}.<name>", definitions)
    item = target.get("items")
    if isinstance(item, dict):
        yield from _below(_target(item, definitions), f"{here}[]", definitions)


def _target(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    if reference is None:
        return node
    target: dict[str, Any] = definitions[reference.rpartition("/")[2]]
    return target


_WORDS = {
    "integer": "whole number",
    "number": "decimal number",
    "string": "text",
    "boolean": "true or false",
}


def _type(node: dict[str, Any], definitions: dict[str, Any]) -> str:
    target = _target(node, definitions)
    if "anyOf" in target:
        kinds = [_type(each, definitions) for each in target["anyOf"] if each.get("type") != "null"]
        return " or ".join(kinds)
    if "const" in target:
        return f"`{target['const']}`"
    if node.get("$ref") == "#/$defs/Channel":
        return "channel"
    if "enum" in target:
        return ", ".join(f"`{value}`" for value in target["enum"])
    if target.get("format") in {"duration", "date"}:
        return str(target["format"])
    kind = target.get("type")
    if kind == "array":
        return f"list of {_type(target['items'], definitions)}"
    if kind == "object":
        entry = target.get("additionalProperties")
        return f"map to {_type(entry, definitions)}" if isinstance(entry, dict) else "map"
    return _WORDS.get(str(kind), str(kind))


def _default(node: dict[str, Any]) -> str:
    if "default" not in node or node["default"] is None:
        return ""
    return f"`{json.dumps(node['default'], ensure_ascii=False)}`"


def _content() -> Iterator[str]:
    yield _CONTENT.format(
        filters=_names(FILTER_NAMES),
        sms=MOST_SMS_SEGMENTS,
        title=MOST_PUSH_TITLE,
        body=MOST_PUSH_BODY,
        always=_names(ALWAYS_KNOWN),
        call=_names(CALL_VARIABLES),
    ).rstrip("\n")
    for kind, variables in VARIABLES.items():
        yield f"| `{kind.value}` | {_names(variables.required)} | {_names(variables.optional)} |"
    yield ""


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
