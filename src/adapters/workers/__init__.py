"""Faust workers: policies and ticks, by partition."""
