"""Loading a policy: find it, check it as a whole, and give it a version."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from streams.dunning.commands import NotificationCommand
from streams.dunning.decide import Decision, decide, migrate
from streams.dunning.events import Channel, Input
from streams.dunning.offer_stock import NO_STOCK, Stock
from streams.dunning.policy import Policy
from streams.dunning.state import CustomerState
from streams.policy.checks import policy_problems, policy_warnings
from streams.policy.compliance import with_windows
from streams.policy.compliance_checks import compliance_problems, compliance_warnings
from streams.policy.content import Content
from streams.policy.content_checks import content_problems, content_warnings
from streams.policy.content_texts import BLOCKS, Block, Text
from streams.policy.documents import Document, find, merge, read
from streams.policy.errors import PolicyError, Problem
from streams.policy.experiment_checks import arm_problems
from streams.policy.mending import Mended, mend
from streams.policy.offer_checks import offer_problems, offer_text_problems, offer_warnings
from streams.policy.retry_checks import retry_problems
from streams.policy.schema import NEVER
from streams.policy.schema_errors import schema_problems
from streams.policy.strict_yaml import dotted, dump

VERSION_DIGITS = 16
"""Hexadecimal digits of the SHA-256: 64 bits tell any number of policies apart, and can be read out."""

_BASELINE = "care"
"""The shipped policy that stands in for a broken part, so that the rest can be checked all the same."""


class LoadedPolicy(Struct, frozen=True):
    """A policy that has passed every check.

    `version` is a hash of all that it says, settings and texts; two files that mean the same have the same
    version. `document` is the whole of it as plain values, defaults included: written as a file, it loads to
    the same version. `warnings` are what its author might look at again.
    """

    policy: Policy
    content: Content
    document: dict[str, Any]
    source: str
    warnings: tuple[Problem, ...] = ()
    contents: dict[str, Content] = {}

    @property
    def version(self) -> str:
        """The hash of the policy's content, which every command and decision names."""
        return self.policy.version

    def decide(
        self, state: CustomerState | None, event: Input, clock: datetime, stock: Stock = NO_STOCK
    ) -> Decision:
        """`streams.dunning.decide.decide` under this policy, with the words of every message.

        Raises:
            RenderError: A command lacks a variable that its kind of message promises.
        """
        decision = decide(state, event, clock, self.policy, stock)
        if not decision.commands:
            return decision
        commands = tuple(
            self.render(command) if isinstance(command, NotificationCommand) else command
            for command in decision.commands
        )
        return msgspec.structs.replace(decision, commands=commands)

    def migrate(self, state: CustomerState, clock: datetime) -> Decision:
        """`streams.dunning.decide.migrate` to this policy."""
        return migrate(state, clock, self.policy)

    def render(self, command: NotificationCommand) -> NotificationCommand:
        """The command in the words of the version that it goes by. Raises RenderError."""
        return self.contents.get(command.policy_version, self.content).render(command)

    def after(self, *earlier: "LoadedPolicy") -> "LoadedPolicy":
        """This policy, for new cases; those that opened with an earlier one keep its ladder and its words."""
        others = [each for each in earlier if each.version != self.version]
        return msgspec.structs.replace(
            self,
            policy=msgspec.structs.replace(
                self.policy,
                earlier={each.version: each.policy.campaigns for each in others},
                earlier_arms={each.version: each.policy.arms for each in others},
            ),
            contents={each.version: each.content for each in others},
        )

    def as_json(self) -> str:
        """The whole policy as one file."""
        return json.dumps(self.document, indent=2, ensure_ascii=False) + "\n"

    def as_yaml(self) -> str:
        """The whole policy as one file."""
        return dump(self.document)


def load(name_or_path: str | Path, *, on: date | None = None) -> LoadedPolicy:
    """The policy of a shipped name (`care`), or in a file or directory, checked as a whole.

    `on` is the date for which the rules of networks and jurisdictions are looked at; without it all that are
    known count, whenever they begin.

    Raises:
        PolicyError: There is no such policy, or it has problems: all of them.
    """
    return from_document(read(find(name_or_path)), on=on)


