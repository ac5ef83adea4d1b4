"""Outside agencies of an office: what their files look like, how these reach them, and on which terms they collect."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from aggregates.kernel.value import LATER, Value
from aggregates.values.codes import Code
from aggregates.values.patterns import pattern

# --- columns -----------------------------------------------------------------------------------------

COLUMNS: tuple[str, ...] = (
    "record", "placement_id", "client_number", "account_number", "customer_number", "debtor_type",
    "name", "first_name", "middle_name", "last_name", "suffix",
    "address1", "address2", "city", "state", "postal", "country",
    "phone1", "phone1_type", "phone1_consent", "phone2", "phone2_type", "phone2_consent",
    "phone3", "phone3_type", "phone3_consent", "email", "email_consent",
    "date_of_birth", "tax_id_last4", "language",
    "original_creditor", "current_creditor", "debt_type", "currency",
    "open_date", "last_transaction_date", "delinquency_date", "charge_off_date",
    "last_payment_date", "last_payment_amount",
    "itemization_date_type", "itemization_date", "itemization_amount",
    "interest_since", "fees_since", "payments_since", "credits_since",
    "current_balance", "interest_rate", "days_past_due",
    "dispute", "cease", "attorney", "bankruptcy", "deceased", "flags", "placed_on", "notes",
    "invoice_number", "invoice_date", "invoice_due_date", "invoice_amount", "invoice_balance", "invoice_kind",
)  # fmt: skip
"""What a column of a placement file may hold. Those of invoices are filled in the rows below an account."""

OF_INVOICES = frozenset(each for each in COLUMNS if each.startswith("invoice_"))
"""Only in rows of invoices; `record`, `placement_id`, `client_number` and `account_number` are in those too."""

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class LayoutColumn(Value):
    """A column of a placement file: its heading, and what stands in it; with neither field nor text it stays empty."""

    title: Title
    field: str | None = None
    """One of `COLUMNS`."""
    text: str | None = Field(None, max_length=100)
    """The same in every row, instead of a field."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.field is not None and self.field not in COLUMNS:
            raise ValueError(f"field: {self.field!r} is none; expected one of {', '.join(COLUMNS)}")
        if self.field is not None and self.text is not None:
            raise ValueError("text: expected none beside a field")
        return self


class Layout(Value):
    """What a placement file looks like."""

    name: Code
    columns: tuple[LayoutColumn, ...] = Field(min_length=1, max_length=100)
    invoices: bool = False
    """Whether each account is followed by a row for each of its open invoices."""
    header: bool = True
    trailer: bool = False
    """Whether the last row has the number of accounts and their total."""
    date_format: str = Field(
        "%Y-%m-%d",
        max_length=20,
        pattern=pattern(
            r"^(%[YmdjybB]|[-/. ]){1,20}$",
            "%Y, %y, %m, %b, %B, %d or %j, with dashes, slashes, dots or spaces between them, such as %Y-%m-%d",
        ),
    )

    @model_validator(mode="after")
    def _once(self) -> Self:
        titles = [each.title for each in self.columns]
        if len(set(titles)) < len(titles):
            raise ValueError("columns: expected each title once")
        if not any(each.field == "account_number" for each in self.columns):
            raise ValueError("columns: expected one with the field account_number, by which answers are recognised")
        return self


# --- agencies ----------------------------------------------------------------------------------------


MOST_OF_KEY = 50_000


class FileFormat(StrEnum):
    """How the rows of placement files are written."""

    CSV = "csv"
    TSV = "tsv"


class AgencyChannel(StrEnum):
    """How placement files reach an agency."""

    FOLDER = "folder"
    SFTP = "sftp"
    HTTPS = "https"


class Agency(Value):
    """An outside agency of an office. Addresses and secrets of its channel are settings of the process that sends."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    layout: Code = "full"
    """One that Arrears has; or the name of its own."""
    own_layout: Annotated[Layout | None, LATER] = None
    format: FileFormat = FileFormat.CSV
    channel: AgencyChannel = AgencyChannel.FOLDER
    client_number: Annotated[str | None, LATER] = Field(None, max_length=40)
    """What the agency knows this office as."""
    commission_bp: int = Field(0, ge=0, le=10_000)
    """Hundredths of a percent of what it collects, where its own file does not say the commission."""
    recall_after_days: Annotated[int | None, LATER] = Field(None, ge=1, le=3_650)
    """A placement is recalled so many days after it was made; None: by a person alone."""
    acknowledged_within: int = Field(3, ge=1, le=30)
    """Business days after a file, in which the agency says what it received."""
    public_key: Annotated[str | None, LATER] = Field(None, max_length=MOST_OF_KEY)
    """The agency's OpenPGP public key, as ASCII text: its files are encrypted with that before they leave. Said of an
    agency, nothing leaves the key as it is, and an empty text takes it away."""
    retired: bool = False
    """Nothing more is placed with it; what is there stays."""

    @model_validator(mode="after")
    def _its_own_layout(self) -> Self:
        if self.own_layout is not None and self.own_layout.name != self.layout:
            raise ValueError("layout: expected the name of its own layout")
        return self
