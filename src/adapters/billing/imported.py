"""What was imported before: the last revision and digest of every fact, by office and natural key."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Json

from adapters.billing.facts import (
    CreditFact,
    Fact,
    InvoiceFact,
    PaymentFact,
    ReversalFact,
    amount_of,
    invoices_named,
    payer_of,
)
from adapters.billing.identity import (
    AccountNumber,
    Digests,
    folded,
    key_in_form,
    number_in,
    other_key,
    respelled,
    with_account,
    without_account,
)
from adapters.billing.staged import Origin, Staged
from aggregates.account.command import customer_key
from aggregates.office import office_id

STORED = sql.Identifier("arrears", "import_facts")

_KNOWN = """
SELECT office, office_code, natural_key, folded_key, revision, digest, account_number, key_version, payment_number,
       details, due_on, other_currency, withdrawn
  FROM {facts}
"""
# Each is looked up by index, whatever the planner thinks of a table that grows while it is read.
_BY_KEY = (
    """
SELECT known.* FROM unnest(%s::text[], %s::text[]) AS wanted (office_code, folded_key)
 CROSS JOIN LATERAL ("""
    + _KNOWN
    + """
        WHERE office_code = wanted.office_code AND folded_key = wanted.folded_key OFFSET 0) AS known
"""
)
_BY_CONTENT = (
    """
SELECT known.* FROM unnest(%s::text[], %s::text[]) AS wanted (office_code, folded_account)
 CROSS JOIN LATERAL ("""
    + _KNOWN
    + """
        WHERE office_code = wanted.office_code AND folded_account = wanted.folded_account AND key_version = 1
        OFFSET 0) AS known
 ORDER BY office, natural_key
"""
)
_FURTHER = """
SELECT known.* FROM unnest(%s::text[], %s::text[]) AS wanted (office_code, folded_key)
 CROSS JOIN LATERAL (SELECT office_code, instalment_of, natural_key FROM {facts}
        WHERE office_code = wanted.office_code AND instalment_of = wanted.folded_key OFFSET 0) AS known
"""
_ARE_BY_CONTENT = "SELECT EXISTS (SELECT FROM {facts} WHERE key_version = 1)"
_ACCOUNTS = """
SELECT DISTINCT office_code, folded_account, account_number
  FROM unnest(%s::text[], %s::text[]) AS wanted (office_code, folded_account)
 CROSS JOIN LATERAL (SELECT account_number FROM {facts} AS known
        WHERE known.office_code = wanted.office_code AND known.folded_account = wanted.folded_account OFFSET 0) AS known
"""
_EXACT = """
SELECT office_code, account_number
  FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted (office_code, account_number, folded_account)
 CROSS JOIN LATERAL (SELECT FROM {facts} AS known
        WHERE known.office_code = wanted.office_code AND known.folded_account = wanted.folded_account
          AND known.account_number = wanted.account_number LIMIT 1) AS known
"""
_OF_NAME = "SELECT office_code FROM {facts} WHERE office = %s LIMIT 1"
_NAMES = "SELECT office FROM {facts} WHERE office_code = %s ORDER BY office LIMIT 1"
_HAS_OWN_NUMBERS = "SELECT EXISTS (SELECT FROM {facts} WHERE strpos(natural_key, E'\\t') > 0)"
_CURRENCIES = """
SELECT DISTINCT office_code, account_number, other_currency
  FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted (office_code, account_number, folded_account)
 CROSS JOIN LATERAL (SELECT other_currency FROM {facts} AS known
        WHERE known.office_code = wanted.office_code AND known.folded_account = wanted.folded_account
          AND known.account_number = wanted.account_number AND known.other_currency IS NOT NULL OFFSET 0) AS known
"""
_HELD = "SELECT DISTINCT key FROM arrears.holders WHERE kind = %s AND key = ANY (%s)"

_RECORD = """
INSERT INTO arrears.import_facts AS known
       (office, natural_key, account_number, revision, digest, key_version, digest_version, office_code, folded_key,
        folded_account, details, due_on, instalment_of, other_currency, source, said_in, said_on, minor, currency,
        account_id)
