"""`arrears contact`: by which numbers and addresses a customer is reached, and what they wish of each."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.asking import answered
from api.cli.lists import Accounts, OneAccount, Wanted, Words, to_each
from api.cli.opening import command_of
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason
from api.cli.output import print_json, print_table, say
from api.cli.questions import Ask, account_id
from api.cli.tables import key, prose, tabular, text, word

if TYPE_CHECKING:
    from aggregates.account import Account
    from aggregates.kernel.command import Command

_POINTS = (key("point"), word("what", 2), text("number or address"), prose("wishes"))

Medium = Annotated[str, typer.Option("--channel", metavar="CHANNEL", help="sms, voice, email, letter or portal.")]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="POINT", help="One number or address, such as phone-1. Default: the whole medium."),
]


def register(app: typer.Typer) -> None:
    """The commands of the group that are about numbers and addresses."""
    for name, command in (
        ("points", tabular(points)),
        ("change", change),
        ("opt-out", opt_out),
        ("opt-in", opt_in),
        ("consent", consent),
    ):
        app.command(name)(command)


def points(account: AccountArgument, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False) -> None:
    """By which numbers and addresses the customer is reached, and what they wish of each."""

    def asked(ask: Ask) -> Any:
        return ask("/v1/accounts/{id}", id=account_id(ask, account, office=office))

    view = answered(data, asked)
    contact, opt_outs, retired = view["contact"], view["opt_outs"], view.get("retired_points", [])
    if as_json:
        print_json({"contact": contact, "opt_outs": opt_outs, "retired_points": retired})
        return
    rows = [
        *((each["id"], f"{each['kind']} phone", each["number"], _of_phone(each)) for each in contact["phones"]),
        *((each["id"], "e-mail", each["address"], _consented("", each["consent"])) for each in contact["emails"]),
        *((each["id"], "address", _place(each), []) for each in contact["addresses"]),
    ]
    print_table(
        _POINTS,
        (
            (point, what, at, "; ".join([*_said(point, opt_outs, retired), *wishes]) or "–")
            for point, what, at, wishes in rows
        ),
    )
    for each in opt_outs:
        if each["point_id"] is None:
            say(f"Not by {each['channel']} at all.")
    preferred = contact.get("preferred_channel")
    say(f"Language {contact['language']}" + (f", preferably by {preferred}." if preferred else "."))


def _of_phone(phone: dict[str, Any]) -> list[str]:
    return [*_consented("texts ", phone["sms_consent"]), *_consented("calls ", phone["voice_consent"])]


def _consented(what: str, consent: str) -> list[str]:
    return [] if consent == "unknown" else [f"{what}{'allowed' if consent == 'given' else 'refused'}"]


def _place(address: dict[str, Any]) -> str:
    place = (address.get(name) for name in ("postal_code", "city", "region", "country"))
    return ", ".join(part for part in (*address["lines"], *place) if part)


def _said(point: str, opt_outs: list[dict[str, Any]], retired: list[str]) -> list[str]:
    opted_out = [each["channel"] for each in opt_outs if each["point_id"] == point]
    return [*(["used no more"] if point in retired else []), *(f"opted out of {each}" for each in opted_out)]


def change(
    *,
    account: OneAccount = None,
    accounts: Accounts = None,
    phone: Annotated[str | None, typer.Option("--phone", metavar="NUMBER", help="A number to be added.")] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="Of the number: mobile, home, work or other.")
    ] = None,
    email: Annotated[
        str | None, typer.Option("--email", metavar="ADDRESS", help="An e-mail address to be added.")
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="POINT", help="What is to be removed; may be given several times."),
    ] = None,
    language: Annotated[str | None, typer.Option("--language", metavar="CODE", help="Such as en or pt-BR.")] = None,
    preferred_channel: Annotated[
        str | None, typer.Option("--preferred-channel", metavar="CHANNEL", help="By which they like to be reached.")
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", metavar="ZONE", help="Where they are, such as America/Denver.")
    ] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Change how the customer is reached; what is not named stays."""
    from aggregates.account.contact import ChangeContactDetails
    from api.application.contact_details import DetailsChange, changed

    wanted = command_of(
        DetailsChange,
        {"phone_kind": "--kind"},
        phone=phone,
        phone_kind=kind,
        email=email,
        remove=remove or (),
        language=language,
        preferred_channel=preferred_channel,
        time_zone=time_zone,
    )
    if kind is not None and phone is None:
        raise typer.BadParameter("--kind: expected with --phone, whose kind it is")
    if wanted == DetailsChange():
        raise typer.BadParameter("expected what is to change, such as --phone, --email, --remove or --language")

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        contact = changed(found.contact.details, found.contact.country, wanted)
        return [command_of(ChangeContactDetails, {}, account_id=found.id, contact=contact)]

    words = Words("It is changed.", "It was so already.")
    to_each(Wanted(account, accounts, data, office, reason, as_json), makes, words)


def opt_out(
    *,
    account: OneAccount = None,
    accounts: Accounts = None,
    channel: Medium,
    to: To = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """The customer does not want to be contacted this way any more; on every account that has the number or address."""
    from aggregates.account.contact import OptOutOfContact

    words = Words(f"No {channel} {_at(to)}any more.", "It was so already.")
    _wish(Wanted(account, accounts, data, office, reason, as_json), words, OptOutOfContact, channel, to)


def opt_in(
    *,
    account: OneAccount = None,
    accounts: Accounts = None,
    channel: Medium,
    to: To = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """The customer takes an opt-out back, on all of their accounts."""
    from aggregates.account.contact import OptInToContact

    words = Words(f"The opt-out of {channel} {_at(to)}is taken back.", "There was none.")
    _wish(Wanted(account, accounts, data, office, reason, as_json), words, OptInToContact, channel, to)


def consent(
    *,
    account: OneAccount = None,
    accounts: Accounts = None,
    channel: Medium,
    to: Annotated[str, typer.Option("--to", metavar="POINT", help="A number or e-mail address, such as phone-1.")],
    given: Annotated[bool, typer.Option("--given/--refused", help="What the customer said.")],
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """The customer allowed contact at a number or address, or refused it; on all of their accounts."""
    from aggregates.account.contact import RecordConsent

    said = "given" if given else "refused"
    words = Words(f"Consent to {channel} at {to} is {said}.", "It was so already.")
    _wish(Wanted(account, accounts, data, office, reason, as_json), words, RecordConsent, channel, to, consent=said)


def _wish(
    wanted: Wanted, words: Words, command: "type[Command]", channel: str, point: str | None, **more: object
) -> None:
    from aggregates.account.contact import OptOutOfContact
    from api.application.contact_details import require_point

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        said = {"account_id": found.id, "channel": channel, "point_id": point, **more}
        made = command_of(command, {"point_id": "--to"}, **said)
        if isinstance(made, OptOutOfContact):
            require_point(found, made.channel, point)
        return [made]

    to_each(wanted, makes, words)


def _at(point: str | None) -> str:
    return "" if point is None else f"at {point} "
