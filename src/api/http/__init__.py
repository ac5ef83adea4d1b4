"""The HTTP door: resources under /v1, health, and web pages; one error shape, one way to issue a command."""
