"""The agenda: every future thing, when it is due, and the command that is then asked for."""

from projections.agenda.projection import AgendaProjection

__all__ = ["AgendaProjection"]
