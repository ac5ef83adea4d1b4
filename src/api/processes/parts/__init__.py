"""The one list of parts: `arrears serve` runs them in threads, `arrears NAME` runs one alone, a cluster has them all.

Whatever is slow to import is imported where a part is made: every command looks at this list.
"""

from api.processes.parts.api import Api
from api.processes.parts.clock import Clock
from api.processes.parts.deliver import Deliver
from api.processes.parts.part import Part
from api.processes.parts.project import Project
from api.processes.parts.publish import Publish
from api.processes.parts.react import React
from api.processes.parts.receive import Receive
from api.processes.parts.seal import Seal

API = Api()
SEAL = Seal()
PUBLISH = Publish()
PROJECT = Project()
REACT = React()
DELIVER = Deliver()
CLOCK = Clock()
RECEIVE = Receive()

PARTS: tuple[Part, ...] = (API, SEAL, PUBLISH, PROJECT, REACT, DELIVER, CLOCK, RECEIVE)
"""Driven step by step, those that read the log do it in this order: tables come before effects."""