SELECT office, natural_key, account_number, revision, digest, 2, 2, office_code, folded_key, folded_account, details,
       due_on, instalment_of, other_currency, source, said_in, said_on, minor, currency, account_id
  FROM unnest(%s::text[], %s::text[], %s::text[], %s::integer[], %s::bytea[], %s::text[], %s::text[], %s::text[],
              %s::jsonb[], %s::date[], %s::text[], %s::text[], %s::text[], %s::text[], %s::date[], %s::bigint[],
              %s::text[], %s::uuid[])
       AS imported (office, natural_key, account_number, revision, digest, office_code, folded_key, folded_account,
                    details, due_on, instalment_of, other_currency, source, said_in, said_on, minor, currency,
                    account_id)
    ON CONFLICT (office, natural_key) DO UPDATE
   SET account_number = excluded.account_number, other_currency = excluded.other_currency,
       revision = excluded.revision, digest = excluded.digest,
       folded_account = excluded.folded_account, details = excluded.details, due_on = excluded.due_on,
       source = excluded.source, said_in = excluded.said_in, said_on = excluded.said_on, minor = excluded.minor,
       currency = excluded.currency, account_id = excluded.account_id, withdrawn = false
 WHERE known.revision < excluded.revision
    OR known.revision = excluded.revision AND known.digest = excluded.digest AND known.due_on IS NULL
"""
_OF_ANOTHER_SOURCE = """
SELECT office, natural_key
  FROM unnest(%s::text[], %s::text[]) AS said (office, natural_key)
  JOIN arrears.import_facts AS known USING (office, natural_key)
 WHERE (known.source, known.said_in) IS DISTINCT FROM (%s, %s)
"""
_SAID_BY = """
UPDATE arrears.import_facts AS known
   SET source = said.source, said_in = said.said_in, said_on = said.said_on, minor = said.minor,
       currency = said.currency, account_id = said.account_id
  FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::date[], %s::bigint[], %s::text[], %s::uuid[])
       AS said (office, natural_key, source, said_in, said_on, minor, currency, account_id)
 WHERE (known.office, known.natural_key) = (said.office, said.natural_key)
"""
_SAY_MORE = """
UPDATE arrears.import_facts AS known
   SET natural_key = said.new_key, key_version = 2, folded_key = said.folded_key, digest = said.digest,
       details = said.details
  FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::jsonb[])
       AS said (office, natural_key, new_key, folded_key, digest, details)
 WHERE (known.office, known.natural_key) = (said.office, said.natural_key)
