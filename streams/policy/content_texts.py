"""What texts are made of: one per template, channel and locale, other wordings by tone, and shared blocks.

A block is a piece that many texts of a language use (a greeting, the list of open invoices), written once,
or once per tone: `{{ blocks.greeting }}` stands for it.
"""

from collections.abc import Mapping

from msgspec import Struct

from streams.dunning.audience import Tone
from streams.dunning.events import Channel

BLOCKS = "blocks"
"""What a locale's blocks are called beside its templates; no template has this name."""


class Wording(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one tone says otherwise; what it leaves out is as in the text itself."""

    subject: str | None = None
    body: str | None = None


class Text(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One message by one channel. `subject` is an e-mail's subject, a push's title, a letter's headline."""

    body: str
    subject: str | None = None
    tones: dict[Tone, Wording] = {}

    def in_tone(self, tone: Tone) -> Wording:
        """The words of a tone: its own, else those for all."""
        own = self.tones.get(tone)
        if own is None:
            return Wording(self.subject, self.body)
        return Wording(self.subject if own.subject is None else own.subject, own.body or self.body)


Texts = Mapping[str, Mapping[str, Mapping[Channel, Text]]]
"""Locale, template, channel."""

Block = str | Mapping[Tone, str]
"""One text for every tone, or one by tone. A tone that is not written gets the policy's default tone, else
the first that is, in the order supportive, formal, short."""

Blocks = Mapping[str, Block]
"""The blocks of one locale, by name."""
