"""Takes messages out of the queue and hands them to their carrier: claim, last look, hand over, report, in batches.

The claim is an event, stored before the carrier is called. Where the carrier does not take an id once, the queue notes
on the disk of each message that it is handed over from now on, and then that it was taken. So whoever comes after a
sender that died knows what was not begun, which is sent, and what was taken, with its text. Only what was in between
is uncertain, unless the carrier knows: that is never sent again by itself.
"""

import math
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
import structlog
from psycopg import Connection

from adapters.delivery import queue
from adapters.delivery.carrier import Attempt, Carrier, CarrierAway, CarrierRefused, CarrierUnavailable
from adapters.delivery.intake import Intake
from adapters.delivery.kept_letter import opened, sealed
from adapters.delivery.lines import HandingOver, Line
from adapters.delivery.queue import Back, Begun, Delivery, Done
from adapters.delivery.renderer import Draft, NotRendered, Rendered, Renderer
from adapters.delivery.rendering import Files, Letter, Prepared, RenderingProblem, prepare
from adapters.eventstore.application import Arrears
from adapters.eventstore.connections import always_by_index
from adapters.inbound.matching import NotReady, accounts_with
from adapters.postgres.database import Database
from adapters.postgres.errors import DatabaseProblem, explained
from adapters.postgres.kept_connection import KeptConnection, in_utc
from adapters.postgres.transactions import end_when_frozen
from adapters.readers.backoff import Backoff
from adapters.readers.poison import HelperAway, is_poison, said
from adapters.readers.runner import note_trouble
from adapters.telemetry.metrics import count_delivery
from aggregates.account import Account
from aggregates.account.contact_history import in_one_spelling
from aggregates.account.inbound import RecordReceipt, receipt_id, says_something
from aggregates.account.messages import (
    DispatchMessage,
    MessageState,
    MessageUnderWay,
    ReconsiderMessage,
    ReportFailed,
    ReportSent,
    ReportUncertain,
)
from aggregates.campaign import Campaign
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, Outcome, Rejected, identifier
from aggregates.office import Office
from aggregates.values.business_time import local_date
from aggregates.values.contact import Channel

ACTOR = Actor.service("delivery")

FEWEST, MOST = 20, 500
"""Messages of a turn: as many as take about a second, so that the last look is never long ago."""
_COMMANDS = 250
"""That are stored together: what a person asks of an account meanwhile waits for so many."""
_TURN_SECONDS = 1.0
_LOOK_LASTS_SECONDS = 5.0
"""What was not handed over by then is looked at once more."""

TO_CALL = timedelta(seconds=60)
"""Beyond what the carrier takes to answer, for clocks that differ: then a frozen owner is given up."""

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=15)
"""After the carrier did not take a message; twice as long after each time that follows."""

_IDLE_SECONDS = 0.25

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Turned:
    """What came of a turn: how many messages it took, and when the next turn of others comes that are due."""

    count: int
    next_turn_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A message as its account has it; what is missing of its letter, or why there can be none."""

    message: MessageUnderWay
    prepared: Prepared | RenderingProblem


@dataclass(frozen=True, slots=True)
class _Result:
    """What became of a message, as a command."""

    delivery: Delivery
    act: str
    command: Command
    receipt: RecordReceipt | None = None
    """What a refusal says of the number or address besides."""


class Troubles:
    """Why carriers take nothing now, in the one place where the status of deliveries has it: what one of them says
    neither hides nor ends what another says."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = threading.Lock()
        self._said: dict[Carrier, Exception] = {}

    def note(self, carrier: Carrier, error: Exception | None) -> None:
        """None: it goes on."""
        with self._turn:
            self._said.pop(carrier, None)
            if error is not None:
                self._said[carrier] = error
            note_trouble(self._database, Intake.name, *self._said.values())


