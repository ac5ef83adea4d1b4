"""The HTTP door: resources under /v1, health, and web pages; one error shape, one way to issue a command."""

import projections.answer  # noqa: F401  the base of answers, beside those of the kernel
from aggregates.kernel.models import build_as_declared

build_as_declared()
