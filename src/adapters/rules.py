"""Every rule that decisions ask: those of policies, and that of templates, for which a library reads."""

from collections.abc import Iterable

from aggregates.kernel.context import Rules
from aggregates.values.template_text import TEMPLATE_RULES
from policies import rules


def template_faults(text: str) -> Iterable[tuple[int, str]]:
    """What is wrong with a template's text; nothing of it is run."""
    from adapters.delivery.templates import faults  # most commands need no templates, and should not wait for them

    return faults(text)


RULES: Rules = {**rules.RULES, TEMPLATE_RULES: template_faults}
