"""What happens to the accounts of the sample portfolio: a story each, told as commands on their days."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from aggregates.account.activities import ActivityKind, Direction, RecordActivity
from aggregates.account.billing import BillInvoice
from aggregates.account.command import account_id
from aggregates.account.contact import OptOutOfContact
from aggregates.account.customer import CustomerKind, OpenAccount
from aggregates.account.disputes import OpenDispute, ResolveDispute
from aggregates.account.exclusion import ExcludeAccount
from aggregates.account.flags import SetFlag
from aggregates.account.holds import PlaceHold
from aggregates.account.payments import NoteCredit, ReceivePayment, ReversePayment
from aggregates.account.receivables import ReversalKind
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, identifier
from aggregates.office import office_id
from aggregates.promise import Instalment, MakePromise
from aggregates.values.contact import Channel
from aggregates.values.money import Money
from api.sample.customers import Customer, customer, number, pick

OFFICE = office_id("main")
CURRENCY = "USD"
ACCOUNTS = 180
DAYS = 200
"""How many days are lived through, today included."""

_BILLING, _BANK, _INBOX = "service:billing", "service:bank", "service:inbox"
_PEOPLE = ("person:dana.whitfield", "person:ruben.sorel", "person:mei.tanaka")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice of a story."""

    number: str
    issued_on: date
    due_on: date
    amount: Money


