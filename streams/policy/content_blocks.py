"""From the source of a text to a compiled template, with its blocks put in their places.

Blocks are put in where the text is read, not where it is rendered: a check sees all that a message can say,
and the sandbox needs no way to load anything. A block written by tone becomes a choice by `tone`, so one
compiled template serves all tones.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.visitor import NodeTransformer
from msgspec import Struct

from streams.dunning.audience import Tone
from streams.policy.content_texts import BLOCKS, Block, Blocks
from streams.policy.sandbox import Sandbox, walked

MOST_BLOCKS = 64
"""Blocks in one text, those within blocks counted: what a page holds several times over, and an end to blocks
that hold each other twice."""

_ENVIRONMENT = Sandbox()
_MENTION = re.compile(rf"\b{BLOCKS}\s*\.\s*(\w+)")
_LONE_TAG = re.compile(r"^[ \t]*(\{%(?:(?!%\}).)*?)([-+]?%\})[ \t]*\n", re.MULTILINE)
"""A tag that stands alone on its line leaves no line. Jinja's `trim_blocks` would also take the end of a line
that ends with a tag, and join two paragraphs."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class Prepared(Struct, frozen=True):
    """A text as it was read.

    `refused` says in words what in it is not for messages; `names` are the variables that it asks for. There
    is a template unless something is refused, or the text is a block's, which is sent within others only.
    """

    names: frozenset[str]
    refused: tuple[str, ...]
    template: jinja2.Template | None


def prepared(source: str, blocks: Blocks, default_tone: Tone, name: str | None = None) -> Prepared:
    """A text with its blocks in it; read and compiled once for the same words.

    Raises:
        jinja2.TemplateSyntaxError: It is not a template, or a block is not there or holds itself; the error's
            `name` is the block whose own text is wrong. `name` says which block `source` is of, if it is one.
    """
    used = sorted(mentioned(source, blocks))
    frozen = tuple((each, _frozen(blocks[each])) for each in used if each in blocks)
    return _prepared(source, frozen, default_tone, name)


def mentioned(source: str, blocks: Blocks) -> Iterator[str]:
    """The names of the blocks that a text uses, itself or by another one; each once."""
    waiting, seen = _MENTION.findall(source), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        yield name
        for wording in _wordings(blocks.get(name, "")):
            waiting += _MENTION.findall(wording)


def varies_by_tone(source: str, blocks: Blocks) -> bool:
    """Whether a text says different things in different tones."""
    used = [blocks.get(name, "") for name in mentioned(source, blocks)]
    return any(not isinstance(block, str) for block in used) or any(
        re.search(r"\btone\b", wording) for block in (source, *used) for wording in _wordings(block)
    )


def compiled(source: str, blocks: Blocks, default_tone: Tone) -> jinja2.Template:
    """The template of a text that has been checked. Raises jinja2.TemplateSyntaxError."""
    found = prepared(source, blocks, default_tone)
    if found.template is None:
        raise jinja2.TemplateSyntaxError(found.refused[0], 1)
    return found.template


_Frozen = str | tuple[tuple[Tone, str], ...]


# Two policies of six languages: a check after a small change reads only what has changed.
@lru_cache(maxsize=2048)
def _prepared(
    source: str, blocks: tuple[tuple[str, _Frozen], ...], default_tone: Tone, name: str | None
) -> Prepared:
    thawed = {each: block if isinstance(block, str) else dict(block) for each, block in blocks}
    tree = _Expansion(thawed, default_tone).expanded(source, name)
    parts = walked(tree)
    refused = tuple(_ENVIRONMENT.refusals(parts))
    names = frozenset[str]() if refused else _names(parts)
    if refused or name is not None:
        return Prepared(names, refused, None)
    try:
        template = _ENVIRONMENT.from_string(tree)
    except (SyntaxError, RecursionError) as error:
        # Python's own limits: a hundred levels of conditions.
        raise jinja2.TemplateSyntaxError(f"is too deep to be compiled ({error})", 1, name) from error
    return Prepared(names, (), template)


