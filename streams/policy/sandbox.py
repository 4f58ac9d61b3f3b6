"""The language of message templates: Jinja with nothing in it that a message does not need.

There are variables, conditions, loops over given lists and a closed list of filters. There are no calls, no
imports, no private attributes and no arithmetic that could grow without bound: who may write a text may not
thereby run a program, or stop one.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any

from babel import Locale
from jinja2 import StrictUndefined, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from streams.policy import formats
from streams.policy.content_output import link_mark

LOCALE = "_locale"
"""The context's entry for the filters: the locale to write in. A template cannot name it."""

_JINJA_FILTERS = (
    "capitalize",
    "first",
    "last",
    "length",
    "lower",
    "title",
    "trim",
    "truncate",
    "upper",
)

_ALLOWED = frozenset(
    {
        nodes.Template,
        nodes.Output,
        nodes.TemplateData,
        nodes.Name,
        nodes.Const,
        nodes.If,
        nodes.For,
        nodes.Filter,
        nodes.Test,
        nodes.Compare,
        nodes.Operand,
        nodes.And,
        nodes.Or,
        nodes.Not,
        nodes.CondExpr,
        nodes.Getattr,
        nodes.Getitem,
        nodes.Tuple,
        nodes.List,
        nodes.Keyword,
        nodes.Add,
        nodes.Sub,
        nodes.Neg,
    }
)
"""All that a text may be made of. Without names of its own and with one loop at a time, what a text writes is
as long as its source and its invoices, and no longer."""

_REFUSED: dict[type[nodes.Node], str] = {
    nodes.Call: "calls something",
    nodes.CallBlock: "has a call block",
    nodes.Macro: "defines a macro",
    nodes.Include: "includes another template",
    nodes.Import: "imports another template",
    nodes.FromImport: "imports another template",
    nodes.Extends: "extends another template",
    nodes.Block: "defines a block",
    nodes.Assign: "sets a name",
    nodes.AssignBlock: "sets a name",
    nodes.With: "sets a name",
    nodes.Mul: "multiplies",
    nodes.Div: "divides",
    nodes.FloorDiv: "divides",
    nodes.Pow: "uses powers",
    nodes.Mod: "uses `%`",
    # Joining would turn what is absent into the word None unseen.
    nodes.Concat: "joins with `~`",
}
"""What people try, in words; all else that is not allowed is told by Jinja's name for it."""


def _money(context: Context, minor_units: Any, currency: str) -> str:
    return formats.money(int(minor_units), currency, _locale(context))


def _short_date(context: Context, value: str) -> str:
    return formats.short_date(value, _locale(context))


def _long_date(context: Context, value: str) -> str:
    return formats.long_date(value, _locale(context))


def _month_name(context: Context, value: Any) -> str:
    return formats.month_name(int(value), _locale(context))


def _link(url: Any, label: str) -> str:
    return link_mark(str(_written(url)), label)


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
    """What is about to be used, if there is something to use."""
    if value is None:
        raise UndefinedError("a value that may be absent is written; put `{% if name %}` around it")
    return value


def _written(value: Any) -> Any:
    """What is about to be written, if it is text or a number: all else would be written as Python does."""
    if type(value) is str or type(value) is int or isinstance(_present(value), str | Undefined):
        return value
    raise UndefinedError(f"what is written is no text or number, but a {type(value).__name__}")


def _join(values: Any, separator: str = "") -> str:
    return separator.join(str(_written(value)) for value in values)


OWN_FILTERS: dict[str, Callable[..., str]] = {
    "money": pass_context(_money),
    "date": pass_context(_short_date),
    "long_date": pass_context(_long_date),
    "month_name": pass_context(_month_name),
    "brand": formats.card_brand,
    "join": _join,
    "link": _link,
}
"""What a template may format: `amount_minor | money(currency)`, `renews_on | date` (or `long_date`),
`exp_month | month_name`, `card_brand | brand`, `pay_url | link("Pay now")`."""

FILTER_NAMES = frozenset({*_JINJA_FILTERS, *OWN_FILTERS})
"""Every filter that a text may use."""


def walked(tree: nodes.Node) -> list[nodes.Node]:
    """A parsed template and all its parts, in the text's order. Jinja's own way is slow in deep trees."""
    found: list[nodes.Node] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += reversed(list(node.iter_child_nodes()))
    return found


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, tightened: nothing is callable, and what may grow is refused at run time too."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            finalize=_written,
            autoescape=False,
            keep_trailing_newline=True,
        )
        self.globals.clear()
        self.filters.clear()
        self.filters.update({name: _never_absent(FILTERS[name]) for name in _JINJA_FILTERS})
        self.filters.update(OWN_FILTERS)

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ARG002, D102 (Jinja's hook)
        return False

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002, D102
        raise SecurityError(f"the operator {operator} is not for messages")

    def refusals(self, parts: list[nodes.Node]) -> Iterator[str]:
        """What in a template's parts is not for messages, in words, whether or not it would ever run."""
        for node in parts:
            if type(node) not in _ALLOWED:
                what = _REFUSED.get(type(node), f"uses Jinja's {type(node).__name__}")
            elif isinstance(node, nodes.For) and next(node.find_all(nodes.For), None) is not None:
                what = "has a loop within a loop"
            else:
                what = self._refusal(node)
            if what:
                yield f"{what} on line {node.lineno}"

    def _refusal(self, node: nodes.Node) -> str:
        if isinstance(node, nodes.Filter | nodes.Test):
            there_is: Mapping[str, object] = self.filters if isinstance(node, nodes.Filter) else self.tests
            return "" if node.name in there_is else f"uses `{node.name}`, which there is not,"
        if isinstance(node, nodes.Getattr):
            return f"asks for the private `{node.attr}`" if node.attr.startswith("_") else ""
        if not isinstance(node, nodes.Getitem):
            return ""
        name = node.arg.value if isinstance(node.arg, nodes.Const) else None
        return f"asks for the private `{name}`" if isinstance(name, str) and name.startswith("_") else ""
