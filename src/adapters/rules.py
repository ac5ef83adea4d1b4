"""Every rule that decisions ask: those of policies, and that of templates, for which a library reads."""

from collections.abc import Iterable
from datetime import date

from aggregates.account import Account
from aggregates.account.writing import TEXT_DIGEST, Draft
from aggregates.campaign import TEMPLATE_RULES
from aggregates.kernel.context import Rules
from aggregates.office import Office
from policies import rules


def template_faults(text: str) -> Iterable[tuple[int, str]]:
    """What is wrong with a template's text; nothing of it is run."""
    from adapters.delivery.templates import faults  # most commands need no templates, and should not wait for them

    return faults(text)


def text_digest(account: Account, office: Office, draft: Draft, today: date) -> str:
    """The same for the same text; nothing is filled in."""
    from adapters.delivery.rendering import digest_of_text

    return digest_of_text(account, office, draft, today)


RULES: Rules = {**rules.RULES, TEMPLATE_RULES: template_faults, TEXT_DIGEST: text_digest}
