"""What may happen: events, state and decisions. Pure: no I/O, no clock, no random ids."""
