"""Pauses of automation, of a campaign or a whole office: from now, backdated, or for a time."""

from aggregates.campaign import PauseCampaign
from api.http.bodies import CommandBody, body_of


@body_of(PauseCampaign, address={"campaign_id"})
class PauseBody(CommandBody):
    """When nothing is sent. No start: from now; no end: until it is resumed."""
