"""Taking back what files said before: as what the fact is, it never was. And what a corrected row no longer says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql

from adapters.billing.facts import CreditFact, InvoiceFact
from adapters.billing.identity import AccountNumber, folded, number_in
from adapters.billing.imported import ImportedFacts, in_form
from adapters.billing.profile import Kind
from adapters.billing.staged import Origin, Staged
from adapters.billing.staging import Staging
from adapters.eventstore.application import Arrears
from aggregates.account.billing import WithdrawInvoice
from aggregates.account.payments import ReversalKind, ReversePayment, WithdrawCredit, WithdrawReversal
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued, Outcome, Rejected, identifier
from aggregates.office import Office, office_id
from aggregates.values.money import Money

LEFT_SHOWN = 20
MOST_PERCENT = 10
"""Of what is known that may be absent without somebody insisting."""
ALREADY = frozenset({"invoice-withdrawn", "credit-reversed", "payment-reversed", "nothing-went-back"})
"""What a command is refused for where somebody took it back before; then it is as the file says."""

RANK_OF_MONEY = 4
RANKS = {"reversal": 5, "credit": 3, "invoice": 2, "instalment": 2}
"""What is taken back of an account goes by the rank of its kind, the highest first: what goes back of money before the
money (every kind that is not named), and money before what it pays."""
RANK = sql.SQL("CASE split_part(natural_key, ':', 1) {ranks} ELSE {money} END").format(
    ranks=sql.SQL(" ").join(sql.SQL("WHEN {} THEN {}").format(kind, rank) for kind, rank in RANKS.items()),
    money=RANK_OF_MONEY,
)

STANDING = sql.SQL("""
       office, office_code, natural_key, folded_key, account_number, account_id, revision, said_on, minor, currency,
       due_on, payment_number, source, said_in, other_currency
""")
"""The columns of a `Standing`."""
_BY_KEY = """
SELECT {columns}
  FROM unnest(%s::text[], %s::text[]) AS wanted (code, key)
 CROSS JOIN LATERAL (SELECT * FROM {facts}
        WHERE office_code = wanted.code AND folded_key = wanted.key AND NOT withdrawn OFFSET 0) AS known
"""
_HAS_CREDITS = """
SELECT EXISTS (SELECT FROM {facts} WHERE source = %s AND said_in = 'invoices' AND NOT withdrawn
                  AND starts_with(natural_key, 'credit:'))
"""
_WITHDRAW = """
UPDATE arrears.import_facts AS known
   SET withdrawn = true
  FROM unnest(%s::text[], %s::text[], %s::integer[]) AS gone (office, natural_key, revision)
 WHERE (known.office, known.natural_key, known.revision) = (gone.office, gone.natural_key, gone.revision)
