"""How long a message may be where its length costs money or is cut off."""

from msgspec import Struct

MOST_SMS_SEGMENTS = 3
"""Each segment is paid for and may arrive by itself; three hold a sentence, a link and a way to get help."""

MOST_PUSH_TITLE = 65
"""Characters. Android shows about 65 of a title, iOS fewer on a small screen."""

MOST_PUSH_BODY = 178
"""Characters. iOS shows about 178 of a notification before it cuts off, Android more when expanded."""

# 3GPP TS 23.038, section 6.2.1: the default alphabet, and its extension, whose characters count twice.
_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./"
    "0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_EXTENSION = frozenset("^{}\\[~]|€\f")

_MOST_NAMED = 8
"""Of more characters than this it is the script of the language, and nothing to mend."""

_GSM7_SINGLE, _GSM7_JOINED = 160, 153
_UCS2_SINGLE, _UCS2_JOINED = 70, 67


class SmsSize(Struct, frozen=True):
    """What a text takes as SMS. `costly` are the characters for which it cannot be GSM-7."""

    encoding: str
    units: int
    segments: int
    per_segment: int
    costly: str = ""

    def __str__(self) -> str:
        why = f" because of {self.costly}" if self.costly else ""
        return f"{self.encoding}{why}: {self.units} units, {self.per_segment} fit a segment"


def sms_size(text: str) -> SmsSize:
    """How many SMS a text takes, and why.

    160 characters of the GSM alphabet fit one, 153 each of several (the rest is the header that joins them);
    with any other character 70 and 67 (3GPP TS 23.038 and 23.040).
    """
    foreign = set(text) - _GSM7 - _GSM7_EXTENSION
    if not foreign:
        units = len(text) + sum(character in _GSM7_EXTENSION for character in text)
        single, joined = _GSM7_SINGLE, _GSM7_JOINED
    else:
        units = len(text.encode("utf-16-be")) // 2
        single, joined = _UCS2_SINGLE, _UCS2_JOINED
    few = "".join(sorted(foreign)) if len(foreign) <= _MOST_NAMED else ""
    return SmsSize(
        encoding="UCS-2" if foreign else "GSM-7",
        units=units,
        segments=1 if units <= single else -(-units // joined),
        per_segment=single if units <= single else joined,
        costly=few,
    )
