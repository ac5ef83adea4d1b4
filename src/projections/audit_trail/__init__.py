"""The audit trail: every event, in a sentence, with who caused it and why."""

from projections.audit_trail.projection import AuditTrailProjection

__all__ = ["AuditTrailProjection"]
