"""Finds control characters in texts: they would forge identities, break lines and drive a terminal.

What counts is Unicode's category Cc (C0, DEL and C1) and its two separators of lines and paragraphs, U+2028
and U+2029. A text that a customer wrote may hold tabs, ends of lines, and what a wrong encoding made of
quotation marks (C1): there only the rest of C0, and DEL, count.
"""

import re

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_PROSE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def holds_control_character(text: str) -> bool:
    """Tell whether an identifier or a name holds one."""
    # Nearly every text is printable, which is much faster to tell than to search it.
    return not text.isprintable() and _CONTROL.search(text) is not None


def prose_holds_control_character(text: str) -> bool:
    """Tell whether a text of several lines holds one."""
    return not text.isprintable() and _CONTROL_IN_PROSE.search(text) is not None


def visible(text: str) -> str:
    r"""Write control characters as escapes, `\x1b`, so that an error can name what holds them."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)
