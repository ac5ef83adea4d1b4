"""How amounts and days are written in a customer's language.

Processes that render read this too, so nothing of the domain is imported here. English is written as it always was:
`1234.50` and `2026-11-28`, which is read the same way on both sides of the Atlantic. Other languages are written as
their speakers do (CLDR, by `babel`).
"""

from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel import Locale

ENGLISH = "en"


def language_of(text: str, customer: str) -> str:
    """In which language a text's amounts and days are: the text's own, in the customer's country where they share it.

    Both as `de` or `de-AT`.
    """
    return customer if base_of(customer) == base_of(text) and "-" not in text else text


def base_of(language: str) -> str:
    return language.split("-", 1)[0]


def written(value: object, language: str) -> object:
    """An amount or a day as text; anything else as it is."""
    if not isinstance(value, Decimal | date) or (locale := _locale(language)) is None:
        return value
    from babel.dates import format_date
    from babel.numbers import format_decimal

    if isinstance(value, date):
        return format_date(value, format="medium", locale=locale)
    exponent = value.as_tuple().exponent
    places = max(0, -exponent) if isinstance(exponent, int) else 0
    grouped = str(locale.decimal_formats[None].pattern).partition(".")[0]
    return format_decimal(value, format=f"{grouped}.{'0' * places}" if places else grouped, locale=locale)


@lru_cache(maxsize=64)
def _locale(language: str) -> "Locale | None":
    """None for English, and for a language of which nothing is known."""
    if base_of(language) == ENGLISH:
        return None
    from babel import Locale, UnknownLocaleError  # takes a moment, and English needs none of it

    for name in dict.fromkeys((language.replace("-", "_"), base_of(language))):
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    return None
