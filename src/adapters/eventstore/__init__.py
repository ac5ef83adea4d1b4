"""The event store: the log in PostgreSQL, who writes it, seals it, reads it and checks it."""
