"""Verdicts on texts, remembered: what was found without fault is not checked again.

To check a text is to read, compile and render it with every sample; that takes milliseconds, and the shipped
policy has hundreds of texts in five languages. Their verdicts come with them in a generated file. They hold
for the code and the libraries that gave them: with any other, and for any other text, all is checked. What a
template may not do is refused when it is rendered, too, whatever the verdict says.
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from streams.policy.documents import policies_directory

FILE = "faultless_texts.txt"
"""Beside the shipped policies: who judged, and the fingerprints of the texts and blocks without fault."""

_JUDGES = ("content*.py", "formats.py", "message_length.py", "samples.py", "sandbox.py", "usage.py")
_LIBRARIES = ("babel", "jinja2", "markupsafe")

_DIGITS = 20
"""Hexadecimal digits of the SHA-256: nobody finds a text of a given fingerprint by trying."""

_MOST = 16_384
"""Verdicts kept by one process: fifty policies of five languages."""


def fingerprint(*parts: Any) -> str:
    """What tells one text from another: all that its verdict depends on, as plain values or structs."""
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:_DIGITS]


class Verdicts:
    """The fingerprints of what was found without fault."""

    def __init__(self, faultless: Iterable[str] = ()) -> None:
        self.faultless = set(faultless)

    def add(self, found: str) -> None:
        """Remember that this has no fault."""
        if len(self.faultless) >= _MOST:
            self.faultless.clear()
        self.faultless.add(found)


@cache
def of_this_process() -> Verdicts:
    """The verdicts that came with the shipped policies, if they hold here, and those given since."""
    try:
        judge, *faultless = (policies_directory() / FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return Verdicts()
    return Verdicts(faultless if judge == judged_by() else ())


def judged_by() -> str:
    """The fingerprint of the code that judges texts and of the libraries that it uses."""
    here = Path(__file__).parent
    sources = [source for pattern in _JUDGES for source in sorted(here.glob(pattern))]
    sources.append(here.parent / "dunning" / "variables.py")
    return fingerprint(
        [hashlib.sha256(source.read_bytes()).hexdigest() for source in sources],
        [version(library) for library in _LIBRARIES],
    )
