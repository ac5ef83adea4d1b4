"""Mapping profiles: what the columns of a billing file mean, written by a user as a small TOML file."""

import codecs
import difflib
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from adapters.billing.currencies import CURRENCIES
from adapters.billing.values import Numbers, checked_date_format

SHIPPED = files("adapters.billing") / "profiles"


class ProfileError(ValueError):
    """A profile cannot be used. The message names the file, the key and what was expected."""


class Kind(StrEnum):
    """What a row of the file is."""

    CUSTOMERS = "customers"
    INVOICES = "invoices"
    PAYMENTS = "payments"
    CREDITS = "credits"
    REVERSALS = "reversals"
    INVOICES_WITH_SETTLEMENT = "invoices-with-settlement"


class Complete(StrEnum):
    """What is true of facts of earlier files that a complete file does not have."""

    SETTLED = "settled"
    """The invoice was paid on the file's day."""
    WITHDRAWN = "withdrawn"
    """It never was."""


class Scope(StrEnum):
    """Within what a document's number is unique."""

    PER_OFFICE = "per-office"
    PER_ACCOUNT = "per-account"


_ANY = frozenset({"account_number", "office", "currency"})
CUSTOMER_FIELDS = frozenset({
    "name", "customer_kind", "segment", "language", "country", "address_1", "address_2", "address_3", "city", "region",
    "postal_code", "preferred_channel", "time_zone", "since", "customer_number",
})  # fmt: skip
_INVOICE = frozenset({
    "invoice_number", "issued_on", "due_on", "amount", "original_charges", "service_type", "subscription_number",
    "disputed", "status",
})  # fmt: skip
_PAYMENT = frozenset({"payment_number", "received_on", "amount", "method", "invoice_number", "reference", "payer"})
_TAKEN_BACK = frozenset({"reversal", "reason"})
"""What a reversal says besides its payment, day and amount."""
_CREDIT = frozenset({"credit_number", "issued_on", "amount", "invoice_number"})

FIELDS: Mapping[Kind, frozenset[str]] = {
    Kind.CUSTOMERS: _ANY | CUSTOMER_FIELDS,
    Kind.INVOICES: _ANY | _INVOICE | CUSTOMER_FIELDS,
    Kind.PAYMENTS: _ANY | _PAYMENT | _TAKEN_BACK,
    Kind.CREDITS: _ANY | _CREDIT,
    Kind.REVERSALS: _ANY | _TAKEN_BACK | {"payment_number", "reversed_on", "amount", "invoice_number", "payer"},
    Kind.INVOICES_WITH_SETTLEMENT: _ANY | _INVOICE | CUSTOMER_FIELDS | {"settled_on"},
}
REQUIRED: Mapping[Kind, tuple[str, ...]] = {
    Kind.CUSTOMERS: ("account_number",),
    Kind.INVOICES: ("account_number", "invoice_number", "issued_on", "amount", "currency"),
    Kind.PAYMENTS: ("account_number", "received_on", "amount", "currency"),
    Kind.CREDITS: ("account_number", "credit_number", "issued_on", "amount", "currency"),
    Kind.REVERSALS: ("account_number", "payment_number", "reversed_on", "reversal"),
    Kind.INVOICES_WITH_SETTLEMENT: (
        "account_number", "invoice_number", "issued_on", "amount", "currency", "settled_on",
    ),
}  # fmt: skip
_COLUMN_ONLY = frozenset({
    "account_number", "invoice_number", "issued_on", "amount", "settled_on", "received_on", "credit_number",
    "payment_number", "reversed_on", "payer",
})  # fmt: skip
"""What differs from row to row: a default for it would make many facts one."""

NUMBERS = frozenset({
    "account_number", "customer_number", "invoice_number", "payment_number", "credit_number", "subscription_number",
    "payer",
})  # fmt: skip
"""What is called a number and only identifies: nothing is reckoned with it, and its zeros count."""
PADDED = NUMBERS | {"postal_code"}
_SHOWN = PADDED | {"office", "reference"}
"""Of these a workbook's number is meant as the sheet shows it."""


def column_key(name: str) -> str:
    """Two column names are the same when this is: case and surrounding or repeated space do not count."""
    return " ".join(name.split()).casefold()


def _encoding(name: str) -> str:
    try:
        codec = codecs.lookup(name)
        "".encode(codec.name)
    except LookupError:
        raise ValueError("expected a text encoding such as 'utf-8', 'cp1252', 'latin-1' or 'utf-16'") from None
    return "utf-8-sig" if codec.name == "utf-8" else codec.name


