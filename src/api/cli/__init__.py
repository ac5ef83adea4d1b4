"""The command line `arrears`: one module for each group of commands; each imports what it needs when it runs."""

from api.cli.app import app, main

__all__ = ["app", "main"]
