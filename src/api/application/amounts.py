"""Amounts as every door reads and writes them: a decimal string and its currency."""

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from adapters.billing.currencies import CURRENCIES
from aggregates.values.money import DECIMAL, Money


def read_amount(given: object) -> Money:
    """Raises ValueError that says what was expected."""
    if isinstance(given, Money):
        return given
    if not isinstance(given, dict) or given.keys() != {"amount", "currency"}:
        raise ValueError('expected an object with amount and currency: {"amount": "12.50", "currency": "USD"}')
    amount, currency = given["amount"], given["currency"]
    if not isinstance(currency, str) or currency not in CURRENCIES:
        raise ValueError("currency: expected an ISO 4217 code such as USD")
    if not isinstance(amount, str) or not DECIMAL.fullmatch(amount):
        raise ValueError('amount: expected a decimal string such as "12.50" (in quotes)')
    try:
        return Money.parse(amount, currency)
    except ValueError as problem:
        raise ValueError(f"amount: {problem}") from None


def decimal_text(minor: int, currency: str) -> str:
    return f"{Money(minor, currency).decimal():f}"


def write_amount(money: Money) -> dict[str, str]:
    return {"amount": decimal_text(money.minor, money.currency), "currency": money.currency}


AMOUNT_SCHEMA: dict[str, Any] = {
    "title": "Amount",
    "type": "object",
    "required": ["amount", "currency"],
    "additionalProperties": False,
    "properties": {
        "amount": {"type": "string", "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,4})?$", "examples": ["12.50"]},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["USD"]},
    },
}

Amount = Annotated[Money, BeforeValidator(read_amount), PlainSerializer(write_amount), WithJsonSchema(AMOUNT_SCHEMA)]
"""An amount with its currency. Never a JSON number: those are floats to many readers."""
