"""Options that many commands share, and how their values are read."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from api.application.bulk import WrongParameter

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_id(text: str) -> bool:
    """Whether this is an id and not a number."""
    return _ID.fullmatch(text) is not None


def read_day(text: str) -> date:
    """A day such as 2026-03-31."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise typer.BadParameter(f"{text!r}: expected a day such as 2026-03-31")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r}: there is no such day") from None


def read_moment(text: str) -> datetime:
    """A moment such as 2026-03-31T09:00Z; without a zone it is UTC, without a time the day's beginning."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r}: expected a moment such as 2026-03-31T09:00Z") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar="ARREARS_DATA",
        metavar="DIR",
        file_okay=False,
        help="The data folder. ARREARS_DATABASE_URL names a server instead, and wins.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
AsOf = Annotated[
    date | None,
    typer.Option(
        "--as-of", parser=read_day, metavar="DAY", help="As it was true at the end of this day. Default: today."
    ),
]
KnownOn = Annotated[
    date | None,
    typer.Option("--known-on", parser=read_day, metavar="DAY", help="Only what was recorded by the end of this day."),
]


def account_option(means: str) -> Any:
    """`--account`: whoever takes an account takes its number, or its id."""
    return typer.Option("--account", metavar="ID|NUMBER", help=means)


Account = Annotated[str | None, account_option("Only this account, by its number or its id.")]
AccountArgument = Annotated[str, typer.Argument(metavar="ID|NUMBER", help="The account's number, or its id.")]
Currency = Annotated[
    str | None, typer.Option("--currency", metavar="ISO", help="Only this one. Default: each that is in use.")
]
OfficeCode = Annotated[str | None, typer.Option("--office", metavar="CODE", help="Only this office.")]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the audit trail.")]


def wrong_parameter(wrong: "WrongParameter") -> typer.BadParameter:
    """By its option."""
    field, expected = _wrong(wrong.error.errors()[0])
    return typer.BadParameter(f"--{field.replace('_', '-')}: {expected}")


def _wrong(error: Mapping[str, Any]) -> tuple[str, str]:
    """The field, and what was expected of it."""
    from aggregates.values.patterns import message_of

    said = message_of(error).removeprefix("Value error, ")
    if not error["loc"]:
        field, _, expected = said.partition(": ")
        return field, expected
    return str(error["loc"][0]), said.replace("Input should be", "expected")
