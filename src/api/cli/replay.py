"""`arrears replay`: events of the log, from the database, as other services would get them from Kafka."""

import os
from typing import Annotated

import typer

from api.cli.kafka import as_json_line, as_line
from api.cli.options import DataDir
from api.cli.output import say
from api.cli.signals import until_told


def add_to(app: typer.Typer) -> None:
    app.command("replay")(replay)


def replay(
    first: Annotated[int, typer.Option("--from", min=1, metavar="POSITION", help="The first position in the log.")],
    last: Annotated[
        int | None, typer.Option("--to", min=1, metavar="POSITION", help="The last one. Default: the log's end.")
    ] = None,
    data: DataDir = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="NAME", help="Only these, such as account.payment-received. May be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show events as other services get them, from the database: also those that Kafka has no more.

    Without personal text, and in their current version. Needs neither Kafka nor the master key.
    """
    from adapters.kafka.replayed import replayed
    from adapters.kafka.subscriber import plain_name
    from adapters.postgres.database import open_database
    from api import logs

    logs.configure()
    names = {plain_name(each) for each in kinds or ()}
    database = open_database(data, reading=True)
    try:
        with until_told() as stop:
            for envelope in replayed(database, first=first, last=last, env=os.environ):
                if not names or envelope.name in names:
                    say(as_json_line(envelope) if as_json else as_line(envelope))
                if stop.is_set():
                    return
    finally:
        database.close()
