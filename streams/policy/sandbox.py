"""The language of message templates: Jinja with nothing in it that a message does not need.

There are variables, conditions, loops over given lists and a closed list of filters. There are no calls, no
imports, no private attributes and no arithmetic that could grow without bound: who may write a text may not
thereby run a program, or stop one.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from babel import Locale
from jinja2 import StrictUndefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from streams.policy import formats

LOCALE = "_locale"
"""The context's entry for the filters: the locale to write in. A template cannot name it."""

_JINJA_FILTERS = (
    "capitalize",
    "first",
    "join",
    "last",
    "length",
    "lower",
    "title",
    "trim",
    "truncate",
    "upper",
)

_REFUSED: dict[type[nodes.Node], str] = {
    nodes.Call: "calls something",
    nodes.CallBlock: "has a call block",
    nodes.Macro: "defines a macro",
    nodes.Include: "includes another template",
    nodes.Import: "imports another template",
    nodes.FromImport: "imports another template",
    nodes.Extends: "extends another template",
    nodes.Mul: "multiplies",
    nodes.Pow: "uses powers",
    nodes.Mod: "uses `%`",
}


def _money(context: Context, minor_units: Any, currency: str) -> str:
    return formats.money(int(minor_units), currency, _locale(context))


def _short_date(context: Context, value: str) -> str:
    return formats.short_date(value, _locale(context))


def _long_date(context: Context, value: str) -> str:
    return formats.long_date(value, _locale(context))


def _month_name(context: Context, value: Any) -> str:
    return formats.month_name(int(value), _locale(context))


def _locale(context: Context) -> Locale:
    locale = context[LOCALE]
    assert isinstance(locale, Locale)
    return locale


OWN_FILTERS: dict[str, Callable[..., str]] = {
    "money": pass_context(_money),
    "date": pass_context(_short_date),
    "long_date": pass_context(_long_date),
    "month_name": pass_context(_month_name),
    "brand": formats.card_brand,
}
"""What a template may format: `amount_minor | money(currency)`, `renews_on | date` (or `long_date`),
`exp_month | month_name`, `card_brand | brand`."""

FILTER_NAMES = frozenset({*_JINJA_FILTERS, *OWN_FILTERS})
"""Every filter that a text may use."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, tightened: nothing is callable, and what may grow is refused at run time too."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)
        self.globals.clear()
        self.filters.clear()
        self.filters.update({name: FILTERS[name] for name in _JINJA_FILTERS})
        self.filters.update(OWN_FILTERS)

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ARG002, D102 (Jinja's hook)
        return False

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002, D102
        raise SecurityError(f"the operator {operator} is not for messages")

    def refusals(self, tree: nodes.Template) -> Iterator[str]:
        """What in a parsed template is not for messages, in words, whether or not it would ever run."""
        for kind, what in _REFUSED.items():
            for node in tree.find_all(kind):
                yield f"{what} on line {node.lineno}"
        for used in tree.find_all((nodes.Filter, nodes.Test)):
            there_is: Mapping[str, object] = self.filters if isinstance(used, nodes.Filter) else self.tests
            if used.name not in there_is:
                yield f"uses `{used.name}`, which there is not, on line {used.lineno}"
        names = [(node.attr, node.lineno) for node in tree.find_all(nodes.Getattr)]
        names += [(_constant(node.arg), node.lineno) for node in tree.find_all(nodes.Getitem)]
        for name, line in names:
            if name.startswith("_"):
                yield f"asks for the private `{name}` on line {line}"


def _constant(node: nodes.Expr) -> str:
    return str(node.value) if isinstance(node, nodes.Const) else ""