"""


class Standing(NamedTuple):
    """A fact that was brought in and that nobody took back, as it is remembered."""

    office: str
    office_code: str
    natural_key: str
    folded_key: str
    account_number: str
    account_id: UUID | None
    """That it is recorded on; None, and no source, where an earlier release imported it."""
    revision: int
    said_on: date | None
    minor: int | None
    currency: str | None
    due_on: date | None
    payment_number: bytes | None
    source: str | None
    said_in: str | None
    other_currency: str | None

    @property
    def account(self) -> AccountNumber:
        return AccountNumber(self.account_number, self.other_currency)

    @property
    def kind(self) -> str:
        """As its key has it: `invoice`, `instalment`, `settlement`, …"""
        return self.natural_key.partition(":")[0]

    @property
    def number(self) -> str:
        return number_in(self.natural_key)

    @property
    def invoice(self) -> tuple[str, date | None]:
        """Of an invoice, or of a further instalment, the invoice's number and the instalment's day."""
        if self.kind != "instalment":
            return self.number, None
        number, _, due = self.number.rpartition("/")
        return number, date.fromisoformat(due)

    @property
    def shown_number(self) -> str:
        """What to call it: the number, or, without one, how it is known."""
        part = f":{self.said_on}:{self.minor}"
        return self.number.removesuffix(part) if self.kind == "reversal" and self.minor is not None else self.number

    @property
    def amount(self) -> Money | None:
        return None if self.minor is None or self.currency is None else Money(self.minor, self.currency)

    @property
    def has_own_number(self) -> bool:
        """Whether its number is its account's, not the office's."""
        return "\t" in self.natural_key

    def is_of(self, origin: Origin) -> bool:
        return (self.source, self.said_in) == (origin.source, origin.said_in)


@dataclass(slots=True)
class Absent:
    """What a complete file does not have, and what became of it."""

    is_settled: bool
    """What is absent was paid; else it never was."""
    count: int = 0
    sums: dict[str, Money] = field(default_factory=dict)
    """By currency, the amounts: of what is to be settled, what is open of it."""
    rows: list[Standing] = field(default_factory=list)
    """The first few."""
    token: str | None = None
    """With which it is taken back; None where nothing is absent."""
    too_many: str | None = None
    """Where so much is absent that somebody has to insist: how much of what."""
    rows_refused: int = 0
    """Rows of the file that are, so that somebody has to insist."""
    refusal: str | None = None
    """Why nothing was taken back although somebody asked for it."""
    taken_back: int = 0
    left: int = 0
    """How many of the confirmed ones were not taken back."""
    left_rows: list[str] = field(default_factory=list)
    """The first few, each with why."""

    @property
    def doubts(self) -> list[str]:
        """Why somebody has to insist."""
        doubts = [f"more than {MOST_PERCENT} % of what is known is absent: {self.too_many}"] if self.too_many else []
        rows = "1 row" if self.rows_refused == 1 else f"{self.rows_refused:,} rows"
        return doubts + ([f"{rows} of the file are refused"] if self.rows_refused else [])

    def leave(self, known: Standing, why: str) -> None:
        self.left += 1
        if len(self.left_rows) < LEFT_SHOWN:
            self.left_rows.append(f"{known.kind} {known.number} of account {known.account.name}: {why}")


class TakingBack:
    """Takes facts back through the one write path."""

    def __init__(self, arrears: Arrears, imported: ImportedFacts, actor: Actor, *, stores: bool) -> None:
        """`stores`: what was taken back is remembered."""
        self._arrears = arrears
        self._imported = imported
        self._actor = actor
        self._stores = stores

    def today(self, office_code: str) -> date:
        """The office's."""
        zone = self._arrears.load(Office, office_id(office_code)).zone
        return self._arrears.clock.now().astimezone(zone).date()

    def take_back(self, some: Sequence[Standing], reason: str) -> list[Outcome]:
        """What came of each. Those that were accepted are not remembered yet: see `forget`."""
        ways = self._ways(some)
        outcomes: list[Outcome] = [Accepted() for _ in some]
        left = [place for place, commands in enumerate(ways) if commands]
        for turn in range(max(map(len, ways), default=0)):
            found = self._arrears.handle([
                self._issued(some[place], ways[place][turn], turn, reason) for place in left
            ])  # fmt: skip
            for place, outcome in zip(left, found, strict=True):
                outcomes[place] = outcome
            left = [
                place
                for place, outcome in zip(left, found, strict=True)
                if isinstance(outcome, Rejected) and turn + 1 < len(ways[place])
            ]
        return [Accepted() if isinstance(each, Rejected) and each.reason_code in ALREADY else each for each in outcomes]

    def forget(self, gone: Sequence[Standing], connection: psycopg.Connection) -> None:
        """Remember that these were taken back."""
        if gone and self._stores:
            with connection.transaction():
                columns = [list(c) for c in zip(*((s.office, s.natural_key, s.revision) for s in gone), strict=True)]
                connection.execute(_WITHDRAW, columns)

    def _ways(self, some: Sequence[Standing]) -> list[list[Command]]:
        """For each the commands that may take it back, the most exact one first; none where there is nothing to do."""
        invoices = [(each.office_code, each.folded_key) for each in some if each.kind == "invoice"]
        further = self._imported.further_instalments(invoices) if invoices else {}
        todays = {code: self.today(code) for code in {each.office_code for each in some}}
        return [
            self._commands(
                each, todays[each.office_code], is_plan=bool(further.get((each.office_code, each.folded_key)))
            )
            for each in some
        ]

    def _commands(self, known: Standing, today: date, *, is_plan: bool) -> list[Command]:
        account, number = known.account_id, known.number
        if account is None:
            raise ValueError(f"{known.natural_key} is of an earlier release, and of no source")
        match known.kind:
            case "invoice" if is_plan and known.due_on is not None:
                return [WithdrawInvoice(account_id=account, number=f"{number}/{known.due_on}")]
            case "invoice" | "instalment":
                return [WithdrawInvoice(account_id=account, number=number)]
            case "credit":
                return [WithdrawCredit(account_id=account, number=number)]
            case "reversal":
                number, amount = known.shown_number, known.amount
                exact = WithdrawReversal(account_id=account, number=number, reversed_on=known.said_on, amount=amount)
                # A payment recorded in error went back on the day it came, whichever day the file says.
                return [exact, WithdrawReversal(account_id=account, number=number, amount=amount)]
            case "settlement" | "settled-instalment" if not known.minor:
                return []
            case "settlement" | "settled-instalment":
                number = f"settlement:{number}"
            case "unnumbered-payment":
                sealed = known.payment_number
                number = self._imported.digests.opened(sealed) if sealed else known.natural_key
        return [ReversePayment(account_id=account, number=number, reversal=ReversalKind.ERROR, reversed_on=today)]

    def _issued(self, known: Standing, command: Command, turn: int, reason: str) -> Issued:
        return Issued(
            command=command,
            command_id=identifier("import", "take-back", known.office, known.natural_key, known.revision, turn),
            actor=self._actor,
            reason=reason,
            keeps_refusal=False,
        )


