"""Whether the rules about retries say what their demand needs, and can be kept by what is remembered."""

from collections.abc import Iterator
from datetime import timedelta

from streams.dunning.policy import Policy
from streams.dunning.retry_rules import RetryRule
from streams.policy.errors import Problem

_NEEDED = {"at_most": ("most", "within"), "wait": ("wait",), "never": ()}
_BESIDES_THE_BUDGET = 2
"""The first attempt, which may not count, and the one that is too many."""


def retry_problems(policy: Policy) -> Iterator[Problem]:
    """Everything that is wrong with `retries`."""
    for name, rule in policy.retries.items():
        yield from _rule(f"retries.{name}", rule)
    most = max((rule.most or 0 for rule in policy.retries.values()), default=0)
    if most and policy.memory.retries < most + _BESIDES_THE_BUDGET:
        yield Problem(
            "memory.retries",
            f"is {policy.memory.retries}, too few to count {most} attempts and see one too many",
            f"at least {most + _BESIDES_THE_BUDGET}",
        )


def _rule(path: str, rule: RetryRule) -> Iterator[Problem]:
    needed = _NEEDED[rule.demand]
    for field in ("most", "within", "wait"):
        given = getattr(rule, field) is not None
        if given and field not in needed:
            yield Problem(f"{path}.{field}", f"means nothing where `demand` is {rule.demand}", "remove it")
        elif not given and field in needed:
            yield Problem(f"{path}.{field}", "is missing", f"`demand: {rule.demand}` needs it")
    for field, value in (("within", rule.within), ("wait", rule.wait)):
        if value is not None and value <= timedelta(0):
            yield Problem(f"{path}.{field}", "is not positive", "a duration like P30D")
    if rule.demand != "at_most" and not (rule.codes or rule.advice_codes):
        yield Problem(path, "names no decline", "set `codes` or `advice_codes`")
    if rule.demand == "at_most" and (rule.codes or rule.advice_codes):
        yield Problem(path, "names declines, and a budget counts them all", "remove the codes")
    if rule.effective_until is not None and rule.effective_until <= rule.effective_from:
        yield Problem(
            f"{path}.effective_until", "is not after `effective_from`", "a rule holds for a day at least"
        )