@dataclass(slots=True)
class Story:
    """One account's commands by day. What would lie after today is left untold, what lies before the first day is
    told on it."""

    customer: Customer
    today: date
    small: bool = False
    commands: list[tuple[date, Issued]] = field(default_factory=list)

    @property
    def place(self) -> int:
        return self.customer.place

    @property
    def account(self) -> UUID:
        return account_id(OFFICE, self.customer.account)

    @property
    def first_day(self) -> date:
        return self.today - (DAYS - 1) * _DAY

    @property
    def clerk(self) -> str:
        return pick(_PEOPLE, "clerk", self.place)

    def say(self, day: date, command: Command, actor: str, reason: str | None = None) -> UUID:
        """Returns the command's id."""
        command_id = identifier("sample", self.customer.account, day - self.today, len(self.commands))
        if day <= self.today:
            issued = Issued(command=command, command_id=command_id, actor=Actor.parse(actor), reason=reason)
            self.commands.append((max(day, self.first_day), issued))
        return command_id

    def open(self) -> None:
        who = self.customer
        command = OpenAccount(
            office_id=OFFICE,
            number=who.account,
            customer_name=who.name,
            currency=CURRENCY,
            customer_kind=who.kind,
            segment=who.segment,
            country="US",
            contact=who.contact,
        )
        self.say(self.first_day, command, _BILLING)

    def bill(self, nth: int, issued_on: date, terms: int, *, known_on: date | None = None) -> Invoice:
        amount = Money(self._amount(nth), CURRENCY)
        discount = Money(amount.minor // 20 if self.place % 5 == 0 else 0, CURRENCY)
        invoice = Invoice(f"{self.customer.account}-{nth:02}", issued_on, issued_on + terms * _DAY, amount)
        command = BillInvoice(
            account_id=self.account,
            number=invoice.number,
            issued_on=invoice.issued_on,
            due_on=invoice.due_on,
            amount=amount,
            charges=amount + discount,
            service_type=pick(("water", "energy", "waste"), "service", self.place),
        )
        self.say(known_on or issued_on, command, _BILLING)
        return invoice

    def _amount(self, nth: int) -> int:
        if self.small:
            return number(600, 1_100, "amount", self.place, nth)
        if self.customer.kind is CustomerKind.COMMERCIAL:
            return number(42_000, 780_000, "amount", self.place, nth)
        return number(3_800, 29_500, "amount", self.place, nth)

    def pay(self, day: date, invoice: Invoice, *, percent: int = 100) -> str:
        """Returns the payment's number."""
        payment = ReceivePayment(
            account_id=self.account,
            number=f"P-{invoice.number}-{percent}",
            amount=invoice.amount.share(percent, 100),
            received_on=day,
            method=pick(("transfer", "card", "check"), "method", self.place),
            invoice_number=invoice.number,
        )
        self.say(day, payment, _BANK)
        return payment.number

    def call(self, day: date, disposition: str, notes: str, *, follow_up: int | None = None) -> None:
        """`follow_up` is in days from the call."""
        call = RecordActivity(
            account_id=self.account,
            kind=ActivityKind.CALL,
            direction=Direction.OUTBOUND,
            disposition=disposition,
            notes=notes,
            assignee=self.clerk.partition(":")[2],
            follow_up_on=day + follow_up * _DAY if follow_up else None,
        )
        self.say(day, call, self.clerk)

    def promise(self, day: date, amount: Money, *due_after: int) -> None:
        """In equal parts on these days from `day`; the last part takes what rounding left."""
        part = amount.share(1, len(due_after))
        last = amount - Money(part.minor * (len(due_after) - 1), CURRENCY)
        instalments = [Instalment(due_on=day + after * _DAY, amount=part) for after in due_after[:-1]]
        instalments.append(Instalment(due_on=day + due_after[-1] * _DAY, amount=last))
        self.call(day, "spoke-to-customer", "Explained what is open; the customer will pay.")
        promise = MakePromise(
            promise_id=identifier("sample promise", self.customer.account, self.today - day),
            account_id=self.account,
            instalments=tuple(instalments),
            assignee=self.clerk.partition(":")[2],
            notes="Promised on the phone.",
        )
        self.say(day, promise, self.clerk)


# --- the stories -------------------------------------------------------------------------------------

Teller = Callable[[Story, Sequence[Invoice]], None]


def prompt(story: Story, invoices: Sequence[Invoice]) -> None:
    """Pays on time."""
    for nth, invoice in enumerate(invoices):
        story.pay(invoice.due_on - number(0, 6, "early", story.place, nth) * _DAY, invoice)


def slow(story: Story, invoices: Sequence[Invoice]) -> None:
    """Pays everything, one to five weeks late."""
    for nth, invoice in enumerate(invoices):
        story.pay(invoice.due_on + number(7, 36, "late", story.place, nth) * _DAY, invoice)


def partial(story: Story, invoices: Sequence[Invoice]) -> None:
    """Pays half after the first reminder, and the other half of every second invoice much later."""
    for nth, invoice in enumerate(invoices):
        half = invoice.due_on + number(9, 30, "half", story.place, nth) * _DAY
        story.pay(half, invoice, percent=50)
        if nth % 2 == 0:
            story.pay(half + 45 * _DAY, invoice, percent=50 if invoice.amount.minor % 2 == 0 else 49)


def silent(story: Story, invoices: Sequence[Invoice]) -> None:
    """Paid once, then never again, and does not pick up the phone."""
    stopped = number(0, 4, "stopped", story.place)
    prompt(story, invoices[:stopped])
    old = number(60, 190, "old", story.place)
    if story.place % 2 == 0:
        story.bill(90, story.first_day - old * _DAY, 30, known_on=story.first_day)
    for invoice in invoices[stopped : stopped + 1]:
        story.call(invoice.due_on + 45 * _DAY, "no-answer", "Nobody picked up.", follow_up=7)
        story.call(invoice.due_on + 52 * _DAY, "left-message", "Asked to be called back.", follow_up=14)


def promise_kept(story: Story, invoices: Sequence[Invoice]) -> None:
    """Forgets, promises when called, and pays on the day."""
    for nth, invoice in enumerate(invoices):
        if nth % 2 == 0:
            prompt(story, [invoice])
        else:
            promised = invoice.due_on + 20 * _DAY
            story.promise(promised, invoice.amount, 12)
            story.pay(promised + 12 * _DAY, invoice)


def promise_in_part(story: Story, invoices: Sequence[Invoice]) -> None:
    """Promises two instalments and pays the first."""
    prompt(story, invoices[:-3])
    for invoice in invoices[-3:-2]:
        promised = invoice.due_on + 15 * _DAY
        story.promise(promised, invoice.amount, 10, 30)
        story.pay(promised + 9 * _DAY, invoice, percent=50)
    slow(story, invoices[-2:])


def promise_broken(story: Story, invoices: Sequence[Invoice]) -> None:
    """Promises, and does not pay; then promises again."""
    prompt(story, invoices[:-3])
    for nth, invoice in enumerate(invoices[-3:-1]):
        story.promise(invoice.due_on + (18 + nth) * _DAY, invoice.amount, 10)


def disputed(story: Story, invoices: Sequence[Invoice]) -> None:
    """Disputes the second invoice and is given half; disputes the latest, which nobody has looked into yet."""
    prompt(story, [*invoices[:1], *invoices[2:-1]])
    if len(invoices) > 2:
        second, noticed = invoices[1], invoices[1].due_on + 6 * _DAY
        opened = OpenDispute(
            account_id=story.account,
            invoice_numbers=(second.number,),
            reason_code="meter-reading",
            notes="Wrong meter.",
        )
        dispute = story.say(noticed, opened, story.clerk)
        settled = noticed + 35 * _DAY
        credit = NoteCredit(
            account_id=story.account,
            number=f"C-{second.number}",
            amount=second.amount.share(1, 2),
            issued_on=settled,
            invoice_number=second.number,
        )
        resolved = ResolveDispute(
            account_id=story.account,
            dispute_id=identifier("dispute", story.account, dispute),
            resolution="credited",
        )
        story.say(settled, resolved, story.clerk)
        story.say(settled, credit, story.clerk)
        story.pay(settled + 20 * _DAY, second, percent=50)
    again = OpenDispute(account_id=story.account, invoice_numbers=(invoices[-1].number,), reason_code="not-delivered")
    story.say(max(invoices[-1].issued_on, story.today - 8 * _DAY), again, story.clerk)


def opted_out(story: Story, invoices: Sequence[Invoice]) -> None:
    """Does not pay, and asks not to be texted and mailed any more."""
    prompt(story, invoices[:-3])
    for invoice in invoices[-3:-2]:
        channel = Channel.SMS if story.place % 2 else Channel.EMAIL
        story.say(invoice.due_on + 14 * _DAY, OptOutOfContact(account_id=story.account, channel=channel), _INBOX)


def flagged(story: Story, invoices: Sequence[Invoice]) -> None:
    """Something happened after which nobody may simply go on."""
    prompt(story, invoices[:-4])
    flag = ("bankruptcy", "legal", "deceased", "cease-contact")[story.place % 4]
    for invoice in invoices[-4:-3]:
        story.say(
            invoice.due_on + 22 * _DAY, SetFlag(account_id=story.account, flag=flag), story.clerk, "A letter came."
        )


def held(story: Story, invoices: Sequence[Invoice]) -> None:
    """Asked for time after a move; a second hold is still in force."""
    prompt(story, invoices[:-3])
    for invoice in invoices[-3:-2]:
        day = invoice.due_on + 9 * _DAY
        hold = PlaceHold(account_id=story.account, code="moving", until=day + 30 * _DAY)
        story.say(day, hold, story.clerk, "The customer moved and asks for a month.")
    hold = PlaceHold(account_id=story.account, code="hardship", until=story.today + 20 * _DAY)
    story.say(story.today - 10 * _DAY, hold, story.clerk, "Lost the job; a plan is being worked out.")


def excluded(story: Story, invoices: Sequence[Invoice]) -> None:
    """The owner talks to this customer personally."""
    prompt(story, invoices[:2])
    story.say(
        story.today - 60 * _DAY,
        ExcludeAccount(account_id=story.account),
        story.clerk,
        "The owner handles this personally.",
    )


def bounced(story: Story, invoices: Sequence[Invoice]) -> None:
    """Every other payment comes back from the bank."""
    for nth, invoice in enumerate(invoices):
        day = invoice.due_on + 4 * _DAY
        payment = story.pay(day, invoice)
        if nth % 2:
            reversal = ReversePayment(
                account_id=story.account, number=payment, reversal=ReversalKind.NSF, reversed_on=day + 5 * _DAY
            )
            story.say(day + 5 * _DAY, reversal, _BANK)


def overpaid(story: Story, invoices: Sequence[Invoice]) -> None:
    """Pays too much at the end: there is credit left."""
    prompt(story, invoices[:-1])
    last = invoices[-1]
    story.pay(max(last.issued_on, story.today - 5 * _DAY), last, percent=160)


def small(story: Story, invoices: Sequence[Invoice]) -> None:
    """Owes so little that it is tolerated."""
    prompt(story, invoices[:-2])


def freshly_late(story: Story, invoices: Sequence[Invoice]) -> None:
    """Always on time, but the latest invoice fell due in the last days."""
    prompt(story, invoices)
    terms = 14
    late = 1 + story.place % 3
    story.bill(80, story.today - (terms + late) * _DAY, terms)


SLOTS: tuple[Teller, ...] = (
    *([prompt] * 12),
    *([slow] * 9),
    *([partial] * 6),
    *([silent] * 7),
    *([promise_kept] * 4),
    *([promise_in_part] * 2),
    *([promise_broken] * 3),
    *([disputed] * 3),
    *([opted_out] * 2),
    *([flagged] * 3),
    *([held] * 2),
    *([excluded] * 1),
    *([bounced] * 1),
    *([overpaid] * 2),
    *([small] * 1),
    *([freshly_late] * 2),
)
"""How often each story is told in sixty accounts."""


def story_of(place: int, today: date) -> Story:
    """The story of the account at a place of the portfolio."""
    teller = SLOTS[(7 * place + place // len(SLOTS)) % len(SLOTS)]
    story = Story(customer(place), today, small=teller is small)
    story.open()
    cycle, terms = pick((30, 30, 45), "cycle", place), pick((14, 21, 30), "terms", place)
    first = story.first_day - number(0, 25, "first", place) * _DAY
    days = range(0, (today - first).days + 1, cycle)
    teller(story, [story.bill(nth, first + day * _DAY, terms) for nth, day in enumerate(days, 1)])
    if place % 6 == 0:
        story.bill(99, today + number(3, 20, "future", place) * _DAY, terms, known_on=today)
    if place % 37 == 5:
        story.say(story.first_day, SetFlag(account_id=story.account, flag="vip"), story.clerk, "A good neighbour.")
    return story


def days_of(today: date, accounts: int = ACCOUNTS) -> Iterator[tuple[date, list[Issued]]]:
    """Every day that is lived through, with its commands in order."""
    by_day: dict[date, list[Issued]] = {}
    for place in range(accounts):
        for day, issued in story_of(place, today).commands:
            by_day.setdefault(day, []).append(issued)
    for ago in reversed(range(DAYS)):
        day = today - ago * _DAY
        yield day, by_day.get(day, [])