Column = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
DateFormat = Annotated[str, AfterValidator(checked_date_format)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class PhoneColumns(_Part):
    """Where one of a customer's numbers stands."""

    number: Column
    type: Column | None = None
    sms_consent: Column | None = None
    voice_consent: Column | None = None
    default_type: Literal["mobile", "home", "work", "other"] = "other"
    default_consent: Literal["unknown", "given", "refused"] = "unknown"
    optional: bool = False


class EmailColumns(_Part):
    """Where one of a customer's e-mail addresses stands."""

    address: Column
    consent: Column | None = None
    default_consent: Literal["unknown", "given", "refused"] = "unknown"
    optional: bool = False


class SubscriptionColumns(_Part):
    """Where one of a customer's subscriptions stands."""

    number: Column
    service_type: Column | None = None
    started_on: Column | None = None
    initial_discount: Column | None = None
    ends_on: Column | None = None
    services_agreed: Column | None = None
    services_done: Column | None = None
    cancelled_on: Column | None = None
    optional: bool = False


class Numbering(_Part):
    """How the ledger numbers its documents and subscriptions."""

    scope: Scope = Scope.PER_OFFICE


class Profile(_Part):
    """A mapping profile; the documentation of every key is in docs/import.md."""

    name: str = Field(exclude=True)
    description: str = ""
    kind: Kind
    source: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] | None = None
    complete: Complete | None = None
    encoding: Annotated[str, AfterValidator(_encoding)] = "utf-8-sig"
    delimiter: Literal["auto", ",", ";", "\t", "|"] = "auto"
    header_line: int = Field(1, ge=1, le=1000)
    sheet: str | Annotated[int, Field(ge=1)] = 1
    dates: tuple[DateFormat, ...] = ()
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'", ""] = ","
    grouping: Literal["thousands", "indian"] = "thousands"
    currency_signs: tuple[Column, ...] = ()
    numbers: Literal["as-is", "strip-decimal"] = "as-is"
    negative: Literal["refused", "reversals"] = "refused"
    numbering: Numbering = Numbering()
    pad: dict[str, Annotated[int, Field(ge=2, le=100, strict=True)]] = {}
    columns: dict[str, Column]
    defaults: dict[str, Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]] = {}
    values: dict[str, dict[str, str]] = {}
    optional_columns: tuple[str, ...] = ()
    information: dict[str, Column] = {}
    customer_information: dict[str, Column] = {}
    phones: tuple[PhoneColumns, ...] = Field((), max_length=20)
    emails: tuple[EmailColumns, ...] = Field((), max_length=20)
    subscriptions: tuple[SubscriptionColumns, ...] = Field((), max_length=50)

    @model_validator(mode="before")
    @classmethod
    def _same_thousands(cls, data: Any) -> Any:
        """A decimal comma alone means that the point groups."""
        if isinstance(data, dict) and data.get("decimal") == "," and "thousands" not in data:
            return {**data, "thousands": "."}
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        known = FIELDS[self.kind]
        for key, names in (
            ("columns", self.columns),
            ("defaults", self.defaults),
            ("values", self.values),
            ("optional_columns", self.optional_columns),
        ):
            for name in names:
                if name not in known:
                    raise _KeyProblem(f"{key}.{name}", f"no field of {self.kind}{_did_you_mean(name, known)}")
        padded = (PADDED & known) | ({"subscription_number"} if self.subscriptions else set())
        for name in self.pad:
            if name not in padded:
                raise _KeyProblem(f"pad.{name}", f"no number of {self.kind}{_did_you_mean(name, padded)}")
        for name in REQUIRED[self.kind]:
            if name not in self.columns and name not in self.defaults:
                where = "columns" if name in _COLUMN_ONLY else "columns or defaults"
                raise _KeyProblem(f"columns.{name}", f"missing; {self.kind} need it in {where}")
        for name in self.defaults:
            if name in _COLUMN_ONLY:
                raise _KeyProblem(f"defaults.{name}", "cannot have a default: it differs from row to row")
        self._check_negative()
        self._check_complete()
        currency = self.defaults.get("currency", "USD").upper()
        if currency not in CURRENCIES:
            raise _KeyProblem("defaults.currency", f"{currency!r} is no ISO 4217 currency; expected such as 'USD'")
        if self.decimal == self.thousands:
            raise _KeyProblem("thousands", f"expected another mark than decimal = {self.decimal!r}")
        if not self.carries_customer and (self.phones or self.emails or self.subscriptions):
            raise _KeyProblem("phones, emails, subscriptions", f"{self.kind} rows carry no customer")
        if self.customer_information and not self.carries_customer:
            raise _KeyProblem("customer_information", f"{self.kind} rows carry no customer")
        return self

    def _check_negative(self) -> None:
        """Payments below zero are reversals only where it is known of what payment, and what kind they are."""
        mapped = self.columns.keys() | self.defaults.keys()
        if self.negative == "reversals":
            if self.kind is not Kind.PAYMENTS:
                raise _KeyProblem("negative", "'reversals' is for kind = \"payments\"")
            for name in ("payment_number", "reversal"):
                if name not in mapped:
                    where = "columns" if name in _COLUMN_ONLY else "columns or defaults"
                    raise _KeyProblem(f"columns.{name}", f'missing; negative = "reversals" needs it in {where}')
        elif self.kind is Kind.PAYMENTS and (unused := sorted(_TAKEN_BACK & mapped)):
            raise _KeyProblem(f"columns.{unused[0]}", 'is of reversals; expected negative = "reversals" with it')

    def _check_complete(self) -> None:
        if self.complete is not None and self.kind is Kind.CUSTOMERS:
            raise _KeyProblem("complete", "a customer is never taken back; expected another kind")
        if self.complete is Complete.SETTLED and self.said_in != Kind.INVOICES:
            raise _KeyProblem("complete", f"'settled' is for invoices; expected 'withdrawn' for {self.kind}")

    @property
    def said_in(self) -> str:
        """What kind of file it reads, whether or not its invoices have a day of settlement."""
        return Kind.INVOICES.value if self.kind is Kind.INVOICES_WITH_SETTLEMENT else self.kind.value

    @property
    def carries_customer(self) -> bool:
        """Whether rows say something about the customer besides the account number."""
        return "name" in FIELDS[self.kind]

    @property
    def says_customer(self) -> bool:
        """Whether this profile maps anything about the customer."""
        mapped = (self.columns.keys() | self.defaults.keys()) & CUSTOMER_FIELDS
        return bool(mapped or self.customer_information or self.phones or self.emails)

    def mapped_columns(self) -> Iterator[tuple[str, str, bool]]:
        """(key in the profile, the file's column, whether the file may lack it) of everything mapped."""
        for field, column in self.columns.items():
            yield f"columns.{field}", column, field in self.optional_columns
        for table in ("information", "customer_information"):
            for name, column in getattr(self, table).items():
                yield f"{table}.{name}", column, False
        for table in ("phones", "emails", "subscriptions"):
            for group in getattr(self, table):
                for key, column in group.model_dump().items():
                    if column and key != "optional" and not key.startswith("default_"):
                        yield f"{table}.{key}", column, group.optional

    def shown_columns(self) -> frozenset[str]:
        """By `column_key`, the columns of what only identifies: of them a workbook's number is read as it is shown."""
        columns = [column for field, column in self.columns.items() if field in _SHOWN]
        columns += [*self.information.values(), *self.customer_information.values()]
        columns += [phone.number for phone in self.phones]
        columns += [subscription.number for subscription in self.subscriptions]
        return frozenset(column_key(column) for column in columns)

    def numbers_reader(self) -> Numbers:
        return Numbers(
            decimal=self.decimal,
            thousands=self.thousands,
            signs=self.currency_signs,
            grouping=self.grouping,
            are_stated=bool({"decimal", "thousands"} & self.model_fields_set),
        )


