"""`dunning access` prints what Kafka's own tool takes."""

from typer.testing import CliRunner

from streams.cli.app import app
from streams.cli.exit_codes import ExitCode

run = CliRunner()


def test_the_acls_of_a_rekeyer() -> None:
    done = run.invoke(
        app,
        ["access", "rekeyer", "--user", "CN=rekeyer"],
        env={"DUNNING_TOPIC_PREFIX": "eu.", "DUNNING_REKEY": "theirs=billing.payment-failed.v1"},
    )
    assert done.exit_code == ExitCode.OK, done.output
    who = "--add --allow-principal User:CN=rekeyer"
    literal, prefixed = "--resource-pattern-type literal", "--resource-pattern-type prefixed"
    assert done.stdout.splitlines() == [
        f"{who} --topic eu.dunning.dlq.v1 {literal} --operation Write",
        f"{who} --group dunning-rekey- {prefixed} --operation Read",
        f"{who} --transactional-id dunning-rekey- {prefixed} --operation Write",
        f"{who} --topic theirs {literal} --operation Read",
        f"{who} --topic eu.billing.payment-failed.v1 {literal} --operation Write",
    ]
