"""Pauses of automation, of a campaign or a whole office: from now, backdated, or for a time."""

from datetime import datetime

from pydantic import BaseModel, Field

from aggregates.office import Pause
from api.http.shapes import Body, Moment


class PauseBody(Body):
    """When nothing is sent. No start: from now; no end: until it is resumed."""

    paused_from: Moment | None = None
    paused_until: Moment | None = None
    reason: str | None = Field(None, max_length=1_000)


class PauseView(BaseModel):
    """A pause that is in force, will be, or was and has not been followed by a resume."""

    paused_from: datetime
    paused_until: datetime | None
    in_force: bool


def pause_view(pause: Pause | None, now: datetime) -> PauseView | None:
    if pause is None:
        return None
    return PauseView(paused_from=pause.paused_from, paused_until=pause.paused_until, in_force=pause.covers(now))
