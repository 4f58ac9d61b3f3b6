"""What somebody who calls a customer has to know beforehand, beside the script and what is owed."""

from streams.dunning.calendar import local_day
from streams.dunning.channels import live_channels
from streams.dunning.turn import Turn


def call_variables(turn: Turn) -> dict[str, str]:
    """The customer's history in short (see `streams.dunning.variables`), of a bounded size."""
    state, zone = turn.state, turn.zone
    variables: dict[str, str] = {}
    profile = state.profile
    if profile is not None and profile.customer_since is not None:
        variables["customer_since"] = local_day(profile.customer_since, zone).isoformat()
    owed = [invoice for case in state.cases for invoice in case.invoices]
    if owed:
        since = min(invoice.owed_since for invoice in owed)
        variables["open_since"] = local_day(since, zone).isoformat()
        variables["attempts"] = str(sum(invoice.attempts for invoice in owed))
    if state.responded_at is not None:
        variables["responded_on"] = local_day(state.responded_at, zone).isoformat()
    if state.promised_until is not None:
        variables["promised_until"] = local_day(state.promised_until, zone).isoformat()
    live = live_channels(turn)
    closed = [] if profile is None else [each for each in profile.channels if each not in live]
    if closed:
        variables["closed_channels"] = ", ".join(closed)
    latest = sorted(state.contacts, key=lambda each: each.sent_at, reverse=True)
    if latest:
        variables["contacts_made"] = "\n".join(
            f"{local_day(each.sent_at, zone)} {each.channel} {each.step_id} {each.status.name.lower()}"
            for each in latest[: turn.policy.call_sheet.contacts]
        )
    return variables
