"""Every rule that decisions ask: those of policies, and those of templates and of keys, for which a library reads."""

from collections.abc import Iterable
from datetime import date, datetime

from aggregates.account import Account
from aggregates.account.writing import TEXT_DIGEST, Draft
from aggregates.kernel.context import Rules
from aggregates.office import AGENCY_KEY_RULES, Office
from aggregates.values.template_text import TEMPLATE_RULES
from policies import rules


def template_faults(text: str) -> Iterable[tuple[int, str]]:
    """What is wrong with a template's text; nothing of it is run."""
    from adapters.delivery.templates import faults  # most commands need no templates, and should not wait for them

    return faults(text)


def agency_key_fault(text: str, now: datetime) -> str | None:
    """What keeps a key from being used to encrypt files."""
    from adapters.placement.encryption import key_fault

    return key_fault(text, now)


def text_digest(account: Account, office: Office, draft: Draft, today: date) -> str:
    """The same for the same text; nothing is filled in."""
    from adapters.delivery.rendering import digest_of_text

    return digest_of_text(account, office, draft, today)


RULES: Rules = {
    **rules.RULES,
    TEMPLATE_RULES: template_faults,
    AGENCY_KEY_RULES: agency_key_fault,
    TEXT_DIGEST: text_digest,
}
