"""Doing work over many accounts: chunk by chunk, by any process, each chunk once by effect."""
