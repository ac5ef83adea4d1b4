"""Who is in the sample portfolio: invented people and companies, and how they can be reached.

Nothing is drawn at random: every choice follows from the account's place in the portfolio.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from aggregates.account.customer import CustomerKind
from aggregates.values.contact import (
    Channel,
    Consent,
    ContactDetails,
    EmailAddress,
    PhoneKind,
    PhoneNumber,
    PostalAddress,
)

Choice = TypeVar("Choice")

_FIRST = (
    "Adele", "Amos", "Beatriz", "Bram", "Carmen", "Cyrus", "Dalia", "Desmond", "Edith", "Elio", "Farah", "Felix",
    "Greta", "Hamid", "Ida", "Ivo", "Joan", "Kofi", "Lena", "Luis", "Mabel", "Mateo", "Nadia", "Omar", "Petra",
    "Quentin", "Rosa", "Silas", "Tessa", "Umar", "Vera", "Wendell", "Ximena", "Yara", "Zeno",
)  # fmt: skip
_LAST = (
    "Abbott", "Arroyo", "Bexley", "Calder", "Castellan", "Dunmore", "Eastgate", "Fairweather", "Galindo", "Hawthorne",
    "Ibarra", "Jessup", "Kowalczyk", "Lindqvist", "Marchetti", "Nakamura", "Okafor", "Pemberton", "Quiroga",
    "Rasmussen", "Sandoval", "Thackeray", "Underhill", "Villanueva", "Whitlock", "Yarrow", "Zielinski",
)  # fmt: skip
_COMPANY = (
    "Alder Creek", "Bluestone", "Copper Lane", "Driftwood", "Eastbank", "Foxglove", "Granite Hill", "Harborview",
    "Ironbridge", "Juniper", "Kingfisher", "Larkspur", "Millrace", "Northgate", "Old Orchard", "Pinecrest",
    "Quarry Road", "Redwood", "Saltmarsh", "Three Rivers", "Upland", "Vinegar Hill", "Westfield", "Yellow Barn",
)  # fmt: skip
_TRADE = (
    "Bakery", "Brewing", "Cabinetry", "Cold Storage", "Dental Group", "Freight", "Hotel", "Laundry", "Machine Works",
    "Nurseries", "Printing", "Restaurant Supply", "Veterinary Clinic",
)  # fmt: skip
_FORM = ("LLC", "Inc.", "Co.", "& Sons")
_STREET = (
    "Bay",
    "Canal",
    "Depot",
    "Elm",
    "Ferry",
    "Granary",
    "Hill",
    "Lantern",
    "Market",
    "Orchard",
    "Quay",
    "Tannery",
)
_TOWN = (
    ("Millbrook", "NY", "12545"), ("Ashford", "CT", "06278"), ("Port Alden", "NJ", "07999"),
    ("Stonebury", "VT", "05060"), ("Westhaven", "ME", "04099"),
)  # fmt: skip


def number(low: int, high: int, *parts: object) -> int:
    """A number from `low` to `high` that follows from the parts."""
    digest = hashlib.sha256("\x1f".join(map(str, ("sample", *parts))).encode()).digest()
    return low + int.from_bytes(digest[:8], "big") % (high - low + 1)


def pick(options: Sequence[Choice], *parts: object) -> Choice:
    return options[number(0, len(options) - 1, *parts)]


@dataclass(frozen=True, slots=True)
class Customer:
    """The customer at a place of the portfolio."""

    place: int
    account: str
    name: str
    kind: CustomerKind
    segment: str
    contact: ContactDetails


def customer(place: int) -> Customer:
    """Every third is a company."""
    kind = CustomerKind.COMMERCIAL if place % 3 == 0 else CustomerKind.CONSUMER
    commercial = kind is CustomerKind.COMMERCIAL
    name = _company(place) if commercial else _person(place)
    segment = pick(("retail", "hospitality", "industry"), "segment", place) if commercial else "household"
    return Customer(place, f"{104_000 + 7 * place}", name, kind, segment, _contact(place, name))


def _person(place: int) -> str:
    return f"{_FIRST[place % len(_FIRST)]} {_LAST[(5 * place + place // len(_FIRST)) % len(_LAST)]}"


def _company(place: int) -> str:
    trade = _TRADE[(place // len(_COMPANY) + 3 * place) % len(_TRADE)]
    return f"{_COMPANY[place // 3 % len(_COMPANY)]} {trade} {pick(_FORM, 'form', place)}"


def _contact(place: int, name: str) -> ContactDetails:
    """Most have everything; some lack an e-mail address or consent to texts, a few refuse. All said where they are:
    an area code is no sign of it."""
    town, region, postal_code = pick(_TOWN, "town", place)
    mailbox = "".join(letter if letter.isalnum() else "." for letter in name.casefold()).strip(".").replace("..", ".")
    texts = pick((Consent.GIVEN, Consent.GIVEN, Consent.GIVEN, Consent.UNKNOWN, Consent.REFUSED), "texts", place)
    mails = pick((Consent.GIVEN, Consent.GIVEN, Consent.UNKNOWN), "mails", place)
    return ContactDetails(
        addresses=(
            PostalAddress(
                id="address-1",
                lines=(f"{number(2, 480, 'house', place)} {pick(_STREET, 'street', place)} Street",),
                city=town,
                region=region,
                postal_code=postal_code,
                country="US",
            ),
        ),
        phones=(
            PhoneNumber(
                id="phone-1",
                number=f"+1 {number(201, 989, 'area', place)} 555 {100 + number(0, 99, 'line', place):04}",
                kind=PhoneKind.MOBILE,
                sms_consent=texts,
                voice_consent=Consent.GIVEN if place % 4 else Consent.UNKNOWN,
            ),
        ),
        emails=(
            ()
            if number(1, 12, "no e-mail", place) == 1
            else (EmailAddress(id="email-1", address=f"{mailbox}@example.com", consent=mails),)
        ),
        language="es" if number(1, 9, "language", place) == 1 else "en",
        preferred_channel=Channel.SMS if place % 11 == 0 else None,
        time_zone="America/New_York",
    )
