"""Readers of the log: one runner for all, the generations of projections, and what to do about poison."""
