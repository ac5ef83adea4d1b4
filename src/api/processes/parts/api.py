"""The part that answers. `api.http` serves it: alone, or in the main thread of the one process."""

from api.processes.parts.part import HowMany, Need, Part


class Api(Part):
    name = "api"
    does = "Serve HTTP and web pages: take commands, answer from read tables"
    how_many = HowMany.ANY
    needs = frozenset({Need.KEY, Need.TABLES})
    has_loop = False
