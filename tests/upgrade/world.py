"""What the story is told with: a service at a time that is set, its HTTP door, and what has no door."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from adapters.billing.importer import OfficeDefaults
from adapters.clock import ManualClock
from adapters.delivery.carrier import Attempt, CarrierRefused
from adapters.delivery.carrier import Carrier as AnyCarrier
from adapters.delivery.rendering import Letter
from aggregates.account.activities import ActivityKind, RecordActivity
from aggregates.kernel.command import Command, Issued, identifier
from aggregates.reader import DiscardEvent
from api.application.play import live_through
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client

BILLING = Path(__file__).parent / "billing"
PEOPLE = ("dana.whitfield", "ruben.sorel", "mei.tanaka")
Json = dict[str, Any]


def usd(amount: str) -> Json:
    return {"amount": amount, "currency": "USD"}


def yen(amount: str) -> Json:
    return {"amount": amount, "currency": "JPY"}


def details(name: str, *, language: str = "en", consent: str = "given", time_zone: str | None = None) -> Json:
    """An address, a mobile number and a mailbox of somebody's."""
    digits = sum(name.encode()) % 10_000
    return {
        "addresses": [{"id": "address-1", "lines": [f"{digits % 90} Elm Street"], "city": "Millbrook",
                       "region": "NY", "postal_code": "12545", "country": "US"}],
        "phones": [{"id": "phone-1", "number": f"+1 845 555 {digits:04}", "kind": "mobile", "sms_consent": consent}],
        "emails": [{"id": "email-1", "address": f"{name}@example.com", "consent": consent}],
        "language": language,
        "time_zone": time_zone,
    }  # fmt: skip


class Carrier(AnyCarrier):
    """Knows nobody called `nobody`, and breaks in the middle of what is for somebody in `broken`."""

    is_idempotent = False
    answers_within = timedelta(seconds=10)

    def __init__(self) -> None:
        self.broken = {"breaks@example.com", "breaks-for-good@example.com"}
        self._asked: dict[UUID, str] = {}

    def send(self, message_id: UUID, letter: Letter) -> str:
        self._asked[message_id] = letter.to
        if letter.to == "nobody@example.com":
            raise CarrierRefused("no-such-mailbox", f"550 {letter.to} is not known here")
        self._break(letter.to)
        return f"carrier-{message_id.hex[:8]}"

    def took(self, message_id: UUID, attempt: Attempt) -> Letter | bool | None:
        self._break(self._asked.get(message_id, ""))
        return None

    def _break(self, to: str) -> None:
        if to in self.broken:
            raise RuntimeError("the carrier does not answer")