class _KeyProblem(ValueError):
    """What is wrong with one key, found by a check over several."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(f"{key}: {what}")


def _did_you_mean(name: str, known: frozenset[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; expected one of {', '.join(sorted(known))}"


def shipped_profiles() -> list[str]:
    """The names of the profiles that come with the product."""
    return sorted(entry.name.removesuffix(".toml") for entry in SHIPPED.iterdir() if entry.name.endswith(".toml"))


def load_profile(name_or_path: str | Path) -> Profile:
    """A shipped profile by its name, or any other by its path. Raises `ProfileError`."""
    text = str(name_or_path)
    if text in shipped_profiles():
        return parse_profile((SHIPPED / f"{text}.toml").read_text("utf-8"), f"{text}.toml", name=text)
    path = Path(name_or_path)
    if not path.is_file():
        raise ProfileError(
            f"{text}: there is no such profile; expected a path to a TOML file, or one of "
            + ", ".join(shipped_profiles())
        )
    try:
        return parse_profile(path.read_text("utf-8-sig"), path.name, name=path.stem)
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path.name}: byte {error.start + 1} is not UTF-8; expected a TOML file in UTF-8") from None
    except OSError as error:
        raise ProfileError(f"{path.name}: cannot be read: {error.strerror}") from None


def parse_profile(toml: str, file: str = "profile", *, name: str = "profile") -> Profile:
    """A profile from the text of its TOML file; `file` is what errors call it."""
    try:
        data = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{file}: not a TOML file: {error}") from None
    if "name" in data:
        raise ProfileError(f"{file}: name: unknown key; the file's name is the profile's name")
    try:
        return Profile.model_validate({**data, "name": name})
    except ValidationError as error:
        raise ProfileError("\n".join(f"{file}: {_line(problem)}" for problem in error.errors())) from None


def _line(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, _KeyProblem):
        return f"{key}.{cause}" if key else str(cause)
    if problem["type"] == "extra_forbidden":
        known = frozenset(Profile.model_fields) - {"name"} if "." not in key else frozenset[str]()
        return f"{key}: unknown key{_did_you_mean(key, known) if known else ''}"
    if problem["type"] == "missing":
        expected = f"; expected one of {', '.join(Kind)}" if key == "kind" else ""
        return f"{key}: missing{expected}"
    if isinstance(cause, ValueError):
        return f"{key}: {cause}"
    return f"{key}: {problem['msg'][:1].lower()}{problem['msg'][1:]}, not {problem['input']!r}"
