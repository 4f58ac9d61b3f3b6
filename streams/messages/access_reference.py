"""Renders the page of what each principal may do on the cluster, from `streams.messages.access`."""

from collections.abc import Iterator

from streams.messages.access import Grant, Principal, grants

_INTRODUCTION = """# Access to Kafka

<!-- Made from `streams/messages/access.py` by `python -m streams.cli.docs`. Edit that, not this page. -->

The least that each principal needs, tested against a broker that denies all else. Operations are Kafka's;
`Read` and `Write` include `Describe`. Names that end in `*` are prefixes (pattern type `prefixed`). The names
are those of the default settings: `DUNNING_TOPIC_PREFIX` goes before each topic's, and
`DUNNING_APPLICATION_ID` stands where `dunning` does in changelogs, groups and transactional ids.

Nobody needs anything of the cluster itself (since Kafka 3.0 not even `IdempotentWrite`), and nobody may
delete. A rekeyer reads the topics of `DUNNING_REKEY` and writes the inputs that they are; here
`their.payments` is one. Who sets the users up, and the brokers themselves, are not listed here.
"""


def render() -> str:
    """The page."""
    lines = [_INTRODUCTION]
    for principal in Principal:
        given = grants(principal, rekeyed={"their.payments": "billing.payment-failed.v1"})
        lines += [f"## `{principal}`", "", principal.meaning, "", *_table(given), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(given: tuple[Grant, ...]) -> Iterator[str]:
    yield "| resource | name | operations | what for |"
    yield "|---|---|---|---|"
    for grant in given:
        name = f"{grant.name}{'*' if grant.is_prefix else ''}"
        yield f"| {grant.kind} | `{name}` | {', '.join(grant.operations)} | {grant.reason} |"
