"""Pauses of automation, of a campaign or a whole office: from now, backdated, or for a time."""

from aggregates.campaign import PauseCampaign, ResumeCampaign
from api.http.bodies import CommandBody, body_of


@body_of(PauseCampaign, address={"campaign_id"})
class PauseBody(CommandBody):
    """When nothing is sent. No start: from now; no end: until it is resumed."""


@body_of(ResumeCampaign, address={"campaign_id"})
class ResumeBody(CommandBody):
    """Why messages are sent again; it may be left out."""


RESUMED = ResumeBody()
"""Where nothing is said."""
