"""`arrears deadletters`: events that a reader could not handle, and what to do about them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.ending import end_of_list
from api.cli.opening import commanding, guest, issue
from api.cli.options import AsJson, DataDir, Reason
from api.cli.output import note, print_fields, print_json, print_table, say
from api.cli.problems import Problem
from api.cli.tables import figure, key, prose, tabular, text, word

if TYPE_CHECKING:
    from adapters.readers.poison import DeadLetter
    from adapters.readers.runner import Retried, Runner
    from api.processes.step_by_step import StepByStep

app = typer.Typer(no_args_is_help=True, help="Events that a reader could not handle: look, retry, discard.")

ReaderName = Annotated[
    str, typer.Argument(metavar="READER", help="As list shows it: a projection, policies, delivery or publisher.")
]
Position = Annotated[int, typer.Argument(metavar="POSITION", min=1, help="The event's place in the log.")]


_LETTERS = (
    key("reader"),
    figure("position"),
    text("event", 5),
    word("account", 3),
    prose("problem", 4),
    figure("tries", 2),
    word("since", 1),
)


@app.command("list")
@tabular
def list_all(
    data: DataDir = None,
    reader: Annotated[str | None, typer.Option("--reader", metavar="READER", help="Only this one's.")] = None,
    state: Annotated[str, typer.Option("--state", metavar="S", help="parked, handled or discarded.")] = "parked",
    as_json: AsJson = False,
) -> None:
    """Every event that was put aside, in order, and those of the same account that wait behind it."""
    if state not in {"parked", "handled", "discarded"}:
        raise typer.BadParameter(f"--state {state!r}: expected parked, handled or discarded")
    with guest(data, catch_up=False) as service:
        letters = _letters(service, reader, state)
    if as_json:
        print_json([_as_dict(letter) for letter in letters])
        return
    if not letters:
        say("No event is parked." if state == "parked" else f"No event was {state}.")
        return
    print_table(
        _LETTERS,
        (
            (
                plain_name(e.reader),
                e.position,
                e.event_name,
                e.account_id or e.sequence_id,
                _problem(e),
                e.attempts,
                e.parked_at,
            )
            for e in letters
        ),
    )


@app.command("show")
def show(reader: ReaderName, position: Position, data: DataDir = None, as_json: AsJson = False) -> None:
    """One of them in full: what went wrong, and what the event says without personal fields."""
    from api.contract.events import public_data

    with guest(data, catch_up=False) as service:
        letter = _letter(service, reader, position)
        (recorded,) = service.feed.read(position - 1, 1)
    said = public_data(recorded.event)
    if as_json:
        print_json({**_as_dict(letter), "data": said})
        return
    rows = [(name.replace("_", " "), value) for name, value in _as_dict(letter).items()]
    print_fields([*rows, ("data", "")])
    print_json(said)


@app.command("retry")
def retry(reader: ReaderName, position: Position, data: DataDir = None, as_json: AsJson = False) -> None:
    """Handle an account's parked events again, in order, up to the first that fails again. Works while serving."""
    with commanding(data) as service:
        letter = _parked(service, reader, position)
        if is_projection(letter.reader):
            outcome = service.projections.retry(plain_name(letter.reader), letter.sequence_id)
        else:
            with _runner(service, letter.reader) as runner:
                outcome = runner.retry(letter.sequence_id)
    _tell(outcome, as_json=as_json)
    end_of_list(done=outcome.handled, refused=outcome.left)


@app.command("discard")
def discard(
    reader: ReaderName, position: Position, data: DataDir = None, reason: Reason = None, as_json: AsJson = False
) -> None:
    """Give a parked event up for this reader; those that waited behind it are handled. The log keeps who and why."""
    if not (reason or "").strip():
        raise typer.BadParameter('say why: --reason "…"')
    with commanding(data) as service:
        letter = _parked(service, reader, position)

        def record(given_up: "DeadLetter") -> None:
            _record(service, given_up, reason)

        try:
            if is_projection(letter.reader):
                outcome = service.projections.discard(plain_name(letter.reader), position, on_discard=record)
            else:
                with _runner(service, letter.reader) as runner:
                    outcome = runner.discard(position, on_discard=record)
        except LookupError as error:
            raise Problem(str(error), hint="arrears deadletters list") from None
    _tell(outcome, as_json=as_json)
    end_of_list(done=1 + outcome.handled, refused=outcome.left)


# --- inside ------------------------------------------------------------------------------------------


def plain_name(reader: str) -> str:
    """A projection's name without its generation."""
    return reader.partition("@")[0]


def is_projection(reader: str) -> bool:
    return "@" in reader


@contextmanager
def _runner(service: "StepByStep", reader: str) -> "Iterator[Runner]":
    """The reader that applies policies, the one that delivers, or the publisher."""
    for runner in service.runners:
        if runner.name == reader:
            yield runner
            return
    kind, _, topic = reader.partition(":")
    if kind != "publisher":
        raise Problem(f"there is no reader {reader!r} any more")
    from adapters.kafka.connection import EVENTS_TOPIC
    from api.processes.publishing import publishing

    with publishing(service.database, topic=topic or EVENTS_TOPIC) as publisher:
        yield publisher


def _record(service: "StepByStep", letter: "DeadLetter", reason: str | None) -> None:
    """The decision stands in the log before it is carried out; its id follows from the letter."""
    from aggregates.kernel.command import identifier
    from aggregates.reader import DiscardEvent

    command = DiscardEvent(
        reader=letter.reader, position=letter.position, event_id=letter.event_id, event_name=letter.event_name
    )
    issue(service, command, reason=reason, command_id=identifier("discard", letter.reader, letter.position))


def _letters(service: "StepByStep", reader: str | None, state: str) -> "list[DeadLetter]":
    from adapters.readers.poison import dead_letters

    with service.database.connect("arrears_app") as connection:
        letters = dead_letters(connection, state=state)
    return [each for each in letters if reader is None or reader in (each.reader, plain_name(each.reader))]


def _letter(service: "StepByStep", reader: str, position: int) -> "DeadLetter":
    for state in ("parked", "handled", "discarded"):
        for letter in _letters(service, reader, state):
            if letter.position == position:
                return letter
    raise Problem(f"{reader} has put no event aside at position {position}", hint="arrears deadletters list")


def _parked(service: "StepByStep", reader: str, position: int) -> "DeadLetter":
    letter = _letter(service, reader, position)
    if letter.state != "parked":
        raise Problem(f"the event at position {position} was {letter.state} already")
    return letter


def _problem(letter: "DeadLetter") -> str:
    if letter.error_class is None:
        return "waits behind an earlier one"
    return (
        f"{letter.error_class}: {letter.error_text or 'what it said was lost when the database crashed; retry says it'}"
    )


def _as_dict(letter: "DeadLetter") -> dict[str, Any]:
    import dataclasses

    return {**dataclasses.asdict(letter), "reader": plain_name(letter.reader)}


def _tell(outcome: "Retried", *, as_json: bool) -> None:
    if as_json:
        print_json(outcome)
    else:
        say(f"{outcome.handled} handled")
    if outcome.left and not as_json:
        note(f"{outcome.left} stay parked: arrears deadletters list says why")
