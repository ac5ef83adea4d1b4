"""Messages of a bulk action: the text and the verdict of each account, worked out by the account's own decision.

No read table knows what contact rules look at, so accounts are loaded, some hundred at a time. Texts are filled in for
the preview alone: whether one is the same still follows from what it is made of.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

import orjson

from adapters.bulk.asked import Asked
from adapters.delivery.languages import language_of
from adapters.delivery.renderer import Rendered
from adapters.delivery.rendering import SMS_LIMIT, draft_of, values_of, written_template
from adapters.delivery.written import written_of
from adapters.rules import RULES
from adapters.stop import check
from aggregates.account import Account
from aggregates.account.bulk_kinds import MESSAGE, MessageParameters, figures_of_message
from aggregates.account.writing import Draft, SendMessage, named
from aggregates.kernel.actor import Actor
from aggregates.kernel.aggregate import Aggregate
from aggregates.kernel.command import identifier
from aggregates.kernel.context import Context
from aggregates.template import OfficeTemplate, template_id
from aggregates.values.contact import Channel
from projections.questions.bulk import Frozen, Shown, accounts_of, compared
from projections.questions.fees import as_jsonb

_AT_ONCE = 250
"""Accounts that are loaded with one query, and whose texts are filled in together."""
_MOST_OF_NOTE = 500
"""Characters of what is said of why a message would be refused."""

T = TypeVar("T")


def messages_shown(asked: Asked, found: Iterable[Shown]) -> Iterator[Shown]:
    """The accounts that the report shows, with the message of each. Raises Refusal where the text or template is
    none."""
    accounts = [each.account_id for each in found]
    drafting = _Drafting(asked, frozenset(accounts))
    for some in _in_parts(accounts, _AT_ONCE):
        check(asked.stop)
        yield from _shown(asked, drafting.drafts(some))


def messages_compared(asked: Asked, bulk_id: UUID) -> Iterator[Frozen]:
    """Every row in its order, compared with the message as it would be now. Raises Refusal."""
    drafting = _Drafting(asked, frozenset(accounts_of(asked.connection, bulk_id)))
    for some in _in_parts(compared(asked.connection, bulk_id, ()), _AT_ONCE):
        check(asked.stop)
        now = {each.account.id: each.figures for each in drafting.drafts([row.account_id for row in some])}
        for row in some:
            was = MESSAGE.ignores(orjson.loads(row.expected), asked.office)
            yield replace(row, has_changed=was != now.get(row.account_id))


# --- what each account would be sent -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Drafted:
    """The message of an account as it would be queued, and what is compared of it."""

    account: Account
    draft: Draft
    figures: Mapping[str, Any]


@dataclass(slots=True)
class _Drafting:
    """Lets accounts decide what they would be sent, as they will when they are asked.

    A contact about one account counts for some rules about the others of its customer. So accounts of one customer are
    drafted in the order in which they will be asked, each as if those before it had been sent theirs.
    """

    asked: Asked
    among: frozenset[UUID]
    """All accounts of the action."""
    now: datetime = field(init=False)
    seen: dict[UUID, Aggregate] = field(init=False)
    message: SendMessage | None = field(init=False, default=None)
    """To whichever account came first: the others differ in whose it is alone."""

    def __post_init__(self) -> None:
        arrears, office = self.asked.arrears, self.asked.office
        self.now = arrears.clock.now()
        name = self.asked.parameters.template
        templates = [] if name is None else [template_id(office.id, name)]
        self.seen = {office.id: office, **{t.id: t for t in arrears.load_many(OfficeTemplate, templates)}}

    def drafts(self, ids: Sequence[UUID]) -> Iterator[_Drafted]:
        """In their order; those that were never stored are left out. Raises Refusal."""
        known = self._loaded(ids)
        known |= self._loaded([o for each in known.values() for o in each.customer.accounts if o not in known])
        drafted: dict[UUID, _Drafted] = {}
        for account in (known[each] for each in ids if each in known):
            theirs = [o for o in account.customer.accounts if o in self.among and o in known and o < account.id]
            for each in (*sorted(theirs), account.id):
                if each not in drafted:
                    drafted[each] = self._draft(known[each], known)
            yield drafted[account.id]

    def _loaded(self, ids: Sequence[UUID]) -> dict[UUID, Account]:
        return {each.id: each for each in self.asked.arrears.load_many(Account, list(ids))}

    def _draft(self, account: Account, known: Mapping[UUID, Account]) -> _Drafted:
        parameters: MessageParameters = self.asked.parameters
        others = {other: known[other] for other in account.customer.accounts if other in known}
        context = Context(
            now=self.now,
            today=self.asked.today,
            actor=Actor.service("preview"),
            effective_on=self.asked.today,
            command_id=identifier("preview", account.id),
            seen={**self.seen, **others},
            rules=RULES,
        )
        self.message = self.message or parameters.to(account)
        message = self.message.model_copy(update={"account_id": account.id})
        draft = account.writing.draft(message, context)
        figures = MESSAGE.ignores(figures_of_message(account, draft, context), self.asked.office)
        if others and not draft.refused:
            account.writing.queue(message, draft, context)  # on this instance alone: nothing of it is stored
        return _Drafted(account, draft, figures)


# --- with their texts --------------------------------------------------------------------------------


def _shown(asked: Asked, drafted: Iterable[_Drafted]) -> Iterator[Shown]:
    found = list(drafted)
    texts = _rendered(asked, found)
    for each in found:
        written = written_of(
            each.draft.channel, written_template(each.draft.text), texts[each.figures["text"]], _language(each)
        )
        characters = None if written.body is None else len(written.body)
        why = [*([named(each.draft.refused)] if each.draft.refused else []), *filter(None, [written.problem])]
        said = {
            **each.figures,
            "characters": characters,
            "too_long": each.draft.channel is Channel.SMS and (characters or 0) > SMS_LIMIT,
            "problem": written.problem,
            "note": "; ".join(why)[:_MOST_OF_NOTE] or None,
        }
        yield Shown(each.account.id, as_jsonb(said), each.draft.amount(asked.currency).minor)


def _rendered(asked: Asked, drafted: Iterable[_Drafted]) -> Mapping[str, Rendered]:
    """By the digest of what a text is made of: the same is filled in once."""
    by_text = {each.figures["text"]: each for each in drafted}
    texts = [
        draft_of(
            written_template(each.draft.text),
            values_of(each.account, asked.office, each.draft.items, asked.today),
            _language(each),
        )
        for each in by_text.values()
    ]
    return dict(zip(by_text, asked.renderer().render(texts), strict=True))


def _language(drafted: _Drafted) -> str:
    return language_of(drafted.draft.language, drafted.account.contact.details.language)


def _in_parts(found: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(found)
    while part := list(islice(rest, size)):
        yield part