class Sender:
    """Delivers over the channels of one carrier. Any number of senders, of any number of processes, share the queue.
    Used by one thread."""

    def __init__(
        self,
        arrears: Arrears,
        database: Database,
        carrier: Carrier,
        channels: Collection[Channel],
        renderer: Renderer,
        *,
        files: Files | None = None,
        burst: timedelta = queue.BURST,
        troubles: Troubles | None = None,
    ) -> None:
        """`files` is what messages take with them; `burst`, how long turns are kept that nobody took; `troubles` are
        shared by the senders of a process."""
        self.carrier = carrier
        self._arrears = arrears
        self._database = database
        self._channels = channels
        self._renderer = renderer
        self._files = files
        self._burst = burst
        self._troubles = troubles or Troubles(database)
        self._owner = uuid4()
        self._connection = KeptConnection(partial(database.connect, "arrears_app", autocommit=True), self._appear)
        self._lines = [Line(each, self._beside()) for each in carrier.lines()]
        self._most = FEWEST
        self._begun_here: set[UUID] = set()
        """Whose attempt is over, and was this one's: nobody else is about to hand them over."""

    def _beside(self) -> KeptConnection:
        return KeptConnection(partial(self._database.connect, "arrears_app", autocommit=True), always_by_index)

    def _appear(self, connection: Connection[Any]) -> None:
        in_utc(connection)
        always_by_index(connection)
        end_when_frozen(connection)
        queue.appear(connection, self._owner)

    def run(self, stop: threading.Event) -> None:
        """Delivers until `stop` is set. What is wrong is logged, shown in the status of deliveries, and tried again."""
        backoff, is_noted = Backoff(), False
        try:
            while not stop.is_set():
                try:
                    turned = self.turn(stop)
                except Exception as error:  # the other carriers and the doors go on
                    if not isinstance(error, HelperAway):
                        self.close()
                    if stop.is_set():
                        return
                    self._troubles.note(self.carrier, error)
                    is_noted = True
                    stop.wait(backoff.failed())
                    continue
                if is_noted:
                    self._troubles.note(self.carrier, None)
                    is_noted = False
                backoff.worked()
                self._rest(turned, stop)
        finally:
            self.close()

    def _rest(self, turned: Turned, stop: threading.Event) -> None:
        if turned.count:
            return
        if turned.next_turn_at is None:
            stop.wait(_IDLE_SECONDS)
        else:
            soon = self._arrears.clock.now() + timedelta(seconds=_IDLE_SECONDS)
            self._arrears.clock.wait_until(min(turned.next_turn_at, soon), stop)

    @explained()
    def turn(self, stop: threading.Event | None = None) -> Turned:
        """Some messages that are due, if there are any. Told to `stop`, it ends after the one that it has in hand.

        Raises CarrierUnavailable where the carrier takes nothing now; what was taken is back in the queue then.
        """
        connection, now, begun = self._connection.get(), self._arrears.clock.now(), time.monotonic()
        for line in self._lines:
            line.note_taken(self._owner)  # of a turn that broke
        most = MOST if self._arrears.clock.is_set else self._most  # lived through twice, history is the same
        taken = queue.take(connection, self._owner, self._channels, most=most, now=now, burst=self._burst)
        if taken.deliveries:
            batch = _Batch(
                self._arrears,
                self.carrier,
                self._renderer,
                files=self._files,
                owner=self._owner,
                connection=connection,
                lines=self._lines,
                begun_here=self._begun_here,
                stop=stop or threading.Event(),
            )
            batch.deliver(taken.deliveries)
            took = time.monotonic() - begun
            if took < _TURN_SECONDS and len(taken.deliveries) == self._most:
                self._most = min(2 * self._most, MOST)
            elif took > 2 * _TURN_SECONDS:
                self._most = max(self._most // 2, FEWEST)
        return Turned(len(taken.deliveries), taken.next_turn_at)

    def close(self) -> None:
        """Lets the connection go, and with it what is in hand; the next turn makes another."""
        for each in (self._connection, *(line.connection for line in self._lines)):
            each.close()


class _Batch:
    """Messages that were taken together, on their way to a carrier."""

    def __init__(
        self,
        arrears: Arrears,
        carrier: Carrier,
        renderer: Renderer,
        *,
        files: Files | None,
        owner: UUID,
        connection: Connection[Any],
        lines: Sequence[Line],
        begun_here: set[UUID],
        stop: threading.Event,
    ) -> None:
        self._arrears = arrears
        self._carrier = carrier
        self._renderer = renderer
        self._files = files
        self._owner = owner
        self._connection = connection
        self._lines = lines
        self._begun_here = begun_here
        self._stop = stop
        self._results: list[_Result] = []
        self._turn = threading.RLock()
        """Of whoever adds to what is to be reported, or takes it from there; lines refuse in turn too."""

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Raises CarrierUnavailable where nothing can be handed over now."""
        self._say_what_was_taken([each for each in deliveries if each.taken_at is not None])
        others = [each for each in deliveries if each.taken_at is None]
        try:
            self._carrier.check()
        except CarrierUnavailable:
            queue.let_go(self._connection, self._owner, [each.message_id for each in others])
            raise
        begun = [each for each in others if each.begun_at is not None]
        for delivery in begun:
            self._clear_up(delivery, self._kept(delivery), since=delivery.begun_at or delivery.queued_at)
        self._report()
        in_doubt = {each.message_id for each in begun}
        self._send([each for each in others if each.message_id not in in_doubt])

    # --- what somebody left in the middle ---

    def _say_what_was_taken(self, deliveries: Iterable[Delivery]) -> None:
        """The carrier said so, and whoever heard it died before it was in the log."""
        for delivery in deliveries:
            letter = self._kept(delivery)
            if letter is None:
                self._clear_up(delivery, None, since=delivery.begun_at or delivery.queued_at)
            else:
                self._has_left(delivery, letter, delivery.reference, at=delivery.taken_at)
        self._report()

    def _clear_up(self, delivery: Delivery, letter: Letter | None, *, since: datetime) -> None:
        """It was begun, and nobody heard what the carrier said. `letter` as it was handed over, where that is known.

        That it has not got it counts for one's own attempt, which is over. Another process may still be about to hand
        over what it began, however long it was not heard of.
        """
        taken = self._took(delivery, Attempt(since, lambda: letter))
        if isinstance(taken, Letter):
            self._has_left(delivery, taken, None)
        elif taken is False and delivery.message_id in self._begun_here:
            self._not_now(delivery, "it broke in the middle, and the carrier has not got it")
        else:
            command = ReportUncertain(account_id=delivery.account_id, message_id=delivery.message_id)
            self._came(_Result(delivery, "uncertain", command))

    def _took(self, delivery: Delivery, attempt: Attempt) -> Letter | bool | None:
        """What its error would say may quote somebody, and nobody knows by it what became of the message."""
        try:
            return self._carrier.took(delivery.message_id, attempt)
        except Exception as error:
            if not is_poison(error):
                raise
            _log.error("a carrier cannot say what it took", carrier=self._carrier.name, error=type(error).__name__)
            return None

    def _kept(self, delivery: Delivery) -> Letter | None:
        cipher = self._arrears.keys.get(delivery.account_id)
        return opened(delivery.letter, delivery.message_id, cipher)

    # --- in parts ---

    def _send(self, deliveries: Sequence[Delivery]) -> None:
        """While the lines hand one part over, the next one is claimed and written; while they hand that one over, it is
        reported what became of the one before. Raises CarrierUnavailable where nothing is taken any more; what was
        taken by then is reported."""
        if not deliveries:
            return
        for line in self._lines:
            line.begin()
        left: list[Delivery] = []
        try:
            with ThreadPoolExecutor(len(self._lines), thread_name_prefix="line") as pool:
                left = self._send_in_parts(deliveries, pool)
        except BaseException:
            with suppress(psycopg.Error, DatabaseProblem):  # then it is noted when the database is there again
                for line in self._lines:
                    line.note_taken(self._owner)
            raise
        for line in self._lines:
            line.before = None
        queue.let_go(self._connection, self._owner, [each.message_id for each in left])
        used = [line.away for line in self._lines if line.is_used]
        away = [each for each in used if each is not None]
        if away and len(away) == len(used):
            raise away[0]

    def _send_in_parts(self, deliveries: Sequence[Delivery], pool: ThreadPoolExecutor) -> list[Delivery]:
        """Returns what was not handed over."""
        parts = [deliveries[start : start + _COMMANDS] for start in range(0, len(deliveries), _COMMANDS)]
        left: list[Delivery] = []
        before: HandingOver | None = None
        try:
            for part in parts:
                if self._stop.is_set() or all(line.away is not None for line in self._lines):
                    left += part
                    continue
                letters = self._claimed_and_written(part)
                until = time.monotonic() + (math.inf if self._arrears.clock.is_set else _LOOK_LASTS_SECONDS)
                if before is not None:
                    left += before.ended()
                lines = [line for line in self._lines if line.away is None]
                before = HandingOver(letters, lines, pool, self._one, until=until, stop=self._stop)
                self._report(but=before.messages)
        finally:
            try:
                if before is not None:
                    left += before.ended()
            finally:
                self._report()
        return left

    # --- claim and last look ---

    def _claimed_and_written(self, deliveries: Sequence[Delivery]) -> list[tuple[Delivery, Letter]]:
        """Those that may leave, as they are to be handed over. Raises RendererUnavailable."""
        foreign = self._claim(deliveries)
        seen = self._look(deliveries)
        ready: list[tuple[Delivery, _Seen]] = []
        over: list[UUID] = []
        for delivery in deliveries:
            now = seen.get(delivery.message_id)
            if now is None or now.message.state is MessageState.UNCERTAIN:
                over.append(delivery.message_id)
            elif now.message.state is MessageState.QUEUED:
                self._not_now(delivery, "it could not be claimed")
            elif delivery.message_id in foreign and not self._carrier.is_idempotent:
                self._clear_up(delivery, self._written_anew(now), since=delivery.queued_at)
            else:
                ready.append((delivery, now))
        queue.finish(self._connection, over)
        return self._written(ready)

    def _claim(self, deliveries: Sequence[Delivery]) -> set[UUID]:
        """Claims what is queued, and looks once more whether what was claimed before may leave. Returns what somebody
        claimed of whom the queue knows nothing: an earlier release."""
        queue.note_claims(self._connection, self._owner, [each.message_id for each in deliveries])
        # Whoever noted that it would claim one may have died before it did: the claim is asked for again, and is the
        # same command.
        claims = [self._issued(each, "dispatch", DispatchMessage) for each in deliveries]
        looks = [
            self._issued(each, f"reconsider-{each.takes}", ReconsiderMessage) for each in deliveries if each.is_claimed
        ]
        outcomes = self._handle([*claims, *looks])[: len(claims)]
        return {
            each.message_id
            for each, outcome in zip(deliveries, outcomes, strict=True)
            if not each.is_claimed and isinstance(outcome, Rejected) and outcome.reason_code == "already-claimed"
        }

    def _look(self, deliveries: Sequence[Delivery]) -> dict[UUID, _Seen]:
        """Those that are under way still, by message."""
        now, seen = self._arrears.clock.now(), {}
        with self._arrears.looking() as looking:
            accounts = looking.at(Account, {each.account_id for each in deliveries})
            offices = looking.at(Office, {each.office_id for each in deliveries})
            under_way = {
                each.message_id: replace(message)
                for each in deliveries
                if each.account_id in accounts
                and (message := accounts[each.account_id].messages.under_way.get(each.message_id)) is not None
            }
            campaigns = looking.at(Campaign, {each.campaign_id for each in under_way.values() if each.campaign_id})
            for each in deliveries:
                if (message := under_way.get(each.message_id)) is not None:
                    account, office = accounts[each.account_id], offices[each.office_id]
                    campaign = campaigns.get(message.campaign_id) if message.campaign_id is not None else None
                    prepared = self._prepared(account, office, campaign, message, now)
                    seen[each.message_id] = _Seen(message, prepared)
        return seen

    def _prepared(
        self, account: Account, office: Office, campaign: Campaign | None, message: MessageUnderWay, now: datetime
    ) -> Prepared | RenderingProblem:
        try:
            return prepare(account, office, campaign, message, local_date(now, office.zone), files=self._files)
        except RenderingProblem as problem:
            return problem
        except Exception as error:
            if not is_poison(error):
                raise
            return RenderingProblem("bad-template", f"no text can be made ({type(error).__name__})")

    # --- hand over ---

    def _written(self, ready: Sequence[tuple[Delivery, _Seen]]) -> list[tuple[Delivery, Letter]]:
        """Whatever goes wrong in making a text is wrong with its message alone. Raises RendererUnavailable."""
        drafted = [(each, prepared) for each, seen in ready if isinstance(prepared := seen.prepared, Prepared)]
        texts = self._texts([prepared.draft for _, prepared in drafted])
        rendered = {each.message_id: text for (each, _), text in zip(drafted, texts, strict=True)}
        letters: list[tuple[Delivery, Letter]] = []
        for delivery, seen in ready:
            try:
                if isinstance(seen.prepared, RenderingProblem):
                    raise seen.prepared
                letters.append((delivery, seen.prepared.letter(rendered[delivery.message_id])))
            except RenderingProblem as problem:
                self._has_failed(delivery, problem.code, problem.detail, seen.message)
        return letters

    def _texts(self, drafts: Sequence[Draft]) -> Sequence[Rendered]:
        """Where making several fails, each is made by itself. Raises RendererUnavailable."""
        try:
            return self._renderer.render(drafts)
        except Exception as error:
            if not is_poison(error):
                raise
            if len(drafts) == 1:
                return [NotRendered("bad-template", f"no text can be made ({type(error).__name__})")]
        return [text for draft in drafts for text in self._texts([draft])]

    def _written_anew(self, seen: _Seen) -> Letter | None:
        if isinstance(seen.prepared, RenderingProblem):
            return None
        [rendered] = self._texts([seen.prepared.draft])
        try:
            return seen.prepared.letter(rendered)
        except RenderingProblem:
            return None

    def _one(self, line: Line, delivery: Delivery, letter: Letter) -> None:
        if not line.carrier.is_idempotent and not self._begin(line, delivery, letter):
            _log.warning("a message was given up before it was sent", message_id=str(delivery.message_id))
            return
        try:
            reference = line.carrier.send(delivery.message_id, letter)
        except CarrierRefused as error:
            with self._turn:
                self._refused(line, delivery, letter, error)
                self._report()
        except CarrierUnavailable as error:
            self._not_taken(line, delivery, error)
        except Exception as error:  # whatever it is, nobody knows what it left behind
            broke = type(error).__name__
            _log.warning("handing a message over broke", message_id=str(delivery.message_id), error=broke)
            with self._turn:
                if line.carrier.is_idempotent:
                    self._not_now(delivery, broke)
                else:
                    self._clear_up(delivery, letter, since=self._arrears.clock.now())
                self._report()
        else:
            self._taken(line, delivery, letter, reference)

    def _begin(self, line: Line, delivery: Delivery, letter: Letter) -> bool:
        """From here on nobody knows whether it left, unless the carrier says that it certainly did not take it."""
        cipher, now = self._arrears.keys.get(delivery.account_id), self._arrears.clock.now()
        begun = Begun(
            delivery.message_id,
            sealed(letter, delivery.message_id, cipher),
            now,
            now + TO_CALL + line.carrier.answers_within,
        )
        self._begun_here.add(delivery.message_id)
        is_mine = queue.begin(line.connection.get(), self._owner, begun, after=line.before)
        line.before = None
        return is_mine

    def _taken(self, line: Line, delivery: Delivery, letter: Letter, reference: str | None) -> None:
        """What left is what the carrier took first, which may be another's text."""
        at = self._arrears.clock.now()
        if line.carrier.is_idempotent and delivery.is_claimed:
            first = line.carrier.took(delivery.message_id, Attempt(delivery.queued_at, lambda: letter))
            letter = first if isinstance(first, Letter) else letter
        line.before = Done(delivery.message_id, at, reference)
        self._has_left(delivery, letter, reference, at=at)

    def _not_taken(self, line: Line, delivery: Delivery, error: CarrierUnavailable) -> None:
        """Where nobody's message would be taken, this one has not tried in vain."""
        try:
            if isinstance(error, CarrierAway):
                raise error
            line.carrier.check()
        except CarrierUnavailable as away:
            line.away = away
        with self._turn:
            if line.away is None:
                self._not_now(delivery, said(error))
            else:
                self._begun_here.discard(delivery.message_id)
                back = Back(delivery.message_id, self._arrears.clock.now(), delivery.attempts)
                queue.put_back(self._connection, self._owner, [back])

    # --- what became of it ---

    def _not_now(self, delivery: Delivery, why: str) -> None:
        self._begun_here.discard(delivery.message_id)
        pause = min(_FIRST_PAUSE * 2 ** min(delivery.attempts, 16), _LONGEST_PAUSE)
        due_at = self._arrears.clock.now() + pause
        queue.put_back(self._connection, self._owner, [Back(delivery.message_id, due_at, delivery.attempts + 1, why)])

    def _has_left(
        self, delivery: Delivery, letter: Letter, reference: str | None, *, at: datetime | None = None
    ) -> None:
        command = ReportSent(
            account_id=delivery.account_id,
            message_id=delivery.message_id,
            subject=letter.subject,
            body=letter.body,
            body_sha256=letter.body_sha256,
            carrier_reference=reference,
            sent_at=at or self._arrears.clock.now(),
        )
        self._came(_Result(delivery, "sent", command))

    def _has_failed(
        self,
        delivery: Delivery,
        code: str,
        detail: str,
        message: MessageUnderWay | None = None,
        *,
        receipt: RecordReceipt | None = None,
    ) -> None:
        """The log of the process says which message and why, without its text."""
        more: dict[str, Any] = {}
        if message is not None:
            more = {
                "campaign_id": str(message.campaign_id) if message.campaign_id is not None else None,
                "plan_version": message.plan_version,
                "step": message.step_id,
                "language": message.language,
            }
        _log.warning("a message failed", message_id=str(delivery.message_id), code=code, **more)
        command = ReportFailed(account_id=delivery.account_id, message_id=delivery.message_id, code=code, detail=detail)
        self._came(_Result(delivery, "failed", command, receipt))

    def _refused(self, line: Line, delivery: Delivery, letter: Letter, error: CarrierRefused) -> None:
        """What the refusal says of the number or address for good is a receipt, as if it had been reported later: it
        holds on every account that has it. While nobody can say which they are, the message is handed over again."""
        if error.told is None or not says_something(error.told.receipt):
            self._has_failed(delivery, error.code, error.detail)
            return
        point = in_one_spelling(letter.channel, letter.to, letter.country)
        try:
            shared = accounts_with(line.connection.get(), self._arrears, letter.channel, point)
        except NotReady as problem:
            self._not_now(delivery, f"it was refused ({error.code}), and whose number or address it is: {problem}")
            return
        receipt = RecordReceipt(
            account_id=delivery.account_id,
            message_id=delivery.message_id,
            channel=letter.channel,
            receipt=error.told.receipt,
            code=error.told.code,
            detail=error.detail,
            point=point,
            at=self._arrears.clock.now(),
            shared_with=tuple(each for each in shared if each != delivery.account_id),
        )
        self._has_failed(delivery, error.code, error.detail, receipt=receipt)

    def _came(self, result: _Result) -> None:
        with self._turn:
            self._results.append(result)

    def _report(self, *, but: Collection[UUID] = ()) -> None:
        """Says in the log what became of them, and takes them out of the queue. `but` are left: the same messages are
        reported together however far the lines are."""
        with self._turn:
            came, self._results = self._results, [each for each in self._results if each.delivery.message_id in but]
        results = [each for each in came if each.delivery.message_id not in but]
        if not results:
            return
        results.sort(key=lambda each: each.delivery.position)
        commands = [self._command(each.delivery, each.act, each.command) for each in results]
        receipts = [self._receipt(each.delivery, each.receipt) for each in results if each.receipt is not None]
        outcomes = self._handle([*commands, *receipts])[: len(commands)]
        said_of = [each for each, outcome in zip(results, outcomes, strict=True) if outcome is not None]
        not_said = [each for each, outcome in zip(results, outcomes, strict=True) if outcome is None]
        queue.finish(self._connection, [each.delivery.message_id for each in said_of])
        later = self._arrears.clock.now() + _LONGEST_PAUSE
        queue.let_go(self._connection, self._owner, [each.delivery.message_id for each in not_said], due_at=later)
        for each in said_of:
            self._begun_here.discard(each.delivery.message_id)
            count_delivery(each.delivery.channel, each.act)

    # --- commands ---

    def _handle(self, commands: Sequence[Issued]) -> list[Outcome | None]:
        """None for one whose decision has a defect: the others of the batch are not held up by it."""
        outcomes: list[Outcome | None] = []
        for start in range(0, len(commands), _COMMANDS):
            outcomes += self._handle_some(commands[start : start + _COMMANDS])
        return outcomes

    def _handle_some(self, commands: Sequence[Issued]) -> Sequence[Outcome | None]:
        try:
            return self._arrears.handle(commands)
        except Exception as error:
            if not is_poison(error):
                raise
        return [self._handle_alone(each) for each in commands]

    def _handle_alone(self, issued: Issued) -> Outcome | None:
        try:
            [outcome] = self._arrears.handle([issued])
        except Exception as error:
            if not is_poison(error):
                raise
            _log.exception("a message cannot be decided on", command=issued.command.command_name)
            return None
        return outcome

    def _issued(self, delivery: Delivery, act: str, command: type[DispatchMessage] | type[ReconsiderMessage]) -> Issued:
        return self._command(delivery, act, command(account_id=delivery.account_id, message_id=delivery.message_id))

    def _receipt(self, delivery: Delivery, receipt: RecordReceipt) -> Issued:
        """The same command as of a report that says so later."""
        command_id = receipt_id(receipt.message_id, receipt.receipt)
        return replace(self._command(delivery, "receipt", receipt), command_id=command_id)

    @staticmethod
    def _command(delivery: Delivery, act: str, command: Command) -> Issued:
        """Whoever does it, it is the same command: what was done is not done again."""
        return Issued(
            command=command,
            command_id=identifier("delivery", act, delivery.message_id),
            actor=ACTOR,
            causation_id=delivery.event_id,
            correlation_id=delivery.correlation_id,
            keeps_refusal=False,
            traceparent=delivery.traceparent,
        )


def senders(
    arrears: Arrears,
    database: Database,
    carriers: Iterable[tuple[Channel, Carrier]],
    renderer: Renderer,
    *,
    files: Files | None = None,
    burst: timedelta = queue.BURST,
) -> list[Sender]:
    """One for each carrier: while one of them takes nothing, or is slow, the others go on."""
    channels: dict[Carrier, list[Channel]] = {}
    for channel, carrier in carriers:
        channels.setdefault(carrier, []).append(channel)
    troubles = Troubles(database)
    return [
        Sender(arrears, database, carrier, of, renderer, files=files, burst=burst, troubles=troubles)
        for carrier, of in channels.items()
    ]