"""


class Change(StrEnum):
    NEW = "new"
    UNCHANGED = "unchanged"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Classified:
    """A staged fact beside what was imported before. `revision` is the one it has, or will have once recorded."""

    staged: Staged
    change: Change
    revision: int
    account_before: AccountNumber | None = None
    """The account of the revision before, which a correction may have left."""
    is_due_day_news: bool = False
    """Whether an earlier release remembered an invoice without its due day."""
    lives_again: bool = False
    """Whether a file took it back; what is said of it now is news, also where it is what was said before."""


class Known(NamedTuple):
    """What was imported last under a natural key."""

    office: str
    office_code: str
    natural_key: str
    folded_key: str
    revision: int
    digest: bytes
    account_number: str
    key_version: int
    payment_number: bytes | None
    details: Mapping[str, str] | None
    due_on: date | None = None
    """Of an invoice; None where an earlier release imported it."""
    other_currency: str | None = None
    """In which its account is, where the office works in another one."""
    withdrawn: bool = False
    """Whether a file took it back."""

    @property
    def account(self) -> AccountNumber:
        return AccountNumber(self.account_number, self.other_currency)


class Document(NamedTuple):
    """A document, as a fact names it."""

    kind: str
    number: str


class Referred(NamedTuple):
    """A document that a fact names."""

    number: str
    """As it is spelled where it is known."""
    is_stored: bool
    """Whether it was imported before; else it stands in the same file."""


Folded = tuple[str, str]
"""An office's code, and a natural key or an account's number, folded."""


class ImportedFacts:
    """Reads and writes what is remembered of imports. What an earlier release remembered was rewritten before."""

    def __init__(
        self,
        connection: psycopg.Connection,
        digests: Digests,
        *,
        facts: sql.Identifier = STORED,
    ) -> None:
        """`facts`: where to look, if not at what is stored."""
        self.digests = digests
        self.origin: Origin | None = None
        """Of what is recorded."""
        self._connection = connection
        self._facts = facts
        self._has_own_numbers: bool | None = None
        self._are_by_content: bool | None = None

    # --- looking ---

    def by_key(self, wanted: Iterable[Folded]) -> dict[Folded, list[Known]]:
        """What is known under these, with one query; exact natural keys in a stable order."""
        return self._found(_BY_KEY, set(wanted), lambda known: (known.office_code, known.folded_key))

    def by_content(self, accounts: Iterable[Folded]) -> dict[Folded, list[Known]]:
        """Payments of these accounts that an earlier release knew by what they say. By office and exact number."""
        if self._are_by_content is None:
            self._are_by_content = bool(self._rows(_ARE_BY_CONTENT, [])[0][0])
        if not self._are_by_content:
            return {}
        return self._found(_BY_CONTENT, set(accounts), lambda known: (known.office_code, known.account_number))

    def further_instalments(self, wanted: Iterable[Folded]) -> dict[Folded, set[date]]:
        """The due days that further instalments of these invoices are known by."""
        found: dict[Folded, set[date]] = defaultdict(set)
        for code, key, natural_key in self._rows(_FURTHER, _columns(set(wanted))):
            found[code, key].add(date.fromisoformat(natural_key[-10:]))
        return found

    @property
    def table(self) -> sql.Identifier:
        """Where it is remembered."""
        return self._facts

    def accounts(self, wanted: Iterable[Folded]) -> dict[Folded, set[str]]:
        """The numbers of accounts that facts were imported of, by how they are folded."""
        found: dict[Folded, set[str]] = defaultdict(set)
        for code, number, known in self._rows(_ACCOUNTS, _columns(set(wanted))):
            found[code, number].add(known)
        return found

    def opened(self, accounts: Iterable[Folded]) -> set[Folded]:
        """Those numbers, by office and spelled exactly so, that the log has of accounts in whatever currency or of
        customers, whoever opened them."""
        keys = {customer_key(office_id(code), number): (code, number) for code, number in accounts}
        by_id = {key.id: account for key, account in keys.items()}
        kinds = {key.kind for key in keys}
        return {by_id[row[0]] for kind in kinds for row in self._rows(_HELD, [kind, list(by_id)])}

    def code_of(self, office: str) -> str | None:
        """The office for which this name stood before."""
        return next((row[0] for row in self._rows(_OF_NAME, [office])), None)

    def name_of(self, code: str) -> str | None:
        """A name under which the office was imported before."""
        return next((row[0] for row in self._rows(_NAMES, [code])), None)

    @property
    def has_own_numbers(self) -> bool:
        """Whether any account numbers its own documents."""
        if self._has_own_numbers is None:
            self._has_own_numbers = bool(self._rows(_HAS_OWN_NUMBERS, [])[0][0])
        return self._has_own_numbers

    def _found(self, query: str, wanted: set[Folded], by: Any) -> dict[Folded, list[Known]]:
        found: dict[Folded, list[Known]] = defaultdict(list)
        if wanted:
            for known in map(Known._make, self._rows(query, _columns(wanted))):
                found[by(known)].append(known)
        return found

    def _rows(self, query: str, parameters: Sequence[Any]) -> list[Any]:
        with self._connection.transaction():
            return self._connection.execute(sql.SQL(query).format(facts=self._facts), parameters).fetchall()

    # --- accounts and references ---

    def with_known_accounts(self, chunk: Sequence[Staged]) -> list[Staged]:
        """The chunk with each account, and payer, as it is known. What exists under the exact number wins."""
        accounts = {(staged.office_code, staged.fact.account_number) for staged in chunk}
        accounts |= {(staged.office_code, payer) for staged in chunk if (payer := payer_of(staged.fact)) is not None}
        like = {each: folded(each[1]) for each in accounts}
        asked = [(code, number, folded_number) for (code, number), folded_number in like.items()]
        unknown = accounts - {(code, number) for code, number in self._rows(_EXACT, _columns(asked))}
        if not unknown:
            return list(chunk)
        known = self.accounts((each[0], like[each]) for each in unknown)
        other = {each: min(known[each[0], like[each]]) for each in unknown if (each[0], like[each]) in known}
        for each in self.opened(other):
            del other[each]
        if not other:
            return list(chunk)
        return [self._with_accounts(staged, other) for staged in chunk]

    def _with_accounts(self, staged: Staged, other: Mapping[Folded, str]) -> Staged:
        payer = payer_of(staged.fact)
        if isinstance(staged.fact, PaymentFact | ReversalFact) and payer is not None:
            meant = other.get((staged.office_code, payer), payer)
            fact = replace(staged.fact, payer_number=meant)
            staged = (
                replace(staged, fact=fact, digest=self.digests.of(fact.content_digest)) if meant != payer else staged
            )
        number = other.get((staged.office_code, staged.fact.account_number))
        return staged if number is None else self.respelled(staged, account_number=number)

    def respelled(self, staged: Staged, *, account_number: str, natural_key: str | None = None) -> Staged:
        """The same under other spellings of its numbers."""
        key = staged.natural_key if natural_key is None else natural_key
        fact = respelled(staged.fact, account_number=account_number, number=number_in(key))
        if natural_key is None:
            key = key_in_form(key, fact)
        return replace(staged, natural_key=key, digest=self.digests.of(fact.content_digest), fact=fact)

    def with_accounts_of_payments(self, chunk: Sequence[Staged]) -> list[Staged]:
        """The chunk with each reversal that does not say in which currency it is on the account that has its payment:
        that in the office's currency comes first."""
        places = {
            n: staged.fact
            for n, staged in enumerate(chunk)
            if isinstance(staged.fact, ReversalFact) and staged.fact.amount is None
        }
        if not places:
            return list(chunk)
        found: dict[tuple[str, str, str], set[str | None]] = defaultdict(set)
        for staged in chunk:
            if isinstance(staged.fact, PaymentFact):
                key = folded(staged.fact.natural_key)
                found[staged.office_code, staged.fact.account_number, key].add(staged.other_currency)
        asked = {(chunk[n].office_code, chunk[n].fact.account_number) for n in places}
        others: dict[Folded, list[str]] = defaultdict(list)
        for code, number, currency in self._rows(_CURRENCIES, _columns((*each, folded(each[1])) for each in asked)):
            others[code, number].append(currency)
        forms = {n: self._payments_meant(chunk[n], fact, others) for n, fact in places.items()}
        known = self.by_key((chunk[n].office_code, folded(key)) for n in places for key in forms[n])
        result = list(chunk)
        for n, keys in forms.items():
            staged = chunk[n]
            currencies = found[staged.office_code, staged.fact.account_number, folded(keys[0])] | {
                each.other_currency
                for key in keys
                for each in known.get((staged.office_code, folded(key)), ())
                if each.account_number == staged.fact.account_number
            }
            if currencies and None not in currencies:
                result[n] = _in_currency(staged, min(each for each in currencies if each is not None))
        return result

    def _payments_meant(self, staged: Staged, fact: ReversalFact, others: Mapping[Folded, Sequence[str]]) -> list[str]:
        """Under which keys the payment may be known that a reversal is of."""
        key, number = f"payment:{fact.payment_number}", fact.account_number
        if "\t" not in staged.natural_key and not self.has_own_numbers:
            return [key]
        currencies = (None, *others[staged.office_code, number])
        return [key, *(with_account(key, AccountNumber(number, currency)) for currency in currencies)]

    def referred(self, chunk: Sequence[Staged]) -> dict[int, dict[Document, Referred]]:
        """The documents that facts name and that are known or stand in the chunk, as those are spelled; by the place
        of the fact in the chunk, and by what the fact calls them. They are of the same account."""
        named = {(n, document): key for n, staged in enumerate(chunk) for document, key in _references(staged)}
        if not named:
            return {}
        here: dict[tuple[str, AccountNumber, str], set[str]] = defaultdict(set)
        for staged in chunk:
            here[staged.office_code, staged.account, folded(staged.fact.natural_key)].add(staged.fact.number)
        wanted = {each: self.forms(chunk[each[0]], key, folded(key)) for each, key in named.items()}
        known = self.by_key(each for forms in wanted.values() for each in forms)
        found: dict[int, dict[Document, Referred]] = defaultdict(dict)
        for (n, document), key in named.items():
            staged = chunk[n]
            stored = {
                number_in(each.natural_key)
                for form in wanted[n, document]
                for each in known.get(form, ())
                if each.account == staged.account
            }
            spelled = stored | here[staged.office_code, staged.account, folded(without_account(key))]
            if spelled:
                meant = document.number if document.number in spelled else min(spelled)
                found[n][document] = Referred(meant, is_stored=meant in stored)
        return found

    def forms(self, staged: Staged, key: str, folded_key: str) -> list[Folded]:
        """How a document of this number may be known: by office, and by account where any account has its own."""
        forms = [(staged.office_code, folded_key)]
        if "\t" in key or self.has_own_numbers:
            forms.append((staged.office_code, folded(other_key(key, staged.account))))
        return forms

    # --- telling what is new ---

    def classify(self, chunk: Sequence[Staged]) -> list[Classified]:
        """Facts that have a number, in their order."""
        whole = {n: of_whole for n, staged in enumerate(chunk) if (of_whole := _as_whole(staged)) is not None}
        forms = [self.forms(each, each.natural_key, each.folded_key) for each in (*chunk, *whole.values())]
        known = self.by_key(form for each in forms for form in each)
        like = [[each for form in of for each in known.get(form, ())] for of in forms]
        told = [self._classified(staged, some) for staged, some in zip(chunk, like, strict=False)]
        for (n, staged), some in zip(whole.items(), like[len(chunk) :], strict=True):
            if told[n].change is Change.NEW and (one := self._classified(staged, some)).change is Change.UNCHANGED:
                told[n] = one
        return told

    def _classified(self, staged: Staged, like: Sequence[Known]) -> Classified:
        before = _meant(staged, like)
        if before is None:
            return Classified(staged, Change.NEW, 1)
        if (
            before.digest == staged.digest
            and before.office == staged.office
            and before.natural_key == staged.natural_key
            and not before.withdrawn
        ):
            return Classified(
                staged, Change.UNCHANGED, before.revision, before.account, is_due_day_news=_lacks_due_day(before)
            )
        offices = {staged.fact.office, before.office, None}
        account = staged.fact.account_number
        staged = replace(
            self.respelled(staged, account_number=account, natural_key=before.natural_key), office=before.office
        )
        said = {self.digests.of(replace(staged.fact, office=each).content_digest) for each in offices}
        same = before.digest in said and not before.withdrawn
        change = Change.UNCHANGED if same else Change.CHANGED
        return Classified(
            staged,
            change,
            before.revision + (not same),
            before.account,
            is_due_day_news=same and _lacks_due_day(before),
            lives_again=before.withdrawn,
        )

    # --- remembering ---

    def record(self, imported: Sequence[Classified]) -> None:
        """Remember facts whose commands were accepted, and who said them, or what is known, last. A repeat, or one that
        lags behind, changes nothing."""
        fresh = [one for one in imported if one.change is not Change.UNCHANGED or one.is_due_day_news]
        self._claim([one.staged for one in imported if one.change is Change.UNCHANGED])
        if not fresh:
            return
        with self._connection.transaction():
            self._connection.execute(
                _RECORD,
                [
                    [one.staged.office for one in fresh],
                    [one.staged.natural_key for one in fresh],
                    [one.staged.fact.account_number for one in fresh],
                    [one.revision for one in fresh],
                    [one.staged.digest for one in fresh],
                    [one.staged.office_code for one in fresh],
                    [one.staged.folded_key for one in fresh],
                    [folded(one.staged.fact.account_number) for one in fresh],
                    [None if one.staged.details is None else Json(one.staged.details) for one in fresh],
                    [_due_on(one.staged.fact) for one in fresh],
                    [_instalment_of(one.staged) for one in fresh],
                    [one.staged.other_currency for one in fresh],
                    *self._said_by([one.staged for one in fresh]),
                ],
            )

    def _claim(self, known: Sequence[Staged]) -> None:
        """What is known, and another source said last, is of this one from now on."""
        by_key = {staged.key: staged for staged in known}
        if not by_key or self.origin is None:
            return
        with self._connection.transaction():
            origin = [self.origin.source, self.origin.said_in]
            others = self._connection.execute(_OF_ANOTHER_SOURCE, [*_columns(by_key), *origin]).fetchall()
            if others:
                said = self._said_by([by_key[key] for key in others])
                self._connection.execute(_SAID_BY, [*_columns(others), *said])

    def _said_by(self, some: Sequence[Staged]) -> list[list[Any]]:
        """Source, kind of file, day, amount, currency and account of each."""
        source, said_in = (None, None) if self.origin is None else (self.origin.source, self.origin.said_in)
        amounts = [amount_of(each.fact) for each in some]
        return [
            [source] * len(some),
            [said_in] * len(some),
            [each.effective_on for each in some],
            [None if amount is None else amount.minor for amount in amounts],
            [None if amount is None else amount.currency for amount in amounts],
            [None if source is None else holder_of(each) for each in some],
        ]

    def say_more(self, learned: Sequence[tuple[Known, Staged]]) -> None:
        """Remember what files say more of payments without a number that are known, and by what they are known now."""
        if learned:
            with self._connection.transaction():
                self._connection.execute(
                    _SAY_MORE,
                    [
                        [known.office for known, _ in learned],
                        [known.natural_key for known, _ in learned],
                        [staged.natural_key for _, staged in learned],
                        [staged.folded_key for _, staged in learned],
                        [staged.digest for _, staged in learned],
                        [Json(staged.details) for _, staged in learned],
                    ],
                )


