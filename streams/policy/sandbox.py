"""The language of message templates: Jinja with nothing in it that a message does not need.

There are variables, conditions, loops over given lists and a closed list of filters. There are no calls, no
imports, no private attributes and no arithmetic that could grow without bound: who may write a text may not
thereby run a program, or stop one.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any

from babel import Locale
from jinja2 import StrictUndefined, nodes, pass_context
from jinja2.exceptions import SecurityError, UndefinedError
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
    # Joining would turn what is absent into the word None unseen.
    nodes.Concat: "joins with `~`",
}

_LOOKED_AT: tuple[type[nodes.Node], ...] = (*_REFUSED, nodes.Filter, nodes.Test, nodes.Getattr, nodes.Getitem)


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


def _never_absent(jinja_filter: Callable[..., Any]) -> Callable[..., Any]:
    """Jinja's text filters make the word None of what is absent: ours refuse it."""
    position = 1 if hasattr(jinja_filter, "jinja_pass_arg") else 0

    @wraps(jinja_filter)
    def filtered(*values: Any, **options: Any) -> Any:
        return jinja_filter(
            *values[:position], _present(values[position]), *values[position + 1 :], **options
        )

    return filtered


def _present(value: Any) -> Any:
    """What is about to be written, if there is something to write."""
    if value is None:
        raise UndefinedError("a value that may be absent is written; put `{% if name %}` around it")
    return value


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
        super().__init__(
            undefined=StrictUndefined,
            finalize=_present,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.globals.clear()
        self.filters.clear()
        self.filters.update({name: _never_absent(FILTERS[name]) for name in _JINJA_FILTERS})
        self.filters.update(OWN_FILTERS)

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ARG002, D102 (Jinja's hook)
        return False

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002, D102
        raise SecurityError(f"the operator {operator} is not for messages")

    def refusals(self, tree: nodes.Template) -> Iterator[str]:
        """What in a parsed template is not for messages, in words, whether or not it would ever run."""
        for node in tree.find_all(_LOOKED_AT):
            what = _REFUSED.get(type(node)) or self._refusal(node)
            if what:
                yield f"{what} on line {node.lineno}"

    def _refusal(self, node: nodes.Node) -> str:
        if isinstance(node, nodes.Filter | nodes.Test):
            there_is: Mapping[str, object] = self.filters if isinstance(node, nodes.Filter) else self.tests
            return "" if node.name in there_is else f"uses `{node.name}`, which there is not,"
        if isinstance(node, nodes.Getattr):
            return f"asks for the private `{node.attr}`" if node.attr.startswith("_") else ""
        assert isinstance(node, nodes.Getitem)
        name = node.arg.value if isinstance(node.arg, nodes.Const) else None
        return f"asks for the private `{name}`" if isinstance(name, str) and name.startswith("_") else ""
