"""A fact of a file on its way into the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from adapters.billing.facts import Fact
from adapters.billing.identity import AccountNumber

Key = tuple[str, str]
"""Office, as the file or the import has it, and natural key."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where facts come from: what a file is known as, and of which kind it is."""

    source: str
    said_in: str


@dataclass(frozen=True, slots=True)
class Staged:
    """A fact with the line it stands on. `office` is the file's, or the import's where the file has none; `office_code`
    is the office that it names, however it is written."""

    line: int
    office: str
    office_code: str
    natural_key: str
    folded_key: str
    digest: bytes
    fact: Fact
    other_currency: str | None = None
    """In which its account is, where the office works in another one."""
    payment_number: str | None = None
    """Of a payment without a number in the file, the one that it has in the log."""
    details: Mapping[str, str] | None = None
    """Of such a payment, keyed digests of what is said of it besides account, day and amount."""

    is_open: bool = False
    """Of an invoice: its row says that it is not settled."""

    @property
    def key(self) -> Key:
        return self.office, self.natural_key

    @property
    def account(self) -> AccountNumber:
        """The one that it is about."""
        return AccountNumber(self.fact.account_number, self.other_currency)

    @property
    def effective_on(self) -> date | None:
        return self.fact.effective_on