class NoLongerSaid:
    """What rows of invoices say no more that rows of the same source said before: that one is settled, or that it is a
    credit, or an invoice."""

    def __init__(self, connection: psycopg.Connection, staging: Staging, imported: ImportedFacts) -> None:
        self._connection = connection
        self._staging = staging
        self._imported = imported
        self._has_credits: bool | None = None

    def of(self, chunk: Sequence[Staged]) -> tuple[list[tuple[Staged, Standing]], list[tuple[Staged, Standing]]]:
        """What rows of the chunk say no more, each with a row that says so; and the settlements that somebody else
        said, which stay."""
        origin = self._imported.origin
        if origin is None or origin.said_in != Kind.INVOICES:
            return [], []
        asked: dict[tuple[str, str], tuple[Staged, str]] = {}
        for staged, key in self._others(chunk, origin):
            for form in self._imported.forms(staged, key, folded(key)):
                asked.setdefault(form, (staged, key))
        if not asked:
            return [], []
        found = []
        for known in self._standing(asked):
            staged, key = asked[known.office_code, known.folded_key]
            is_settlement = known.kind in {"settlement", "settled-instalment"}
            is_of_office = not is_settlement and not known.has_own_number and "\t" not in staged.natural_key
            if known.account == staged.account or is_of_office:
                found.append((staged, known, (staged.office_code, folded(key)), is_settlement))
        said = self._staging.says({key for _, _, key, _ in found}) if found else set()
        gone = [(staged, known) for staged, known, key, _ in found if key not in said and known.is_of(origin)]
        kept = [
            (staged, known)
            for staged, known, key, is_settlement in found
            if key not in said and is_settlement and not known.is_of(origin) and known.minor != 0
        ]
        gone.sort(key=lambda each: RANKS.get(each[1].kind, RANK_OF_MONEY), reverse=True)
        return gone, kept

    def _others(self, chunk: Sequence[Staged], origin: Origin) -> Iterable[tuple[Staged, str]]:
        """The keys of what each row may have said before and does not say itself."""
        notes = [staged for staged in chunk if isinstance(staged.fact, CreditFact)]
        invoices = {staged.key: in_form(staged, f"invoice:{staged.fact.number}") for staged in notes}
        forms = {
            staged.key: self._imported.forms(staged, invoices[staged.key], folded(invoices[staged.key]))
            for staged in notes
        }
        further = self._imported.further_instalments(f for of in forms.values() for f in of) if notes else {}
        for staged in chunk:
            match staged.fact:
                case InvoiceFact() as invoice:
                    if self._there_are_credits(origin):
                        yield staged, in_form(staged, f"credit:{invoice.invoice_number}")
                    if staged.is_open:
                        settled = "settlement" if invoice.instalment is None else "settled-instalment"
                        yield staged, in_form(staged, f"{settled}:{invoice.number}")
                case CreditFact() as credit:
                    yield staged, invoices[staged.key]
                    yield staged, in_form(staged, f"settlement:{credit.number}")
                    for day in sorted({day for form in forms[staged.key] for day in further.get(form, ())}):
                        yield staged, in_form(staged, f"instalment:{credit.number}/{day}")
                        yield staged, in_form(staged, f"settled-instalment:{credit.number}/{day}")

    def _there_are_credits(self, origin: Origin) -> bool:
        if self._has_credits is None:
            with self._connection.transaction():
                query = sql.SQL(_HAS_CREDITS).format(facts=self._imported.table)
                row = self._connection.execute(query, [origin.source]).fetchone()
            self._has_credits = bool(row and row[0])
        return self._has_credits

    def _standing(self, keys: Iterable[tuple[str, str]]) -> list[Standing]:
        columns = [list(column) for column in zip(*keys, strict=True)]
        with self._connection.transaction():
            query = sql.SQL(_BY_KEY).format(columns=STANDING, facts=self._imported.table)
            return [Standing(*row) for row in self._connection.execute(query, columns)]
