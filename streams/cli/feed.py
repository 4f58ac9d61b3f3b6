"""The demo's live feed: what is sent to whom, and why."""

from collections.abc import Iterable, Iterator

from rich.text import Text

from streams.cli.outputs import money
from streams.dunning.commands import Command, DecisionRecord, NotificationCommand, ReasonCode
from streams.lab.simulate import Output

_WORDS: dict[ReasonCode, str] = {
    ReasonCode.FIRST_CONTACT: "payment failed",
    ReasonCode.STEP_DUE: "step due",
    ReasonCode.GATE_MET: "every condition is met",
}
_STYLES = {"suspend": "bold red", "reactivate": "bold green", "review": "bold yellow"}
_LONGEST_TEXT = 60


def feed(outputs: Iterable[Output]) -> Iterator[Text]:
    """One line for each command, with the reason that its decision gives."""
    outputs = list(outputs)
    reasons = {
        outcome.command_id: outcome.reason
        for output in outputs
        if isinstance(output, DecisionRecord)
        for outcome in output.outcomes
        if outcome.command_id is not None
    }
    for output in outputs:
        if not isinstance(output, DecisionRecord):
            reason = reasons.get(output.command_id)
            yield _line(output, "" if reason is None else _WORDS.get(reason, reason.replace("_", " ")))


def _line(command: Command, reason: str) -> Text:
    line = Text(f"{command.decided_at:%b %d %H:%M}Z  {command.customer_id:<9} ", no_wrap=True)
    total = money(command.total_minor, command.currency)
    if isinstance(command, NotificationCommand):
        line.append(f"{command.channel.value:<11}", style="cyan")
        line.append(f"{command.step_id:<17}{total:>15}  {reason:<16}  ")
        line.append((command.subject or command.body).partition("\n")[0][:_LONGEST_TEXT], style="dim")
    else:
        line.append(f"{command.action.upper():<11}", style=_STYLES[command.action])
        line.append(f"{command.subscription_id or 'account':<17}{total:>15}  {reason}")
    return line