@dataclass
class World:
    """Requests are numbered; the number is their Idempotency-Key. `asked` has each with its answer."""

    service: StepByStep
    client: Client
    carrier: Carrier = field(default_factory=Carrier)
    asked: list[Json] = field(default_factory=list)
    office_ids: dict[str, str] = field(default_factory=dict)
    zones: dict[str, ZoneInfo] = field(default_factory=dict)
    accounts: "dict[str, Account]" = field(default_factory=dict)

    @property
    def clock(self) -> ManualClock:
        clock = self.service.clock
        assert isinstance(clock, ManualClock)
        return clock

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def live(self, lives: "Sequence[Callable[[World], Iterator[float]]]", *, until: datetime) -> None:
        """Everybody's life from now on, each in its own steps, with the ticks of the days between."""
        waiting = [(self.now, place, life(self)) for place, life in enumerate(lives)]
        while waiting:
            moment, place, life = heapq.heappop(waiting)
            live_through(self.service, self.clock, until=moment)
            self.clock.set(max(moment, self.now))
            days = next(life, None)
            self.service.drain()
            if days is not None and moment + timedelta(days=days) < until:
                heapq.heappush(waiting, (moment + timedelta(days=days), place, life))
        live_through(self.service, self.clock, until=until)
        self.clock.set(until)
        self.service.tick()

    # --- by HTTP ---

    def request(self, method: str, path: str, json: Any = None, *, reason: str | None = None) -> Json:
        number = len(self.asked) + 1
        headers = {"X-Actor": PEOPLE[number % len(PEOPLE)], "Idempotency-Key": f"old-{number}"}
        if reason is not None:
            headers["X-Reason"] = reason
        answer = self.client.done(method, path, json, headers=headers)
        self.asked.append({"method": method, "path": path, "headers": headers, "json": json, "answer": answer})
        return answer

    def post(self, path: str, json: Any = None, *, reason: str | None = None) -> Json:
        return self.request("POST", path, json, reason=reason)

    def put(self, path: str, json: Any = None, *, reason: str | None = None) -> Json:
        return self.request("PUT", path, json, reason=reason)

    def open_office(self, code: str, *, title: str, currency: str, time_zone: str) -> None:
        body = {"code": code, "title": title, "currency": currency, "time_zone": time_zone, "reason": "We begin."}
        self.office_ids[code] = self.post("/v1/offices", body)["id"]
        self.zones[code] = ZoneInfo(time_zone)

    def settings(self, code: str, **sections: Any) -> None:
        self.request("PATCH", f"/v1/offices/{code}", {**sections, "reason": "As agreed."})
        self.zones[code] = ZoneInfo(sections.get("time_zone", self.zones[code].key))

    def launch(self, office: str, title: str, plan: Json) -> str:
        campaign: str = self.post("/v1/campaigns", {"office": office, "title": title, "plan": plan})["id"]
        return campaign

    def account(
        self,
        office: str,
        number: str,
        name: str,
        *,
        kind: str = "consumer",
        segment: str | None = None,
        country: str | None = None,
        language: str = "en",
        contact: Json | None = None,
        information: Json | None = None,
    ) -> "Account":
        contact = contact or details(number.casefold(), language=language)
        who = {"number": number, "customer_name": name, "currency": "JPY" if office == "tokyo" else "USD",
               "customer_kind": kind, "segment": segment, "country": country, "contact": contact}  # fmt: skip
        if information is None:
            opened = self.post("/v1/accounts", {"office": office, **who})
        else:
            body = {"office_id": self.office_ids[office], **who, "information": information}
            opened = self.post("/v1/commands", {"name": "open-account", "body": body})
        self.accounts[number] = Account(self, opened["id"], office)
        return self.accounts[number]

    # --- what has no door ---

    def take_steps(self) -> None:
        """What is due now is queued, and not delivered yet."""
        self.service.ticker.tick(self.now)

    def import_file(self, name: str) -> None:
        defaults = OfficeDefaults(code="berlin", time_zone="Europe/Berlin")
        report = self.service.import_file(BILLING / name, "invoices", defaults=defaults)
        assert not report.refused, report

    def note_with_a_trace(self, account: "Account") -> None:
        """As a request would leave it that came with a trace."""
        note = RecordActivity(account_id=UUID(account.id), kind=ActivityKind.NOTE, notes="Traced.")
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        self._issue(note, identifier("old", "traced"), actor="service:tracing", traceparent=trace)

    def erase(self, account: "Account") -> None:
        self.service.arrears.keys.destroy(UUID(account.id))

    def retry(self, account: "Account") -> None:
        """The carrier answers again, and does not know what it sent."""
        self.carrier.broken.remove("breaks@example.com")
        retried = self._delivery.retry(UUID(account.id))
        assert retried.handled, retried

    def discard(self, account: "Account", *, reason: str) -> None:
        self._delivery.discard(
            self._first_parked(account),
            on_discard=lambda letter: self._issue(
                DiscardEvent(
                    reader=letter.reader,
                    position=letter.position,
                    event_id=letter.event_id,
                    event_name=letter.event_name,
                ),
                identifier("discard", letter.reader, letter.position),
                actor="person:dana.whitfield",
                reason=reason,
            ),
        )

    def _first_parked(self, account: "Account") -> int:
        with self.service.database.connect("arrears_app") as connection:
            row = connection.execute(
                "SELECT min(position) FROM read_model.dead_letters WHERE account_id = %s AND state = 'parked'",
                [account.id],
            ).fetchone()
        assert row is not None
        return int(row[0])

    @property
    def _delivery(self) -> Any:
        return next(runner for runner in self.service.runners if runner.name == "delivery")

    def _issue(self, command: Command, command_id: UUID, **more: Any) -> None:
        self.service.arrears.handle([Issued(command=command, command_id=command_id, **more)])


