"""`dunning policy publish`, `versions`, `migrate`, `drop`: which policy decides, whose cases go by it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from streams.cli.clients import command_settings, connect
from streams.cli.console import Format, Output, note, print_line, print_rows
from streams.cli.deployment_state import DeploymentState, Holder, read_deployment
from streams.cli.errors import CommandError
from streams.cli.policy_log import PolicyLog
from streams.dunning.outlook import outlook
from streams.policy import LoadedPolicy, load

PolicyArgument = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="A shipped policy's name, or a policy's file or directory.")
]
_NOTHING_PUBLISHED = "nothing is published yet: `dunning policy publish FILE` does"


def publish(policy: PolicyArgument) -> None:
    """Check a policy and publish it: all workers go by it for new cases, without a restart.

    Open cases keep the ladder and the words of the version that they opened with; budgets, windows and all
    else go by the new one at once. Publishing an earlier policy again goes back to it.
    """
    loaded = load(policy)
    log = PolicyLog(command_settings())
    if log.current == loaded.version:
        note(f"version {loaded.version} is the current one already")
        return
    with log:
        log.publish(loaded)
    print_line(f"published {loaded.policy.name}, version {loaded.version}")


def versions(output: Output = Format.TABLE) -> None:
    """List the versions that partitions know, which decide, and how many open cases hold each.

    `in_force` counts the partitions whose new cases go by the version. Reads the customers' changelog.
    """
    settings = command_settings()
    connect(settings)
    print_rows(list(_version_rows(read_deployment(settings))), output)


def migrate(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say which steps would be due when, before and after.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Move all open cases to the current version.

    Each case moves at its partition's clock, once: nothing is sent by it, and nothing made up for that the
    new ladder would have sent before. With --dry-run nothing moves: it lists every step whose time would
    change (UTC; `-`: it is not sent at all).
    """
    settings = command_settings()
    log = PolicyLog(settings)
    target = log.current
    if target is None:
        raise CommandError(_NOTHING_PUBLISHED)
    deployment = read_deployment(settings)
    behind = [
        each for each in deployment.holders if any(case.policy_version != target for case in each.state.cases)
    ]
    if dry_run:
        if target not in deployment.versions:
            raise CommandError(f"no partition has taken in version {target} yet; is a worker running?")
        rows = [row for holder in behind for row in _changes(holder, deployment, deployment.versions[target])]
        print_rows(rows, output)
        note(f"{_cases(behind, target)} open cases would move to version {target}")
        return
    customers: dict[int, list[str]] = defaultdict(list)
    for holder in behind:
        customers[holder.partition].append(holder.state.customer_id)
    if customers:
        with log:
            log.migrate(target, customers)
    print_line(f"{_cases(behind, target)} open cases move to version {target}")


def drop(
    version: Annotated[list[str] | None, typer.Argument(help="Which; `versions` lists them.")] = None,
    unused: Annotated[bool, typer.Option("--unused", help="All that no open case holds.")] = False,
) -> None:
    """Drop versions that no open case holds any more.

    One that an open case holds, or by which a partition still opens cases, is not dropped; the exit code is
    1 then.
    """
    settings = command_settings()
    log = PolicyLog(settings)
    deployment = read_deployment(settings)
    held = _held(deployment)
    needed = {*held, *deployment.in_force.values()} | ({log.current} if log.current else set())
    known = {*deployment.versions, *log.published}
    wanted = known - needed if unused else set(version or ())
    if refused := sorted((wanted & needed) | (wanted - known)):
        reasons = [
            f"{each} is not known"
            if each not in known
            else f"{each} is held by {held[each]} open cases"
            if each in held
            else f"{each} decides about new cases"
            for each in refused
        ]
        raise CommandError("nothing is dropped: " + "; ".join(reasons))
    if wanted:
        with log:
            for each in sorted(wanted):
                log.drop(each)
    for each in sorted(wanted):
        print_line(f"dropped {each}")


def _held(deployment: DeploymentState) -> Counter[str]:
    return Counter(case.policy_version for holder in deployment.holders for case in holder.state.cases)


def _version_rows(deployment: DeploymentState) -> Iterator[dict[str, Any]]:
    held = _held(deployment)
    in_force = Counter(deployment.in_force.values())
    for version in sorted({*deployment.versions, *held, *in_force}):
        known = deployment.versions.get(version)
        yield {
            "version": version,
            "name": None if known is None else known.policy.name,
            "in_force": in_force[version],
            "open_cases": held[version],
        }


def _cases(holders: list[Holder], target: str) -> int:
    return sum(case.policy_version != target for holder in holders for case in holder.state.cases)


def _changes(holder: Holder, deployment: DeploymentState, target: LoadedPolicy) -> Iterator[dict[str, Any]]:
    """The steps of a customer's cases that would be due at another time than now."""
    state = holder.state
    present = target.after(*deployment.versions.values())
    moved = present.migrate(state, deployment.clock(holder.partition)).state
    for case in state.cases:
        if case.policy_version == target.version:
            continue
        after_case = moved.case(case.case_id)
        before = outlook(state, case, present.policy)
        after = {} if after_case is None else outlook(moved, after_case, present.policy)
        for step_id in {**before, **after}:
            if before.get(step_id) != after.get(step_id):
                yield {
                    "customer": state.customer_id,
                    "case": case.case_id,
                    "from": case.policy_version,
                    "step": step_id,
                    "before": before[step_id].isoformat() if step_id in before else None,
                    "after": after[step_id].isoformat() if step_id in after else None,
                }
