"""A log that an earlier release wrote: every later release opens it and gives the same answers."""
