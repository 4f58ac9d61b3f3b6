"""Words by which a customer asks to hear no more, or to hear again, in a reply."""

import unicodedata
from functools import cached_property
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Words = dict[str, tuple[Annotated[str, Meta(min_length=1, max_length=40)], ...]]
"""By language. A customer may use those of any: many write STOP whatever else they speak."""

Reading = Literal["opt_out", "opt_out_of_all", "opt_in"]

LONGEST_REPLY_READ = 160
"""Characters, one text message: what is longer is no keyword, and a person has to read it."""


def plain(text: str) -> str:
    """The text without case, accents and punctuation: `Arrêt!` is `arret`, and `opt-out` is `opt out`."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = (letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join("".join(letter if letter.isalnum() else " " for letter in letters).split())


class ReplyWords(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Replies that mean an opt-out or an opt-in: the whole reply is one of these words, and nothing else."""

    opt_out: Annotated[Words, Meta(description="Ends the channel by which it came.")] = field(
        default_factory=dict
    )
    opt_out_of_all: Annotated[Words, Meta(description="Ends every channel.")] = field(default_factory=dict)
    opt_in: Annotated[Words, Meta(description="Opens the channel by which it came again.")] = field(
        default_factory=dict
    )

    @cached_property
    def readings(self) -> dict[str, Reading]:
        """What each plain word means. A word that ends more wins, should one stand in two lists."""
        lists: tuple[tuple[Reading, Words], ...] = (
            ("opt_in", self.opt_in),
            ("opt_out", self.opt_out),
            ("opt_out_of_all", self.opt_out_of_all),
        )
        return {
            plain(word): reading
            for reading, languages in lists
            for words in languages.values()
            for word in words
        }

    def read(self, text: str) -> Reading | None:
        """What a reply means, if it is one of the words."""
        return self.readings.get(plain(text)) if len(text) <= LONGEST_REPLY_READ else None
