"""How stored events of earlier versions become those of the next one. What is here stays: the log keeps its rows."""

from typing import Any

from aggregates.kernel.event import REGISTRY


@REGISTRY.upcasts("account.message-failed", from_version=1)
def _the_carriers_words_are_personal(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had the code and the carrier's words together, in the open, as the reason (ADR 0016)."""
    why = data["why"]
    return {
        **{name: said for name, said in data.items() if name != "why"},
        "code": why["code"],
        "detail": why["detail"],
    }


@REGISTRY.upcasts("account.activity-recorded", from_version=1)
def _dispositions_are_what_the_office_defines(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 knew eight dispositions, which every office has had defined since; it did not say when (ADR 0049)."""
    return data


@REGISTRY.upcasts("account.message-sent", from_version=1)
@REGISTRY.upcasts("account.message-withdrawn", from_version=1)
@REGISTRY.upcasts("account.message-failed", from_version=2)
@REGISTRY.upcasts("account.message-uncertain", from_version=1)
def _every_message_had_a_step(data: dict[str, Any]) -> dict[str, Any]:
    """Since then there are messages by hand, which have none (ADR 0050)."""
    return data