@dataclass(frozen=True)
class Account:
    """An account, and what is asked of it. Days are counted from its office's today."""

    world: World
    id: str
    office: str

    def today(self, ahead: int = 0) -> str:
        local: date = self.world.now.astimezone(self.world.zones[self.office]).date()
        return (local + timedelta(days=ahead)).isoformat()

    def post(self, path: str, json: Any = None) -> Json:
        return self.world.post(f"/v1/accounts/{self.id}/{path}", json)

    def put(self, path: str, json: Any = None, *, reason: str | None = None) -> Json:
        return self.world.put(f"/v1/accounts/{self.id}/{path}", json, reason=reason)

    def delete(self, path: str, *, reason: str | None = None) -> Json:
        return self.world.request("DELETE", f"/v1/accounts/{self.id}/{path}", reason=reason)

    def refused(self, status: int, method: str, path: str, json: Any) -> None:
        self.world.client.refused(status, method, f"/v1/accounts/{self.id}/{path}", json)

    def command(self, name: str, body: Json, *, effective_on: str | None = None, reason: str | None = None) -> Json:
        whole = {"name": name, "body": {**({"account_id": self.id} if name != "open-account" else {}), **body}}
        if effective_on is not None:
            whole["effective_on"] = effective_on
        return self.world.post("/v1/commands", whole, reason=reason)

    def bill(self, number: str, amount: Json, *, terms: int, issued: int = 0, **more: Any) -> None:
        """`issued` and `terms` in days: from today, and from the day of issue."""
        body = {"number": number, "issued_on": self.today(issued), "due_on": self.today(issued + terms),
                "amount": amount, **more}  # fmt: skip
        if "charges" in more or "information" not in more:
            self.post("invoices", body)
        else:
            self.command("bill-invoice", body)

    def correct_invoice(self, number: str, amount: Json, *, issued: int, terms: int) -> None:
        body = {"number": number, "issued_on": self.today(issued), "due_on": self.today(issued + terms),
                "amount": amount}  # fmt: skip
        self.command("correct-invoice", body)

    def pay(
        self, number: str, amount: Json, *, invoice: str | None = None, method: str | None = None, received: int = 0
    ) -> None:
        body = {"number": number, "amount": amount, "received_on": self.today(received), "method": method,
                "invoice_number": invoice}  # fmt: skip
        self.post("payments", body)

    def credit(self, number: str, amount: Json, *, invoice: str | None = None, issued: int = 0) -> None:
        self.post("credits", {"number": number, "amount": amount, "issued_on": self.today(issued),
                              "invoice_number": invoice})  # fmt: skip

    def call(self, disposition: str, notes: str | None, *, follow_up: int | None = None) -> str:
        """The activity's id."""
        body = {"kind": "call", "disposition": disposition, "notes": notes, "assignee": "dana.whitfield",
                "follow_up_on": None if follow_up is None else self.today(follow_up)}  # fmt: skip
        activity: str = self.post("activities", body)["id"]
        return activity

    def promise(
        self,
        *instalments: tuple[int, Json],
        assignee: str | None = None,
        notes: str | None = None,
        effective_on: str | None = None,
    ) -> str:
        """The promise's id. An instalment is in so many days."""
        body: Json = {"instalments": self._instalments(instalments), "assignee": assignee, "notes": notes}
        if effective_on is None:
            promise: str = self.post("promises", body)["id"]
            return promise
        promise = str(identifier("old promise", self.id, len(self.world.asked)))
        self.command("make-promise", {"promise_id": promise, **body}, effective_on=effective_on)
        return promise

    def reschedule(self, promise: str, *instalments: tuple[int, Json]) -> None:
        body = {"instalments": self._instalments(instalments)}
        self.world.request("PATCH", f"/v1/accounts/{self.id}/promises/{promise}", body)

    def _instalments(self, instalments: Sequence[tuple[int, Json]]) -> list[Json]:
        return [{"due_on": self.today(days), "amount": amount} for days, amount in instalments]
