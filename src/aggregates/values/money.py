"""The one money type: an integer number of minor units and an ISO 4217 code."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from aggregates.values.patterns import pattern

Currency = Annotated[
    str, StringConstraints(pattern=pattern(r"^[A-Z]{3}$", "an ISO 4217 code of three capital letters such as USD"))
]

MajorUnits = Annotated[
    str,
    StringConstraints(pattern=pattern(r"^[0-9]{1,13}(\.[0-9]{1,4})?$", "an amount such as 100.00, not below zero")),
]
"""An amount as people write it, where the currency is said elsewhere."""

# ISO 4217 currencies whose minor unit is not a hundredth.
EXPONENTS = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}


DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,4})?")
"""How an amount is written, in major units."""
MOST_MINOR = 10**15
"""Beyond this an amount is a mistake; sums over a portfolio still fit the database's integers."""


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies met in one calculation."""


def exponent(currency: str) -> int:
    """Decimal places of the currency's minor unit (ISO 4217): 2 for USD, 0 for JPY, 3 for KWD."""
    return EXPONENTS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents for USD). Signed; never a float."""

    minor: Annotated[int, Field(strict=True)]
    currency: Currency

    @classmethod
    def zero(cls, currency: str) -> Self:
        return cls(0, currency)

    @classmethod
    def total(cls, amounts: "Iterable[Money]", currency: str) -> Self:
        """The sum of amounts in one currency, zero of none. Raises CurrencyMismatch."""
        minor = 0
        for amount in amounts:
            if amount.currency != currency:
                raise CurrencyMismatch(f"{currency} and {amount.currency} cannot be mixed")
            minor += amount.minor
        return cls(minor, currency)

    @classmethod
    def rounded(cls, amount: Decimal, currency: str) -> Self:
        """From a decimal amount in major units, rounded half up (away from zero) to the minor unit."""
        return cls(int(amount.scaleb(exponent(currency)).quantize(Decimal(1), ROUND_HALF_UP)), currency)

    @classmethod
    def parse(cls, text: str, currency: str) -> Self:
        """Exactly what a text such as `12.50` says, in major units. Raises ValueError, which says what was expected:
        also where it says more decimal places than the currency has, or so much that it is a mistake."""
        if not DECIMAL.fullmatch(text):
            raise ValueError(f"expected an amount such as 12.50, not {text!r}")
        amount = Decimal(text)
        money = cls.rounded(amount, currency)
        if money.decimal() != amount:
            raise ValueError(f"expected at most {exponent(currency)} decimal places for {currency}")
        if abs(money.minor) > MOST_MINOR:
            raise ValueError(f"expected at most {cls(MOST_MINOR, currency).decimal():f}")
        return money

    def decimal(self) -> Decimal:
        """The amount in major units, with the currency's number of places."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def share(self, numerator: int, denominator: int) -> "Money":
        """numerator/denominator of the amount, rounded half up to the minor unit."""
        exact = Decimal(self.minor) * numerator / denominator
        return Money(int(exact.quantize(Decimal(1), ROUND_HALF_UP)), self.currency)

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} cannot be mixed")

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __lt__(self, other: "Money") -> bool:
        self._same(other)
        return self.minor < other.minor

    def __le__(self, other: "Money") -> bool:
        self._same(other)
        return self.minor <= other.minor

    def __gt__(self, other: "Money") -> bool:
        self._same(other)
        return self.minor > other.minor

    def __ge__(self, other: "Money") -> bool:
        self._same(other)
        return self.minor >= other.minor

    def __str__(self) -> str:
        return f"{self.decimal()} {self.currency}"
