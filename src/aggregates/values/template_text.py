"""The texts that people write with placeholders: what is wrong with one."""

from collections.abc import Iterable
from typing import Protocol

from aggregates.kernel.context import Rule


class TemplateRules(Protocol):
    """What is wrong with a template's text: each time the line, and what was expected (`adapters.rules`)."""

    def __call__(self, text: str, /) -> Iterable[tuple[int, str]]: ...


TEMPLATE_RULES: Rule[TemplateRules] = Rule("rules of templates")