def from_document(document: Document, *, on: date | None = None) -> LoadedPolicy:
    """The policy of a document that has been read. Raises PolicyError with all its problems."""
    values = merge({}, document.values)
    problems = schema_problems(values)
    mended = mend(values, read(find(_BASELINE)).values) if problems else Mended(values)
    try:
        policy, content = read_policy(mended.values)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        problems.append(Problem(path.strip("`."), message))
        raise PolicyError(document.source, list(_located(problems, document))) from error
    found = list(_settings_problems(policy, on))
    found += arm_problems(policy, lambda arm: _settings_problems(arm, on))
    found += [
        problem
        for problem in (*content_problems(policy, content), *offer_text_problems(policy, content))
        if problem.path.startswith("content.") or not mended.lacks_texts
    ]
    problems += [problem for problem in found if not mended.hides(problem.path)]
    if problems:
        raise PolicyError(document.source, list(_located(problems, document)))
    plain = _plain(policy, content)
    policy = msgspec.structs.replace(policy, version=version_of(plain))
    warnings = [
        *policy_warnings(policy),
        *offer_warnings(policy),
        *compliance_warnings(policy, on),
        *content_warnings(policy, content),
    ]
    return LoadedPolicy(
        policy=policy,
        content=content,
        document=plain,
        source=document.source,
        warnings=tuple(_located(warnings, document)),
    )


def _settings_problems(policy: Policy, on: date | None) -> Iterator[Problem]:
    yield from policy_problems(policy)
    yield from offer_problems(policy)
    yield from retry_problems(policy)
    yield from compliance_problems(policy, on)


def from_stored(document: dict[str, Any], version: str, source: str) -> LoadedPolicy:
    """The policy of a `LoadedPolicy.document` that passed every check once, under its version of then.

    Raises:
        PolicyError: This release cannot read it.
    """
    try:
        policy, content = read_policy(document)
    except (msgspec.ValidationError, KeyError, ValueError) as error:
        problem = Problem("", f"was published by a release that this one cannot read: {error}")
        raise PolicyError(source, [problem]) from error
    return LoadedPolicy(
        policy=msgspec.structs.replace(policy, version=version),
        content=content,
        document=document,
        source=source,
    )


def read_policy(values: dict[str, Any]) -> tuple[Policy, Content]:
    """The policy and the texts of a document that fits the schema. Raises msgspec.ValidationError."""
    settings = {name: value for name, value in values.items() if name != "content"}
    settings["assume_delivered_after"] = {
        channel: None if value == NEVER else value
        for channel, value in values["assume_delivered_after"].items()
    }
    policy = msgspec.convert(settings, Policy)
    policy = msgspec.structs.replace(policy, compliance=with_windows(policy.compliance))
    written: dict[str, Any] = {locale: dict(templates) for locale, templates in values["content"].items()}
    blocks = {locale: templates.pop(BLOCKS) for locale, templates in written.items() if BLOCKS in templates}
    return policy, Content(
        policy,
        msgspec.convert(written, dict[str, dict[str, dict[Channel, Text]]]),
        msgspec.convert(blocks, dict[str, dict[str, Block]]),
    )


def _plain(policy: Policy, content: Content) -> dict[str, Any]:
    document: dict[str, Any] = _without_absent(
        msgspec.to_builtins(msgspec.structs.replace(policy, assume_delivered_after={}), str_keys=True)
    )
    del document["version"], document["earlier"], document["earlier_arms"]
    del document["compliance"]["windows"]
    document["assume_delivered_after"] = {
        channel.value: NEVER if after is None else msgspec.to_builtins(after)
        for channel, after in policy.assume_delivered_after.items()
    }
    document["content"] = msgspec.to_builtins(content.texts, str_keys=True)
    for locale, blocks in msgspec.to_builtins(content.blocks, str_keys=True).items():
        document["content"][locale] = {BLOCKS: blocks, **document["content"][locale]}
    return document


def _without_absent(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_absent(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_absent(item) for item in value]
    return value


def canonical(document: Mapping[str, Any]) -> str:
    """The one JSON text of a document, of which the version is the hash."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def version_of(document: Mapping[str, Any]) -> str:
    """The version of a whole document."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()[:VERSION_DIGITS]


def _located(problems: list[Problem], document: Document) -> Iterator[Problem]:
    locations = {dotted(path): location for path, location in document.locations.items()}
    for problem in problems:
        path = problem.path
        while path and path not in locations:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        location = problem.location or locations.get(path, "")
        yield msgspec.structs.replace(problem, location=location)
