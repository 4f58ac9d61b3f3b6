"""Money and dates as the customer's language writes them."""

import re
from copy import deepcopy
from datetime import date
from decimal import Decimal
from functools import lru_cache

from babel import Locale, localedata
from babel.core import UnknownLocaleError
from babel.dates import format_date
from babel.numbers import parse_pattern

_ZERO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS = "CLF UYW"

MINOR_UNIT_DIGITS = {
    **dict.fromkeys(_ZERO_DECIMALS.split(), 0),
    **dict.fromkeys(_THREE_DECIMALS.split(), 3),
    **dict.fromkeys(_FOUR_DECIMALS.split(), 4),
}
"""Digits of the minor unit where they are not two: ISO 4217, list one. Not Babel's own numbers: CLDR rounds
by custom (no cents for RSD or LBP), which would put the decimal point in the wrong place."""

_LETTER_BESIDE_DIGIT = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
"""CLDR sets a space between a currency's letters and the number (`KWD 1.000`), which Babel leaves out."""


@lru_cache(maxsize=1024)
def parse_locale(tag: str) -> Locale | None:
    """The locale of a BCP 47 tag, or None if its language is not known.

    A region that is not known is dropped, so that `de-ZZ` still reads German.
    """
    parts = tag.replace("_", "-").split("-")
    while parts:
        try:
            return Locale.parse("-".join(parts), sep="-")
        except (UnknownLocaleError, ValueError, TypeError):
            parts.pop()
    return None


@lru_cache(maxsize=16_384)
def money(minor_units: int, currency: str, locale: Locale) -> str:
    """An amount in ISO 4217 minor units with its currency, always with all its decimals: `$1,234.50`."""
    digits = MINOR_UNIT_DIGITS.get(currency, 2)
    pattern = parse_pattern(locale.currency_formats["standard"].pattern)
    pattern.frac_prec = (digits, digits)
    amount = Decimal(minor_units).scaleb(-digits)
    text: str = pattern.apply(amount, locale, currency=currency, currency_digits=False)
    return _LETTER_BESIDE_DIGIT.sub("\u00a0", text)


@lru_cache(maxsize=4096)
def short_date(iso_date: str, locale: Locale) -> str:
    """`2026-03-08` as `March 8, 2026`. Raises ValueError if it is no ISO date."""
    return format_date(date.fromisoformat(iso_date), "long", locale=locale)


@lru_cache(maxsize=4096)
def long_date(iso_date: str, locale: Locale) -> str:
    """`2026-03-08` as `Sunday, March 8, 2026`. Raises ValueError if it is no ISO date."""
    return format_date(date.fromisoformat(iso_date), "full", locale=locale)


@lru_cache(maxsize=1024)
def month_name(month: int, locale: Locale) -> str:
    """3 as `March`. Raises ValueError if there is no such month."""
    # Of a copy: Babel 2.18 keeps the names that it has resolved in what languages share, so that the first
    # language asked for would speak for all others.
    months = localedata.LocaleDataDict({"months": deepcopy(localedata.load(str(locale))["months"])})
    names = months["months"]["stand-alone"]["wide"]
    if month not in names:
        raise ValueError(f"{month} is not a month")
    return str(names[month])


def labelled(label: str, value: str, locale: Locale) -> str:
    """`Pay now: https://…`, with the colon as the language sets it."""
    return f"{label}{_COLONS.get(locale.language, ': ')}{value}"


_COLONS = {"fr": "\u00a0: ", "ja": "\uff1a", "zh": "\uff1a"}
"""French sets a space before it that does not break; Japanese and Chinese a full-width one with none."""

_BRANDS = {
    "amex": "American Express",
    "american_express": "American Express",
    "cartes_bancaires": "Cartes Bancaires",
    "diners": "Diners Club",
    "discover": "Discover",
    "eftpos_au": "eftpos",
    "jcb": "JCB",
    "maestro": "Maestro",
    "mastercard": "Mastercard",
    "unionpay": "UnionPay",
    "visa": "Visa",
}


def card_brand(name: str) -> str:
    """A card's brand as its owner knows it: `amex` as `American Express`; an unknown one as it is."""
    return _BRANDS.get(name.strip().lower().replace(" ", "_"), name)
