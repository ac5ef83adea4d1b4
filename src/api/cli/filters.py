"""The filters of the collections report as options of commands."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, get_args

import typer

FILTERS: Mapping[str, tuple[str, str]] = {
    "search": ("TEXT", "In name, number, phone or e-mail; or an invoice's number."),
    "stage": ("STAGE", "Only accounts that are in this stage of auto-collection; of several, in one of them."),
    "bucket": ("NAME", "Whose oldest open item is in this bucket; of several, in one of them."),
    "flag": ("FLAG", "That carry this flag; of several one of them."),
    "without_flag": ("FLAG", "That do not carry this flag; of several none of them."),
    "collections_stage": ("STAGE", "That stand so with an outside agency: not set, pending or sent."),
    "frozen": ("CODE", "That are frozen for this reason."),
    "frozen_subscription": ("yes|no", "Of whom a subscription is frozen, with the account or singly, or none."),
    "written_off": ("yes|no", "Of whom something is written off with the claim kept; they may owe nothing."),
    "disputed": ("yes|no", "Of whom anything open is disputed, or nothing."),
    "promised": ("yes|no", "Of whom a promise to pay is open, or none."),
    "excluded": ("yes|no", "That a person took out of auto-collection, or not."),
    "service": ("TYPE", "With an open invoice of this service type; of fees it chooses invoices too."),
    "subscription": ("NUMBER", "With an open invoice of this subscription; of fees it chooses invoices too."),
    "placed_with": ("AGENCY", "That this agency has."),
    "segment": ("NAME", "Whose customer is in this segment now."),
    "assignee": ("PERSON", "About which this person has something to do on the worklist now."),
    "number": ("NUMBER", "The account with exactly this number."),
    "min_balance": ("AMOUNT", "That owe at least this."),
    "max_balance": ("AMOUNT", "That owe at most this."),
    "min_dpd": ("DAYS", "At least so many days past due."),
    "max_dpd": ("DAYS", "At most so many days past due."),
    "last_payment_from": ("DAY", "Whose latest payment was on this day or later."),
    "last_payment_to": ("DAY", "Whose latest payment was on this day or before."),
    "last_contact_from": ("DAY", "Whose latest contact was on this day or later."),
    "last_contact_to": ("DAY", "Whose latest contact was on this day or before."),
}
"""Those of `projections.questions.Filters`, which takes a second to import: metavar and help of each."""


def option_of(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def filter_options() -> dict[str, Any]:
    """An option for each filter, as `with_options` wants them."""
    return {
        name: Annotated[list[str] | None, typer.Option(option_of(name), metavar=metavar, help=means)]
        for name, (metavar, means) in FILTERS.items()
    }


SAVED = Annotated[
    str | None,
    typer.Option("--filter", metavar="NAME", help="A saved filter; other options are beside it, or replace its own."),
]


OF_SEVERAL = frozenset({"stage", "bucket", "flag", "without_flag"})
"""Filters that may be given several times, or with commas between their values."""


def given_of(options: Mapping[str, Any]) -> dict[str, str]:
    """The filters that are given; one of which only the last would count is refused."""
    found: dict[str, str] = {}
    for name in FILTERS:
        said: list[str] = options.get(name) or []
        if len(said) > 1 and name not in OF_SEVERAL:
            raise typer.BadParameter(f"{option_of(name)}: expected once, but it is given {len(said)} times")
        if said:
            found[name] = ",".join(said)
    return found


def with_options(
    command: Callable[..., None],
    means: str,
    options: Mapping[str, Any],
    *,
    required: Iterable[str] = ("to",),
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Gives a command its help and its options, where these are in a table; without a default an option is None."""
    flags = {name: False for name, each in options.items() if get_args(each)[0] is bool}
    known = {**dict.fromkeys(required, inspect.Parameter.empty), **flags, **defaults}
    command.__annotations__ = {**options, "return": None}
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY, default=known.get(each), annotation=annotation)
            for each, annotation in options.items()
        ]
    )
    command.__doc__ = means
