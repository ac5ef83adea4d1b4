"""`arrears tail`, `arrears topics`: the log on Kafka."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.cli.asking import answered
from api.cli.opening import guest, issue
from api.cli.options import Account, AsJson, DataDir, OfficeCode, Reason, is_id, read_moment
from api.cli.output import json_of, note, print_json, print_table, say
from api.cli.problems import Problem
from api.cli.questions import account_id as asked_account_id
from api.cli.signals import until_told
from api.cli.tables import figure, tabular, text, word

if TYPE_CHECKING:
    from adapters.kafka.cloudevents import Envelope
    from adapters.kafka.tail import Tail

topics_app = typer.Typer(no_args_is_help=True, help="Topics on Kafka: make and check them, and what is amiss on them.")


def add_to(app: typer.Typer) -> None:
    app.command("tail")(tail)
    app.add_typer(topics_app, name="topics")


# --- tail ----------------------------------------------------------------------------------------------


def read_start(text: str) -> str:
    """`beginning`, `end`, or a position such as 1234 (`position 1234` is understood too)."""
    said = text.strip().removeprefix("position").strip(" :=")
    if text.strip() in {"beginning", "end"} or (said.isdecimal() and int(said) > 0):
        return said or text.strip()
    raise typer.BadParameter(f"{text!r}: expected beginning, end, or a position such as 1234")


def tail(
    *,
    account: Account = None,
    office: OfficeCode = None,
    data: DataDir = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="NAME", help="Only these, such as account.payment-received. May be repeated."),
    ] = None,
    start: Annotated[
        str,
        typer.Option("--from", parser=read_start, metavar="WHERE", help="beginning, end, or a position in the log."),
    ] = "end",
    once: Annotated[bool, typer.Option("--once", help="Stop at the topic's end instead of waiting for more.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show events as other services get them: from Kafka, without personal text.

    An account's number is looked up in the data folder or on the server; with --office it is enough by itself.
    """
    from adapters.kafka.subscriber import plain_name
    from adapters.kafka.tail import Tail
    from api import logs

    logs.configure()
    names = {plain_name(each) for each in kinds or ()}
    whose = id_of(account, office, data) if account else None
    with Tail(account_id=whose) as topic, until_told() as stop:
        at_least = _seek(topic, start)
        for batch in topic.events(follow=not once):
            for envelope in batch:
                if envelope.position >= at_least and (not names or envelope.name in names):
                    say(as_json_line(envelope) if as_json else as_line(envelope))
            if stop.is_set():
                return


def id_of(text: str, office: str | None, data: Path | None) -> UUID:
    """The account's id. It follows from the office's code and the account's number: with both nobody has to be asked,
    but for which of two accounts is called `1001/EUR`.

    Raises Refused.
    """
    if is_id(text):
        return UUID(text)
    if office is not None:
        from aggregates.account.command import ids_by_name
        from aggregates.office import office_id

        ids = ids_by_name(office_id(office), text)
        if len(ids) == 1:
            return ids[0]
    return UUID(answered(data, lambda ask: asked_account_id(ask, text, office=office)))


def _seek(topic: "Tail", start: str) -> int:
    """From where on; and the position before which nothing is shown. Copies of old events may stand anywhere, so what
    is before a position cannot be jumped over."""
    if start == "end":
        topic.from_end()
        return 0
    topic.from_beginning()
    return 0 if start == "beginning" else int(start)


def as_line(envelope: "Envelope") -> str:
    """An event for people."""
    said = json_of(envelope.data)
    at = f"{envelope.recorded_at:%Y-%m-%d %H:%M:%S}"
    return f"{envelope.position:>9}  {at}  {envelope.account_id or envelope.aggregate_id}  {envelope.name}  {said}"


def as_json_line(envelope: "Envelope") -> str:
    """An event for programs: a JSON object."""
    import dataclasses

    fields = {f.name: getattr(envelope, f.name) for f in dataclasses.fields(envelope) if f.init and f.name != "body"}
    return json_of({**fields, "data": envelope.data})


# --- topics --------------------------------------------------------------------------------------------

TopicsFile = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", dir_okay=False, help="Default: deploy/kafka/topics.toml.")
]


@topics_app.callback()
def group() -> None:
    """Topics on Kafka: make and check them, and what is amiss on them."""