def _names(parts: list[nodes.Node]) -> frozenset[str]:
    """The variables that a text asks for: all names that are not a loop's own."""
    own = {"loop"}
    asked = set[str]()
    for part in parts:
        if isinstance(part, nodes.For):
            own |= {target.name for target in walked(part.target) if isinstance(target, nodes.Name)}
        elif isinstance(part, nodes.Name):
            asked.add(part.name)
    return frozenset(asked - own)


def _frozen(block: Block) -> _Frozen:
    return block if isinstance(block, str) else tuple(sorted(block.items()))


def _wordings(block: Block) -> tuple[str, ...]:
    return (block,) if isinstance(block, str) else tuple(block.values())


class _Expansion(NodeTransformer):
    """Puts blocks in the place of what mentions them."""

    def __init__(self, blocks: Blocks, default_tone: Tone) -> None:
        self._blocks = blocks
        self._default_tone = default_tone
        self._open: tuple[str, ...] = ()
        self._count = 0

    def expanded(self, source: str, name: str | None = None) -> nodes.Template:
        found = _CONTROL.search(source)
        if found is not None:
            line = source.count("\n", 0, found.start()) + 1
            raise jinja2.TemplateSyntaxError(f"has the control character {found[0]!r}", line, name)
        try:
            # The line's end goes into the tag: lines keep their numbers.
            tree = _ENVIRONMENT.parse(_LONE_TAG.sub(r"\1\n\2", source), name)
            self.visit(tree)
        except RecursionError:
            raise jinja2.TemplateSyntaxError("is nested too deeply", 1, name) from None
        except ValueError as error:
            # Python refuses to read whole numbers of thousands of digits.
            raise jinja2.TemplateSyntaxError(str(error), 1, name) from error
        tree.set_environment(_ENVIRONMENT)
        return tree

    def visit_Output(self, node: nodes.Output) -> list[nodes.Node]:  # noqa: N802 (Jinja's name)
        """What is written: between the blocks as it stands."""
        result: list[nodes.Node] = []
        run: list[nodes.Expr] = []
        for child in node.nodes:
            name = _block_name(child)
            if name is None:
                run.append(child)
                continue
            if run:
                result.append(nodes.Output(run, lineno=node.lineno))
                run = []
            result += self._block(name, child.lineno)
        if run:
            result.append(nodes.Output(run, lineno=node.lineno))
        return result

    def _block(self, name: str, line: int) -> list[nodes.Node]:
        block = self._blocks.get(name)
        if block is None:
            raise jinja2.TemplateSyntaxError(f"there is no block `{name}`", line)
        if name in self._open:
            raise jinja2.TemplateSyntaxError(f"the block `{name}` holds itself", line)
        self._count += 1
        if self._count > MOST_BLOCKS:
            raise jinja2.TemplateSyntaxError(f"has more than {MOST_BLOCKS} blocks", line)
        if isinstance(block, str):
            return self._body(name, block)
        # Not the first that is written: the order of a map means nothing in a policy.
        default = block.get(self._default_tone) or next(block[tone] for tone in Tone if tone in block)
        others = [(tone, words) for tone, words in block.items() if words != default]
        if not others:
            return self._body(name, default)
        choices = [
            nodes.If(_is_tone(tone), self._body(name, words), [], [], lineno=line) for tone, words in others
        ]
        first, *rest = choices
        first.elif_, first.else_ = rest, self._body(name, default)
        return [first]

    def _body(self, name: str, words: str) -> list[nodes.Node]:
        outer, self._open = self._open, (*self._open, name)
        body: list[nodes.Node] = self.expanded(words.rstrip("\n"), name).body
        self._open = outer
        return body


def _block_name(node: Any) -> str | None:
    is_block = isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name)
    return node.attr if is_block and node.node.name == BLOCKS else None


def _is_tone(tone: Tone) -> nodes.Compare:
    return nodes.Compare(nodes.Name("tone", "load"), [nodes.Operand("eq", nodes.Const(tone.value))])
