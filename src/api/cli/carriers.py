"""`arrears carriers`: which carrier carries which channel, and whether it does."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import AsJson, DataDir
from api.cli.output import print_json, print_table, say
from api.cli.problems import Problem
from api.cli.tables import key, tabular, text, word

if TYPE_CHECKING:
    from adapters.delivery.carriers.setup import Carriers

_TEXT = "This is a test message from Arrears. Nobody owes anything because of it."


class Channel(StrEnum):
    """As `aggregates.values.contact.Channel`, which a command that only starts does not load; a test compares them."""

    SMS = "sms"
    VOICE = "voice"
    EMAIL = "email"
    LETTER = "letter"
    PORTAL = "portal"


_CARRIERS = (key("channel"), word("carrier", 2), text("leads to", 3))

app = typer.Typer(help="What carries messages to customers, by channel.", invoke_without_command=True)


@app.callback()
@tabular
def carriers(context: typer.Context, *, data: DataDir = None, as_json: AsJson = False) -> None:
    """Which carrier carries which channel, and where it leads, as the environment of this process says."""
    if context.invoked_subcommand is not None:
        return
    with _set_up(data) as found:
        rows = [(str(channel), carrier.name, carrier.leads_to) for channel, carrier in found]
    if as_json:
        print_json({"rows": [dict(zip(("channel", "carrier", "leads_to"), row, strict=True)) for row in rows]})
    else:
        print_table(_CARRIERS, rows)


@app.command("test")
def send_test(
    channel: Annotated[Channel, typer.Option("--channel", help="Over which channel.")],
    to: Annotated[
        str,
        typer.Option("--to", metavar="ADDRESS", help="Your own; the lines of a letter's address end with \\n."),
    ],
    data: DataDir = None,
) -> None:
    """Send a test message outside of any account. Nothing of it is recorded but in the log of this process.

    Exit code 1 where the carrier did not take it, or nobody knows.
    """
    from datetime import UTC, datetime
    from uuid import uuid4

    import structlog

    from adapters.delivery.carrier import CarrierRefused
    from adapters.delivery.rendering import Letter
    from adapters.readers.poison import OutOfReach
    from aggregates.values import contact

    now = datetime.now(UTC)
    with _set_up(data) as found:
        carrier = found.of(contact.Channel(channel))
        letter = Letter(
            contact.Channel(channel), to.replace("\\n", "\n"), "A test message", _TEXT, sender="Arrears", day=now.date()
        )
        message_id = uuid4()
        try:
            carrier.check()
            reference = carrier.send(message_id, letter)
        except CarrierRefused as error:
            raise Problem(f"{carrier.name} refused it ({error.code}): {error.detail}") from None
        except OutOfReach as error:
            raise Problem(f"{carrier.name}: {error}") from None
    structlog.get_logger(__name__).info(
        "a test message was sent", channel=str(channel), carrier=carrier.name, message_id=str(message_id)
    )
    say(f"{carrier.name} took it for {carrier.leads_to}: {reference}")


@contextmanager
def _set_up(data: Path | None) -> Iterator["Carriers"]:
    """Those of this process. Nothing of the data is opened."""
    from adapters.clock import SystemClock
    from adapters.delivery.carriers.setup import carriers_of
    from adapters.postgres.database import URL_VARIABLE
    from api import logs

    logs.configure(default="info")
    found = carriers_of(os.environ, None if os.environ.get(URL_VARIABLE) else data, SystemClock())
    try:
        yield found
    finally:
        found.close()