@topics_app.command("apply")
def apply(
    file: TopicsFile = None,
    copies: Annotated[
        int | None,
        typer.Option("--copies", min=1, metavar="N", help="Of each partition, for a cluster with fewer brokers."),
    ] = None,
    rights: Annotated[
        bool, typer.Option("--rights", help="Also let the users of the file write and read, where Kafka asks.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make missing topics and bring settings in line. What would break the order of events is refused."""
    from adapters.kafka.topics import DEFINITIONS, Topics, read_topics
    from api import logs

    logs.configure()
    wanted = read_topics(file or DEFINITIONS)
    if copies is not None:
        wanted = [topic.with_copies(copies) for topic in wanted]
    with Topics() as topics:
        changes = topics.plan(wanted, rights=rights)
        for change in changes:
            if not dry_run:
                topics.apply(change)
            if not as_json:
                say(f"{change.topic}: {change.what}")
    if as_json:
        print_json({"applied": not dry_run, "changes": [{"topic": c.topic, "change": c.what} for c in changes]})
    elif not changes:
        say("Every topic is as it should be.")
    elif dry_run:
        say("Nothing was changed.")


@topics_app.command("check")
def check(
    file: TopicsFile = None,
    copies: Annotated[
        int | None,
        typer.Option("--copies", min=1, metavar="N", help="Of each partition, for a cluster with fewer brokers."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Whether topics are as they should be, and only those may write to them who should. Exit 1 where not.

    Where Kafka has no authorizer, anybody may write: that is a warning, and no fault.
    """
    from adapters.kafka.topics import DEFINITIONS, Topics, read_topics
    from api import logs

    logs.configure()
    wanted = read_topics(file or DEFINITIONS)
    if copies is not None:
        wanted = [topic.with_copies(copies) for topic in wanted]
    with Topics() as topics:
        faults = {topic.name: topics.faults(topic) for topic in wanted}
        asks = topics.asks_for_rights()
    if as_json:
        print_json({"authorizer": asks, "faults": faults})
    if not asks:
        note("Warning: Kafka has no authorizer, so anybody who reaches it may write to these topics.")
    found = [f"{topic}: {fault}" for topic, several in faults.items() for fault in several]
    if found:
        raise Problem("\n".join(found), hint="arrears topics apply; docs/cluster.md, section Rights")
    if not as_json:
        say("Every topic is as it should be.")


_QUARANTINED = (
    word("found", 1),
    text("topic", 6),
    figure("partition"),
    figure("offset"),
    word("reason"),
    figure("position", 3),
    word("reader", 2),
    figure("bytes", 4),
)

_MOST = 500


@topics_app.command("quarantined")
@tabular
def quarantined(
    data: DataDir = None,
    topic: Annotated[str | None, typer.Option("--topic", metavar="NAME", help="Only of this topic.")] = None,
    partition: Annotated[int | None, typer.Option("--partition", min=0, metavar="N", help="Only of this one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Messages that no reader took because they are not what the log has, the latest found first.

    What they say is on the topic alone, at their offset.
    """
    found = answered(
        data,
        lambda ask: ask("/v1/quarantined-messages", topic=topic, partition=partition, limit=_MOST)["items"],
        catch_up=False,
    )
    if as_json:
        print_json(found)
        return
    if not found:
        say("No message was put aside.")
        return
    print_table(
        _QUARANTINED,
        (
            (
                read_moment(e["found_at"]),
                e["topic"],
                e["partition"],
                e["offset"],
                e["reason"],
                e["position"],
                e["reader"],
                e["key_bytes"] + e["headers_bytes"] + e["value_bytes"],
            )
            for e in found
        ),
    )


@topics_app.command("skip")
def skip(  # noqa: PLR0917  typer gives them by name
    reader: Annotated[str, typer.Argument(metavar="READER", help="A projection, policies or delivery.")],
    partition: Annotated[int, typer.Argument(metavar="PARTITION", min=0, help="Of the topic.")],
    offset: Annotated[int, typer.Argument(metavar="OFFSET", min=0, help="Of the message.")],
    data: DataDir = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Have a reader pass over a message that it cannot get over, when it tries again. The log keeps who and why.

    What is no event of the log is passed over without this.
    """
    from adapters.kafka.connection import events_topic
    from adapters.kafka.quarantine import digest_of
    from adapters.kafka.tail import Tail
    from adapters.readers import partitions
    from aggregates.kernel.command import identifier
    from aggregates.reader import SkipMessage

    if not (reason or "").strip():
        raise typer.BadParameter('say why: --reason "…"')
    topic = events_topic()
    with Tail() as tail:
        message = tail.message(partition, offset)
    if message is None:
        raise Problem(f"{topic} has no message at offset {offset} of partition {partition}")
    digest = digest_of(message)
    with guest(data, catch_up=False) as service:
        with service.database.connect("arrears_app") as connection:
            name = partitions.reader_named(connection, reader)
        if name is None:
            raise Problem(f"{reader} is no reader of a topic", hint="arrears projections status")
        command = SkipMessage(reader=name, topic=topic, partition=partition, offset=offset, digest=digest.hex())
        key = identifier("skip", name, topic, partition, offset, digest.hex())
        issue(service, command, reason=reason, command_id=key)
        with service.database.connect("arrears_app") as connection:
            partitions.skip(connection, name, partition, offset, digest)
    if as_json:
        print_json({"reader": name, "topic": topic, "partition": partition, "offset": offset, "digest": digest.hex()})
    else:
        say(f"{reader} passes over message {partition}/{offset} when it tries again")