def holder_of(staged: Staged) -> UUID:
    """The account that the fact is recorded on: of a payment that of who paid."""
    number = payer_of(staged.fact) or staged.fact.account_number
    return staged.account._replace(number=number).id_in(office_id(staged.office_code))


def _lacks_due_day(known: Known) -> bool:
    return known.due_on is None and known.natural_key.startswith(("invoice:", "instalment:"))


def _due_on(fact: Fact) -> date | None:
    return (fact.due_on or fact.issued_on) if isinstance(fact, InvoiceFact) else None


def _instalment_of(staged: Staged) -> str | None:
    """The key of the invoice, as it is looked up."""
    if not isinstance(staged.fact, InvoiceFact) or staged.fact.instalment is None:
        return None
    return folded(key_in_form(staged.natural_key, replace(staged.fact, instalment=None)))


def _as_whole(staged: Staged) -> Staged | None:
    """A reversal that says how much, as it was known before parts were taken; None for all else."""
    fact = staged.fact
    if not isinstance(fact, ReversalFact) or fact.amount is None:
        return None
    key = in_form(staged, fact.key_of_whole)
    return replace(staged, natural_key=key, folded_key=folded(key))


def _meant(staged: Staged, like: Sequence[Known]) -> Known | None:
    """Of what is known under keys that are folded alike: the exact one first, then the same number, then any."""
    own = "\t" in staged.natural_key
    best: tuple[bool, ...] | None = None
    found = None
    for each in sorted(like, key=lambda known: known.natural_key) if len(like) > 1 else like:
        is_in_form = ("\t" in each.natural_key) == own
        if not is_in_form and each.account != staged.account:
            continue  # the same number of another account, where accounts have their own
        fits = (
            each.natural_key == staged.natural_key and each.office == staged.office,
            each.natural_key == staged.natural_key,
            number_in(each.natural_key) == number_in(staged.natural_key),
            each.account == staged.account,
        )
        if best is None or fits > best:
            best, found = fits, each
    return found


def _references(staged: Staged) -> list[tuple[Document, str]]:
    """The documents that a fact names besides itself, each with its key in the form that the fact's own key has."""
    fact, named = staged.fact, []
    if isinstance(fact, ReversalFact):
        named.append(Document("payment", fact.payment_number))
    if isinstance(fact, PaymentFact | CreditFact | ReversalFact):
        named += [Document("invoice", number) for number in invoices_named(fact)]
    return [(each, in_form(staged, f"{each.kind}:{each.number}")) for each in named]


def in_form(staged: Staged, key: str) -> str:
    """A natural key without its account, in the form that the fact's own key has."""
    return other_key(key, staged.account) if "\t" in staged.natural_key else key


def _in_currency(staged: Staged, currency: str) -> Staged:
    """The same about the account of its number that is in another currency than the office's."""
    key = staged.natural_key
    if "\t" in key:
        key = with_account(without_account(key), AccountNumber(staged.fact.account_number, currency))
    return replace(staged, other_currency=currency, natural_key=key, folded_key=folded(key))


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    rows = list(rows)
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[], []]
