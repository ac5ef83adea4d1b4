"""What became of a text as a message: filled in, or what is wrong with it."""

from dataclasses import dataclass

from adapters.delivery.renderer import NotRendered, Rendered
from adapters.delivery.rendering import RenderingProblem, text_of, with_opt_out
from aggregates.campaign import Template
from aggregates.values.contact import Channel


@dataclass(frozen=True, slots=True)
class Written:
    """A text with its placeholders filled in, and what is wrong with it."""

    body: str | None
    subject: str | None = None
    problem: str | None = None


def written_of(channel: Channel, template: Template, rendered: Rendered, language: str) -> Written:
    """What a draft of the template became, as a message over the channel."""
    try:
        text = text_of(channel, template, rendered, language)
    except RenderingProblem as problem:
        body = None if isinstance(rendered, NotRendered) else with_opt_out(channel, rendered[0], language)
        return Written(body, problem=problem.detail)
    return Written(text.body, text.subject)
