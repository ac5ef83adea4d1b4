"""What happened in the old log: three offices and their accounts for a quarter of a year, told over HTTP.

Each account's life is a generator that yields how many days pass until it goes on. Kept to show what is in the log;
the log itself is in `log/`, and nothing here is run by a test. Sets of codes and days have one member each: larger
ones are written in any order by that release.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.upgrade.world import World, details, usd, yen

Life = Iterator[float]
HOUR = 1 / 24

REMINDERS: dict[str, Any] = {
    "rules": {"min_dpd": 1, "min_amount": usd("10.00"), "flags_none": ["key"]},
    "steps": [
        {
            "id": "reminder", "title": "Friendly reminder", "days": 3, "channel": "email",
            "templates": {
                "en": {"subject": "Account {{ account_number }}", "body": "{{ currency }} {{ amount_due }} is due."},
                "es": {"subject": "Cuenta {{ account_number }}", "body": "{{ currency }} {{ amount_due }} pendientes."},
            },
        },
        {
            "id": "text", "title": "Short text", "days": 8, "channel": "sms",
            "templates": {"en": {"body": "{{ office }}: {{ amount_due }} is past due on {{ account_number }}."}},
        },
        {
            "id": "second", "title": "Second notice", "days": 12, "anchor": "engagement", "channel": "email",
            "templates": {"en": {"subject": "Second notice", "body": "Dear {{ customer_name }}, please pay."}},
        },
        {
            "id": "final", "title": "Final notice", "days": 25, "channel": "letter", "required": True,
            "templates": {"en": {"body": "{{ customer_name }}: final notice, {{ days_past_due }} days."}},
        },
    ],
}  # fmt: skip

KEY_ACCOUNTS: dict[str, Any] = {
    "rules": {"min_dpd": 5, "max_dpd": 60, "flags_any": ["key"], "segments": ["industry"], "countries": ["US"]},
    "steps": [
        {
            "id": "portal", "title": "Note in the portal", "days": 5, "channel": "portal",
            "templates": {"en": {"body": "{{ amount_due }} is open."}},
        },
    ],
}  # fmt: skip

BEFORE_AND_AFTER: dict[str, Any] = {
    "rules": {"min_dpd": -3, "min_amount": yen("1000"), "max_amount": yen("900000")},
    "window": {"opens": "10:00", "closes": "17:00"},
    "business_days_only": False,
    "steps": [
        {
            "id": "ahead", "title": "Before the day", "days": -3, "channel": "email",
            "templates": {"ja": {"subject": "お知らせ", "body": "{{ customer_name }} 様、{{ amount_due }} 円"}},
        },
        {
            "id": "after", "title": "After the day", "days": 4, "channel": "sms",
            "templates": {"ja": {"body": "{{ amount_due }} 円"}, "en": {"body": "{{ amount_due }} JPY is due."}},
        },
        {
            "id": "letter", "title": "Letter", "days": 15, "channel": "letter",
            "templates": {"en": {"body": "{{ customer_name }}: {{ amount_due }} JPY."}},
        },
    ],
}  # fmt: skip


def main_office(world: World) -> Life:
    """Dollars in New York; buckets and flags of its own, and again others later."""
    world.open_office("main", title="Tidewater Utilities", currency="USD", time_zone="America/New_York")
    flags = {
        "bankruptcy": {"title": "Bankruptcy", "blocks": True},
        "key": {"title": "Key account"},
        "vip": {"title": "Handle with care"},
        "watch": {"title": "On the watch list", "blocks": True},
    }
    world.settings("main", scheme=buckets(15, 45, 75), flags=flags, grace_days=2, limits={"max_per_minute": 600},
                   fee_service_types=["reconnection"])  # fmt: skip
    holidays = ["2026-05-25"]
    world.settings("main", calendar={"weekdays": [0, 1, 2, 3, 4], "holidays": holidays}, window=hours(9, 17))
    reminders = world.launch("main", "Reminders", REMINDERS)
    keys = world.launch("main", "Key accounts", KEY_ACCOUNTS)
    yield 24
    world.post(f"/v1/campaigns/{reminders}/pause", {"reason": "The texts are looked at."})
    yield 2
    world.post(f"/v1/campaigns/{reminders}/resume")
    yield 9
    world.settings("main", scheme=buckets(30, 60))
    yield 5
    revised = {**REMINDERS, "steps": [*REMINDERS["steps"][:2], {**REMINDERS["steps"][3], "days": 21}]}
    world.put(f"/v1/campaigns/{reminders}/plan", {"plan": revised, "reason": "One notice less."})
    yield 5
    until = (world.now + timedelta(days=2)).isoformat()
    world.post("/v1/offices/main/pause", {"paused_until": until, "reason": "A storm."})
    yield 15
    world.post(f"/v1/campaigns/{keys}/retire")
    yield 3
    world.settings("main", flags={**flags, "legal": {"title": "Legal action", "blocks": True}}, grace_days=3)


def tokyo_office(world: World) -> Life:
    """Yen, which have no cents; its zone was entered wrongly; one bucket scheme with names."""
    world.open_office("tokyo", title="Sumida Water", currency="JPY", time_zone="Asia/Dhaka")
    named = [("current", None, 0), ("early", 1, 20), ("late", 21, 50), ("old", 51, None)]
    scheme = {"buckets": [{"name": name, "from_dpd": low, "to_dpd": high} for name, low, high in named]}
    world.settings("tokyo", scheme=scheme, limits={"max_per_minute": 120})
    campaign = world.launch("tokyo", "Before and after", BEFORE_AND_AFTER)
    yield 2
    world.settings("tokyo", time_zone="Asia/Tokyo")
    yield 28
    world.post("/v1/offices/tokyo/pause", {"reason": "Golden week comes early."})
    yield 3
    world.post("/v1/offices/tokyo/resume")
    yield 52
    since, until = ((world.now + timedelta(days=days)).isoformat() for days in (-1, 7))
    pause = {"paused_from": since, "paused_until": until, "reason": "A wrong text."}
    world.post(f"/v1/campaigns/{campaign}/pause", pause)


def berlin_office(world: World) -> Life:
    """Opened by a billing file; the file comes again with one amount corrected."""
    yield 10
    world.import_file("billing.csv")
    yield 30
    world.import_file("billing-again.csv")


# --- accounts in New York ----------------------------------------------------------------------------


def fleet(world: World) -> Life:
    """An invoice every day, paid in lumps that name none: hundreds of events, and so snapshots."""
    fleet = world.account("main", "M-01", "Harborview Freight LLC", kind="commercial", segment="industry")
    fleet.post("subscriptions", {"number": "S-1", "service_type": "energy", "started_on": "2025-11-01",
                                 "initial_discount": usd("25.00")})  # fmt: skip
    for nth in range(1, 86):
        fleet.bill(f"M-01-{nth:02}", usd(f"{90 + nth}.{nth:02}"), terms=14, service_type="energy", subscription="S-1",
                   charges=usd(f"{100 + nth}.{nth:02}"))  # fmt: skip
        if nth % 5 == 0:
            fleet.pay(f"L-{nth}", usd("607.77"), method="check")
        if nth % 9 == 0:
            fleet.credit(f"K-{nth}", usd("12.34"))
        yield 1


def prompt(world: World) -> Life:
    """Pays each invoice by its number, on time."""
    ada = world.account("main", "M-02", "Ada Byron")
    for nth in range(1, 4):
        ada.bill(f"M-02-{nth}", usd("45.60"), terms=20)
        yield 15
        ada.pay(f"M-02-P{nth}", usd("45.60"), invoice=f"M-02-{nth}", method="card")
        yield 13


def bounced(world: World) -> Life:
    """Payments come back in each way there is."""
    carl = world.account("main", "M-03", "Carl Gauss")
    for nth, reversal in enumerate(("nsf", "chargeback", "refund", "error")):
        carl.bill(f"M-03-{nth}", usd("80.00"), terms=10)
        yield 12
        carl.pay(f"M-03-P{nth}", usd("100.00"), invoice=f"M-03-{nth}" if nth % 2 else None, method="transfer")
        yield 4
        carl.post(f"payments/M-03-P{nth}/reversal", {"reversal": reversal, "reversed_on": carl.today(),
                                                     "reason": "The bank says so."})  # fmt: skip
        yield 2


def keeps_promises(world: World) -> Life:
    """One promise kept; one kept, taken back by the bank, and kept again."""
    emmy = world.account("main", "M-04", "Emmy Noether")
    emmy.bill("M-04-1", usd("120.00"), terms=10)
    yield 20
    emmy.call("spoke-to-customer", "She was away; pays on Friday.")
    emmy.promise((5, usd("120.00")), assignee="dana.whitfield", notes="By phone.")
    yield 5
    emmy.pay("M-04-P1", usd("120.00"), method="card")
    emmy.bill("M-04-2", usd("150.00"), terms=10)
    yield 15
    emmy.promise((20, usd("100.00")))
    yield 5
    emmy.pay("M-04-P2", usd("110.00"))
    yield 4
    emmy.post("payments/M-04-P2/reversal", {"reversal": "nsf", "reversed_on": emmy.today()})
    yield 6
    emmy.pay("M-04-P3", usd("150.00"))


def breaks_promises(world: World) -> Life:
    """One broken; one kept in part, whose one payment then comes back too; a third is open."""
    rolf = world.account("main", "M-05", "Rolf Nevanlinna")
    rolf.bill("M-05-1", usd("210.00"), terms=5)
    yield 10
    rolf.promise((4, usd("210.00")), assignee="ruben.sorel")
    yield 20
    rolf.promise((5, usd("70.00")), (12, usd("70.00")), (19, usd("70.00")))
    yield 4
    rolf.pay("M-05-P1", usd("70.00"))
    yield 16
    rolf.post("payments/M-05-P1/reversal", {"reversal": "chargeback", "reversed_on": rolf.today()})
    yield 34
    rolf.promise((30, usd("150.00")), notes="The third one.")


def moves_promises(world: World) -> Life:
    """One rescheduled and withdrawn, one backdated, rescheduled, and overtaken by a payment."""
    sonya = world.account("main", "M-06", "Sonya Kovalevskaya", language="es")
    sonya.bill("M-06-1", usd("64.00"), terms=8)
    yield 15
    promise = sonya.promise((6, usd("64.00")))
    yield 3
    sonya.reschedule(promise, (4, usd("32.00")), (8, usd("32.00")))
    yield 2
    sonya.delete(f"promises/{promise}", reason="She disputes it now.")
    yield 20
    again = sonya.promise((5, usd("40.00")), effective_on=sonya.today(-2))
    yield 2
    sonya.reschedule(again, (9, usd("40.00")))
    yield 1
    sonya.pay("M-06-P1", usd("50.00"))


def disputes(world: World) -> Life:
    """A dispute resolved with a credit, one over everything, one backdated and still open."""
    georg = world.account("main", "M-07", "Georg Cantor")
    for nth in range(3):
        georg.bill(f"M-07-{nth}", usd(f"{30 + nth}.00"), terms=10)
    yield 14
    dispute = georg.post("disputes", {"invoice_numbers": ["M-07-0"], "reason_code": "meter-reading",
                                      "notes": "Reads 7, not 1."})["id"]  # fmt: skip
    yield 10
    georg.credit("M-07-K", usd("15.00"), invoice="M-07-0")
    georg.post(f"disputes/{dispute}/resolution", {"resolution": "credited"})
    yield 10
    everything = georg.post("disputes", {"reason_code": "not-delivered"})["id"]
    yield 3
    georg.pay("M-07-P", usd("20.00"))
    yield 9
    georg.post(f"disputes/{everything}/resolution", {"resolution": "unfounded"})
    yield 30
    georg.command("open-dispute", {"invoice_numbers": ["M-07-2"], "reason_code": "late"}, effective_on=georg.today(-3))


def held(world: World) -> Life:
    """A hold that ends by itself, one without an end that is released, one in force."""
    leo = world.account("main", "M-08", "Leonhard Euler", kind="commercial", segment="retail")
    leo.bill("M-08-1", usd("512.00"), terms=7)
    yield 9
    leo.post("holds", {"code": "moving", "until": leo.today(10), "reason": "Moves house."})
    yield 25
    hold = leo.post("holds", {"code": "hardship", "reason": "Lost the job."})["id"]
    yield 9
    leo.delete(f"holds/{hold}", reason="Found another.")
    yield 40
    leo.post("holds", {"code": "plan", "until": leo.today(21), "reason": "A plan is being worked out."})


def flagged(world: World) -> Life:
    """Flags that block, flags that put the account into another campaign."""
    david = world.account("main", "M-09", "David Hilbert", kind="commercial", segment="industry", country="US")
    david.bill("M-09-1", usd("700.00"), terms=4)
    yield 6
    david.put("flags/watch", reason="A rumour.")
    yield 12
    david.delete("flags/watch", reason="Only a rumour.")
    david.put("flags/key")
    yield 12
    david.bill("M-09-2", usd("300.00"), terms=4)
    yield 20
    david.put("flags/vip")
    david.put("flags/bankruptcy", reason="A letter came.")


def excluded(world: World) -> Life:
    """Excluded, let in again, excluded; nobody may set a stage."""
    srin = world.account("main", "M-10", "Srinivasa Ramanujan")
    srin.bill("M-10-1", usd("17.29"), terms=6)
    yield 8
    srin.put("exclusion", {"reason": "The owner calls him."})
    yield 20
    srin.delete("exclusion", reason="He was not reached.")
    srin.refused(409, "PUT", "stage", {"stage": "engaged"})
    yield 40
    srin.put("exclusion", {"reason": "The owner calls him again."})


def worked(world: World) -> Life:
    """Calls, notes and follow-ups; a customer further west who changes address, opts out and in, and refuses."""
    kurt = world.account("main", "M-11", "Kurt Gödel", contact=details("kurt", time_zone="America/Los_Angeles"))
    kurt.bill("M-11-1", usd("99.99"), terms=3)
    yield 2
    kurt.call("no-answer", "Nobody picked up.", follow_up=3)
    yield 2
    activity = kurt.call("left-message", None, follow_up=10)
    kurt.post("activities", {"kind": "note", "direction": "internal", "notes": "Prefers letters. 🖋"})
    yield 6
    kurt.post(f"activities/{activity}/follow-up/completion")
    kurt.post("opt-outs", {"channel": "email", "point_id": "email-1", "reason": "Asked on the phone."})
    yield 7
    kurt.put("contact", {**details("kurt.new"), "emails": [{"id": "email-2", "address": "kurt@example.com"}]})
    yield 5
    kurt.delete("opt-outs/email?point_id=email-1")
    kurt.command("record-consent", {"channel": "sms", "point_id": "phone-1", "consent": "refused"})
    yield 30
    kurt.post("activities", {"kind": "portal-visit", "direction": "inbound", "assignee": "mei.tanaka"})
    kurt.post("opt-outs", {"channel": "letter"})
    yield 30
    kurt.call("spoke-to-third-party", "His wife answered.", follow_up=9)


def corrected(world: World) -> Life:
    """Old invoices known late, a fee, and every kind of correction."""
    john = world.account("main", "M-12", "John von Neumann", kind="commercial")
    john.bill("M-12-old", usd("333.33"), issued=-70, terms=30, marked_disputed=True)
    john.bill("M-12-fee", usd("5.00"), issued=-20, terms=0, kind="fee", service_type="late-fee")
    yield 6
    john.pay("M-12-P", usd("200.00"))
    john.credit("M-12-K", usd("40.00"), invoice="M-12-old")
    yield 10
    john.correct_invoice("M-12-old", usd("313.33"), issued=-86, terms=45)
    yield 5
    john.command("correct-payment", {"number": "M-12-P", "amount": usd("220.00"), "received_on": john.today(-16),
                                     "method": "transfer"}, reason="Read wrongly.")  # fmt: skip
    yield 5
    john.command("correct-credit", {"number": "M-12-K", "amount": usd("10.00"), "issued_on": john.today(-20)})
    yield 5
    john.correct_invoice("M-12-old", usd("215.00"), issued=-96, terms=45)
    yield 20
    john.bill("M-12-new", usd("77.00"), terms=9, information={"Meter": "0815", "Note": "Läuft rückwärts"})


def in_the_future(world: World) -> Life:
    """Facts that wait for their day; some are corrected while they wait, some have come, some have not."""
    alan = world.account("main", "M-13", "Alan Turing")
    alan.bill("M-13-1", usd("60.00"), issued=10, terms=10)
    alan.pay("M-13-P1", usd("25.00"), received=15)
    alan.credit("M-13-K1", usd("5.00"), issued=18)
    yield 5
    alan.correct_invoice("M-13-1", usd("66.00"), issued=5, terms=12)
    yield 70
    alan.bill("M-13-2", usd("70.00"), issued=40, terms=10, information={"Order": "Christopher"})
    alan.pay("M-13-P2", usd("10.00"), received=30, invoice="M-13-2")
    alan.bill("M-13-3", usd("30.00"), issued=5, terms=10)


def late(world: World) -> Life:
    """Begins near the end: what is planned for it is still ahead."""
    yield 80
    maryam = world.account("main", "M-19", "Maryam Mirzakhani", country="US")
    maryam.bill("M-19-1", usd("130.00"), issued=-25, terms=30)
    maryam.bill("M-19-2", usd("90.00"), terms=30)
    yield 5
    maryam.call("left-message", "Calls back.", follow_up=12)
    maryam.promise((10, usd("60.00")), assignee="mei.tanaka")


def waiting(world: World) -> Life:
    """Money for an invoice that comes later, and a message that is overtaken by a payment."""
    paul = world.account("main", "M-14", "Paul Erdős", segment="retail")
    paul.pay("M-14-P1", usd("55.00"), invoice="M-14-1")
    yield 9
    paul.bill("M-14-1", usd("60.00"), terms=10)
    yield 4
    paul.pay("M-14-P2", usd("11.00"), invoice="M-14-9")
    paul.bill("M-14-2", usd("40.00"), terms=3)
    yield 8 - HOUR  # the send window opens, and a step is due
    world.take_steps()
    paul.pay("M-14-P3", usd("45.00"))


def erased(world: World) -> Life:
    """Renamed, known by more than a name, and at the end a person who was erased."""
    nina = world.account("main", "M-15", "Nina Bari", information={"Door": "Second floor"})
    nina.bill("M-15-1", usd("88.00"), terms=5)
    yield 10
    nina.call("spoke-to-customer", "Married; pays soon.")
    nina.command("open-account", {"office_id": world.office_ids["main"], "number": "M-15", "currency": "USD",
                                  "customer_name": "Nina Nemytskii", "segment": "household", "country": "US",
                                  "information": {"Door": "Third floor"}})  # fmt: skip
    yield 12
    nina.pay("M-15-P", usd("88.00"))
    yield 40
    world.erase(nina)


# --- what the carrier made of it ---------------------------------------------------------------------


def undeliverable(world: World) -> Life:
    """The carrier knows nobody there: the message failed."""
    niels = world.account("main", "M-16", "Niels Abel", contact=details("nobody"))
    niels.bill("M-16-1", usd("23.00"), terms=2)
    yield 0


def uncertain(world: World) -> Life:
    """The carrier broke in the middle, and later could not say what it had done."""
    evariste = world.account("main", "M-17", "Évariste Galois", contact=details("breaks"))
    evariste.bill("M-17-1", usd("24.00"), terms=2)
    yield 12
    world.retry(evariste)
    yield 40
    evariste.bill("M-17-2", usd("19.00"), terms=2)


def given_up(world: World) -> Life:
    """The same, and a person gave the event up."""
    felix = world.account("main", "M-18", "Felix Klein", contact=details("breaks-for-good"))
    felix.bill("M-18-1", usd("25.00"), terms=2)
    yield 12
    world.discard(felix, reason="The carrier never answered.")


# --- accounts in Tokyo -------------------------------------------------------------------------------


def in_yen(world: World) -> Life:
    """A company that pays in parts."""
    teiji = world.account("tokyo", "T-01", "高木製作所", kind="commercial", country="JP")
    for nth in range(1, 4):
        teiji.bill(f"T-01-{nth}", yen(f"{48_000 + nth}"), terms=10)
        yield 18
        teiji.pay(f"T-01-P{nth}", yen("20000"))
        yield 9
    teiji.promise((6, yen("30000")), (14, yen("30000")))
    yield 3
    teiji.pay("T-01-P9", yen("12345"))


def in_japanese(world: World) -> Life:
    """Texts without consent are refused, then consent comes; a discount, a dispute, a hold."""
    kiyoshi = world.account("tokyo", "T-02", "岡潔", language="ja", contact=details("kiyoshi", consent="unknown"))
    kiyoshi.bill("T-02-1", yen("5400"), terms=6, charges=yen("6000"), service_type="water")
    yield 16
    kiyoshi.command("record-consent", {"channel": "sms", "point_id": "phone-1", "consent": "given"})
    kiyoshi.bill("T-02-2", yen("5200"), terms=6)
    yield 30
    dispute = kiyoshi.post("disputes", {"invoice_numbers": ["T-02-1"], "reason_code": "leak"})["id"]
    yield 5
    kiyoshi.post(f"disputes/{dispute}/resolution", {"resolution": "halved"})
    kiyoshi.credit("T-02-K", yen("2700"), invoice="T-02-1")
    kiyoshi.post("holds", {"code": "illness", "until": kiyoshi.today(40), "reason": "In hospital."})


def overpaid(world: World) -> Life:
    """Pays more than is owed: there is credit left."""
    kunihiko = world.account("tokyo", "T-03", "小平邦彦")
    kunihiko.bill("T-03-1", yen("3000"), terms=30)
    yield 25
    kunihiko.pay("T-03-P1", yen("4500"), invoice="T-03-1")
    yield 30
    kunihiko.bill("T-03-2", yen("700"), issued=-60, terms=30)


LIVES = (
    main_office, tokyo_office, berlin_office, fleet, prompt, bounced, keeps_promises, breaks_promises, moves_promises,
    disputes, held, flagged, excluded, worked, corrected, in_the_future, late, waiting, erased, undeliverable,
    uncertain, given_up, in_yen, in_japanese, overpaid,
)  # fmt: skip
"""All begin at the same moment, in this order."""


def buckets(*upper_bounds: int) -> dict[str, Any]:
    """Buckets that end on these days past due, named by their ends."""
    edges = [0, *upper_bounds]
    closed = [
        {"name": f"{low + 1}-{high}", "from_dpd": low + 1, "to_dpd": high}
        for low, high in zip(edges, upper_bounds, strict=False)
    ]
    current = {"name": "current", "from_dpd": None, "to_dpd": 0}
    return {"buckets": [current, *closed, {"name": f"over {edges[-1]}", "from_dpd": edges[-1] + 1, "to_dpd": None}]}


def hours(opens: int, closes: int) -> dict[str, str]:
    return {"opens": f"{opens:02}:00", "closes": f"{closes:02}:00"}
