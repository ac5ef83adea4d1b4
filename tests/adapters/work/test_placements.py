"""Placements from end to end: in bulk, in a file that arrives once, answered by an agency, and taken back."""

import csv
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from pysequoia import Tsk, decrypt

from adapters.clock import SystemClock
from adapters.delivery.carrier import CarrierUnavailable
from adapters.placement import answers
from adapters.placement.answers import AnswerProblem, lines_of
from adapters.placement.channels import ByHttps
from adapters.placement.layouts import layout_for
from adapters.placement.sender import PlacementSender, Sent
from adapters.placement.writing import sha256_of
from aggregates.account import Account
from aggregates.account.contact_history import FactKind, RecordContactFact, WithdrawContactFact
from aggregates.account.customer import OpenAccount
from aggregates.account.payments import CorrectPayment, ReceivePayment, ReversePayment
from aggregates.account.placement import PlaceAccount, RecallPlacement
from aggregates.account.receivables import ReversalKind
from aggregates.account.write_offs import WriteOffDebt
from aggregates.office import Office, SetAgency
from aggregates.placement_file import AcknowledgeFile, FileContents, PlacementFile, RedeliverFile, RequestFile
from aggregates.values.agency import Agency, AgencyChannel
from aggregates.values.contact import ContactDetails, EmailAddress
from aggregates.values.money import Money
from api.application.placements import AnswersRead, read_answers
from projections.questions.placements import (
    PlacementFileView,
    PlacementView,
    account_names,
    commissions,
    placement_files,
    placements,
    since_itemization,
)
from tests.adapters.delivery.carriers.sftp_server import Does, SftpServer
from tests.adapters.work.conftest import NOW, OFFICE, Plant
from tests.adapters.work.test_bulk import CARLA, Bulk
from tests.waiting import wait_until

TERMS = Agency(title="Acme Recovery", commission_bp=2_500)


def rows_in(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as content:
        return list(csv.DictReader(content))


class Placements(Bulk):
    """The accounts of a plant, which an agency can be given."""

    def place(self, kind: str = "placement") -> UUID:
        bulk_id = self.preview(kind, agency="acme")
        self.confirm(bulk_id)
        return bulk_id

    @property
    def outbox(self) -> Path:
        return Path(self.plant.env["ARREARS_OUTBOX"])

    @property
    def folder(self) -> Path:
        return self.outbox / "agencies" / "acme"

    def found(self, **asked: Any) -> Mapping[str, PlacementView]:
        with self.plant.database.connect("arrears_app") as connection:
            return {each.account: each for each in placements(connection, limit=500, **asked).rows}

    @property
    def files(self) -> tuple[PlacementFileView, ...]:
        """The newest first."""
        with self.plant.database.connect("arrears_app") as connection:
            return placement_files(connection).rows

    def acknowledged(self) -> bool | None:
        """Whether the agency received the last file as it was."""
        return self.files[0].matches

    def read(self, content: str, *, dry_run: bool = False) -> AnswersRead:
        office = self.plant.service.arrears.load(Office, OFFICE)
        came = read_answers(self.issuing, CARLA, office, "acme", content, dry_run=dry_run)
        self.plant.service.drain()
        return came

    def ask_for(self, contents: FileContents) -> None:
        self.plant.do(RequestFile(file_id=uuid4(), office_id=OFFICE, agency="acme", contents=contents))
        self.plant.service.drain()

    def rows_of(self, contents: str) -> list[dict[str, str]]:
        (file,) = self.folder.glob(f"acme-{contents}-*.csv")
        return rows_in(file)

    def commission(self) -> tuple[int, Decimal, Decimal, int]:
        """Payments, what the agency collected and what it keeps, and payments that were taken back."""
        with self.plant.database.connect("arrears_app") as connection:
            (found,) = commissions(connection, agency="acme")
        return found.payments, found.collected, found.commission, found.taken_back

    def stages(self) -> dict[str, str]:
        accounts = (self.plant.service.arrears.load(Account, each) for each in self.plant.accounts)
        return {each.customer.number: each.collections_stage.stage.value for each in accounts}


@pytest.fixture
def placed(plant: Plant) -> Placements:
    email = ContactDetails(emails=(EmailAddress(id="email-1", address="ann@example.com"),))
    numbers = [f"A-{n}" for n in range(plant.most_accounts)]
    plant.do(
        SetAgency(office_id=OFFICE, code="acme", agency=TERMS),
        *[
            OpenAccount(office_id=OFFICE, number=n, customer_name="=Ann Lee", currency="USD", contact=email)
            for n in numbers
        ],
    )
    plant.service.drain()
    return Placements(plant)


@contextmanager
def an_agency(folder: Path, answers: Path) -> Iterator[None]:
    folder.mkdir(parents=True)
    answers.mkdir()
    command = [sys.executable, str(Path(__file__).with_name("agency.py")), str(folder), str(answers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


def test_an_agency_answers_late_twice_in_part_and_of_unknown_accounts(placed: Placements, tmp_path: Path):
    """Each payment counts once, gross; what is wrong is named with its line; no acknowledgement is an alarm."""
    answers = tmp_path / "answers"
    with an_agency(placed.folder, answers):
        placed.place()
        wait_until((answers / "2.csv").exists, "the agency answers")
    (file,) = placed.files
    assert [file.state, file.accounts, file.total, file.matches] == ["delivered", 7, 700, None]
    assert set(placed.stages().values()) == {"sent"}

    placed.plant.service.tick(NOW + timedelta(days=4))  # three business days are over
    assert placed.files[0].overdue_on == date(2026, 3, 6)
    assert placed.plant.service.arrears.load(PlacementFile, file.id).is_overdue
    assert all(each.state == "sent" for each in placed.found().values())

    first = (answers / "1.csv").read_text(encoding="utf-8")
    assert placed.read(first, dry_run=True).done == {"acknowledgement": 1, "payment": 3}
    came = placed.read(first)
    assert (came.done, came.known, came.rejected) == ({"acknowledgement": 1, "payment": 3}, 0, 0)
    assert placed.acknowledged() is False
    assert placed.read(first).known == 4

    came = placed.read((answers / "2.csv").read_text(encoding="utf-8"))
    assert came.done == {
        "acknowledgement": 1, "accepted": 1, "adjustment": 1, "dispute": 1, "closure": 1, "rejection": 1,
    }  # fmt: skip
    assert (came.known, [(each.line, each.account, each.code) for each in came.problems]) == (
        3, [(7, "Z-9", "unknown-account"), (8, placed.rows_of("new")[0]["account_number"], "bad-row")]
    )  # fmt: skip
    assert placed.acknowledged() is True
    states = sorted(each.state for each in placed.found().values())
    assert states == ["closed", "rejected", "sent", "sent", "sent", "sent", "sent"]
    with placed.plant.database.connect("arrears_app") as connection:
        (commission,) = commissions(connection, agency="acme")
    assert [commission.payments, commission.collected, commission.commission, commission.net] == [3, 120, 30, 90]
    accounts = [placed.plant.service.arrears.load(Account, each) for each in placed.plant.accounts]
    assert sorted(each.receivables.balance.minor for each in accounts) == [6_000] * 3 + [10_000] * 4


def test_the_file_has_every_account_its_invoices_and_a_trailer_and_no_formula(placed: Placements):
    placed.place()
    *rows, trailer = placed.rows_of("new")
    accounts = [each for each in rows if each["record"] == "account"]
    invoices = [each for each in rows if each["record"] == "invoice"]
    assert (len(accounts), len(invoices)) == (7, 7)
    assert {each["name"] for each in accounts} == {"'=Ann Lee"}
    assert {(e["itemization_amount"], e["payments_since"], e["current_balance"]) for e in accounts} == {
        ("100.00", "0.00", "100.00")
    }
    assert (trailer["record"], trailer["placement_id"], trailer["client_number"]) == ("trailer", "7", "700.00")
    assert list((placed.outbox / "placement-files").iterdir()) == []


def test_what_happens_to_its_accounts_is_told_once_and_everything_when_it_is_asked_for(placed: Placements):
    bulk_id = placed.place("arm")
    one, other = (placed.account(n) for n in (1, 2))
    placed.plant.do(
        ReceivePayment(account_id=one, number="P-1", amount=Money(3_000, "USD"), received_on=date(2026, 3, 2)),
        RecallPlacement(account_id=other),
        reason="A mistake",
    )
    placed.plant.service.drain()
    placed.ask_for(FileContents.UPDATES)
    told = {(e["record"], e["account_number"], e["amount"], e["current_balance"]) for e in placed.rows_of("updates")}
    assert told == {
        ("payment", "A-1", "-30.00", "70.00"), ("recall", "A-2", "", "100.00"), ("trailer", "USD", "", ""),
    }  # fmt: skip
    assert {each.contents: each.accounts for each in placed.files} == {"new": 7, "updates": 2}
    placed.folder.joinpath(next(placed.folder.glob("*updates*")).name).unlink()
    placed.ask_for(FileContents.UPDATES)
    assert [each["record"] for each in placed.rows_of("updates")] == ["trailer"]
    placed.ask_for(FileContents.FULL)
    full = [each["account_number"] for each in placed.rows_of("full") if each["record"] == "account"]
    assert sorted(full) == [f"A-{n}" for n in (0, 1, 3, 4, 5, 6)]
    placed.undo(bulk_id)
    assert set(placed.stages().values()) == {"not set"}
    assert placed.view(bulk_id).undone == 6


def test_what_is_written_off_stays_the_agencys_and_a_corrected_payment_keeps_its_commission(placed: Placements):
    placed.place("arm")
    one, other = (placed.account(n) for n in (1, 2))
    placed.plant.do(WriteOffDebt(account_id=one, code="uncollectible"), reason="Nothing more comes")
    placed.read("record,account_number,reference,amount,date\npayment,A-2,T-2,40.00,2026-03-02\n")
    fixed = Money(3_000, "USD")
    placed.plant.do(
        CorrectPayment(account_id=other, number="acme:T-2", amount=fixed, received_on=date(2026, 3, 2)), reason="A typo"
    )
    placed.plant.service.drain()
    assert placed.commission() == (1, Decimal(30), Decimal("7.50"), 0)
    placed.plant.do(
        ReversePayment(
            account_id=other,
            number="acme:T-2",
            reversal=ReversalKind.NSF,
            reversed_on=date(2026, 3, 2),
            amount=Money(1_000, "USD"),
        )
    )
    placed.plant.service.drain()
    assert placed.commission() == (1, Decimal(20), Decimal(5), 0)
    assert (placed.found()["A-2"].paid, placed.found()["A-2"].commission) == (Decimal(20), Decimal(5))
    placed.ask_for(FileContents.UPDATES)
    assert [each["record"] for each in placed.rows_of("updates") if each["account_number"] == "A-1"] == []


def a_payment(account_id: UUID, number: str) -> ReceivePayment:
    paid = Money(1_000, "USD")
    return ReceivePayment(account_id=account_id, number=number, amount=paid, received_on=date(2026, 3, 2))


def test_a_file_that_is_made_again_has_every_figure_of_the_moment_that_it_is_about(placed: Placements):
    one, plant = placed.account(1), placed.plant
    plant.do(PlaceAccount(account_id=one, agency="acme"), a_payment(one, "before"))
    plant.service.drain()
    through = plant.service.feed.head()
    plant.do(a_payment(one, "after"))
    plant.service.drain()
    with plant.database.connect("arrears_app") as connection:
        for at, paid in ((through, 1_000), (plant.service.feed.head(), 2_000)):
            assert since_itemization(connection, [(one, date(2026, 3, 1))], through=at)[one].payments == paid
            assert account_names(connection, [one], through=at)[one][1] == 10_000 - paid


def test_money_is_told_once_in_the_file_of_the_placement_or_in_one_of_updates(placed: Placements):
    one, sender = placed.account(1), placed.plant.service._sender
    placed.plant.do(PlaceAccount(account_id=one, agency="acme"), a_payment(one, "before the file"))
    placed.plant.service.drain()
    assert [each["current_balance"] for each in placed.rows_of("new") if each["record"] == "account"] == ["90.00"]
    placed.plant.do(
        WithdrawContactFact(account_id=one, fact_id=noticed(placed, one)),
        a_payment(one, "after the file"),
        *[
            RequestFile(file_id=uuid4(), office_id=OFFICE, agency="acme", contents=FileContents.UPDATES)
            for _ in range(2)
        ],
    )
    placed.plant.catch_up()
    while sender.turn() is not Sent.NOTHING:
        placed.plant.catch_up()
    rows = [each for file in placed.folder.glob("*updates*") for each in rows_in(file)]
    told = sorted((each["record"], each["amount"], each["code"]) for each in rows if each["account_number"] == "A-1")
    assert told == [
        ("notice", "", "deceased"), ("notice-withdrawn", "", "deceased"), ("payment", "-10.00", "payment"),
    ]  # fmt: skip


def noticed(placed: Placements, account_id: UUID) -> UUID:
    placed.plant.do(RecordContactFact(account_id=account_id, kind=FactKind.DECEASED))
    account = placed.plant.service.arrears.load(Account, account_id)
    return UUID(str(next(iter(account.contact_history.facts))))


def test_what_an_agency_says_again_of_an_account_that_it_has_again_is_another_fact(placed: Placements):
    closure = "record,account_number,code\nclosure,A-3,done\n"
    placed.plant.do(PlaceAccount(account_id=placed.account(3), agency="acme"))
    placed.plant.service.drain()
    first = str(placed.found()["A-3"].id)
    assert (placed.read(closure).done, placed.read(closure).known) == ({"closure": 1}, 1)
    placed.plant.do(PlaceAccount(account_id=placed.account(3), agency="acme"))
    placed.plant.service.drain()
    assert [each.problem.partition(":")[0] for each in placed.read(closure).problems] == ["placement_id or date"]
    assert placed.read(f"record,account_number,code,placement_id\nclosure,A-3,done,{first}\n").known == 1
    later = "record,account_number,code,date\nclosure,A-3,done,2026-03-02\n"
    assert (placed.read(later).done, placed.read(later).known) == ({"closure": 1}, 1)
    assert placed.read("record,account_number,placement_id\nclosure,A-3,x\n").problems[0].code == "bad-row"


def test_one_bad_file_stops_no_other_and_a_channel_that_is_away_is_said_in_the_log_rarely(
    placed: Placements, monkeypatch: pytest.MonkeyPatch
):
    def layout(agency: Agency, name: str | None = None) -> Any:
        if agency.title == "Bad":
            raise ZeroDivisionError
        return layout_for(agency, name)

    def away(*_: object) -> None:
        raise CarrierUnavailable("it is away")

    monkeypatch.setattr("adapters.placement.sender.layout_for", layout)
    monkeypatch.setattr(ByHttps, "put", away)
    monkeypatch.setitem(placed.plant.env, "ARREARS_AGENCY_AWAY_HTTPS_URL", "https://127.0.0.1:9/in")
    bad, far = Agency(title="Bad"), Agency(title="Away", channel=AgencyChannel.HTTPS)
    placed.plant.do(
        SetAgency(office_id=OFFICE, code="bad", agency=bad),
        SetAgency(office_id=OFFICE, code="away", agency=far),
        PlaceAccount(account_id=placed.account(1), agency="bad"),
        PlaceAccount(account_id=placed.account(2), agency="away"),
        PlaceAccount(account_id=placed.account(3), agency="acme"),
    )
    placed.plant.service._sender.close()
    arrears = placed.plant.service.arrears
    sender = PlacementSender(placed.plant.database, arrears, SystemClock(), placed.plant.env, placed.outbox)
    with closing(sender):
        sender.turn()
        placed.plant.catch_up()
        for _ in range(5):
            sender.turn()
        placed.plant.catch_up()
    assert {each.agency: each.state for each in placed.files} == {
        "bad": "requested", "away": "made", "acme": "delivered"
    }  # fmt: skip
    file = next(each for each in placed.files if each.agency == "away")
    assert arrears.load(PlacementFile, file.id).version == 4  # asked for, made, begun, not taken


def test_a_file_leaves_encrypted_with_the_key_that_the_agency_has_then(placed: Placements):
    first, second = Tsk.generate("Acme"), Tsk.generate("Acme")
    arrears = placed.plant.service.arrears
    placed.plant.do(a_key_of(first), PlaceAccount(account_id=placed.account(3), agency="acme"))
    placed.plant.catch_up()
    (asked,) = placed.files
    assert placed.plant.service._sender._made(arrears.load(PlacementFile, asked.id), arrears.load(Office, OFFICE))
    placed.plant.do(a_key_of(second))
    placed.plant.service.drain()
    (left,) = placed.folder.iterdir()
    assert left.name == f"{asked.name}.pgp"
    assert list((placed.outbox / "placement-files").iterdir()) == [], "nothing of it is left here"
    assert b"A-3" in (decrypt(left.read_bytes(), decryptor=second.decryptor()).bytes or b"")
    (file,) = placed.files
    assert (file.name, file.sha256) == (left.name, sha256_of(left))
    assert file.fingerprint == second.extract_certificate().fingerprint.upper()
    assert arrears.load(PlacementFile, file.id).fingerprint == file.fingerprint
    row = f"record,file,accounts,total\nacknowledgement,{left.name},1,100.00\n"
    assert placed.read(row).done == {"acknowledgement": 1}
    assert placed.acknowledged() is True


def test_a_file_that_the_agency_has_is_not_sent_again_under_the_name_that_its_new_key_gives_it(placed: Placements):
    """It was taken, and the process ended before it could say so; then the agency got a key."""
    placed.plant.do(PlaceAccount(account_id=placed.account(3), agency="acme"))
    placed.plant.catch_up()
    (asked,) = placed.files
    arrears = placed.plant.service.arrears
    assert placed.plant.service._sender._made(arrears.load(PlacementFile, asked.id), arrears.load(Office, OFFICE))
    placed.folder.mkdir(parents=True)
    (placed.folder / asked.name).write_bytes(b"taken before")
    placed.plant.do(a_key_of(Tsk.generate("Acme")))
    placed.plant.service.drain()
    (file,) = placed.files
    assert (file.state, file.name) == ("delivered", asked.name)
    assert [each.name for each in placed.folder.iterdir()] == [asked.name]
    assert list((placed.outbox / "placement-files").iterdir()) == []


def a_key_of(key: Tsk) -> SetAgency:
    text = str(key.extract_certificate())
    return SetAgency(office_id=OFFICE, code="acme", agency=TERMS.model_copy(update={"public_key": text}))


def test_an_action_that_placed_nobody_tells_no_agency(placed: Placements):
    placed.place()
    placed.place()
    assert [each.contents for each in placed.files] == ["new"]


def test_one_account_is_placed_by_itself_in_a_file_of_its_own(placed: Placements):
    placed.plant.do(PlaceAccount(account_id=placed.account(3), agency="acme"))
    placed.plant.service.drain()
    assert [each["account_number"] for each in placed.rows_of("new") if each["record"] == "account"] == ["A-3"]
    assert placed.stages()["A-3"] == "sent"


def test_a_server_takes_a_file_once_and_one_that_is_another_gets_none(placed: Placements, tmp_path: Path):
    """Over SFTP: the line drops, then the process ends after the file was taken, then it is found there."""
    placed.plant.do(
        SetAgency(office_id=OFFICE, code="acme", agency=TERMS.model_copy(update={"channel": AgencyChannel.SFTP}))
    )
    placed.plant.service._sender.close()
    with SftpServer(tmp_path) as server:
        env = {
            "ARREARS_AGENCY_ACME_SFTP_URL": server.url,
            "ARREARS_AGENCY_ACME_SFTP_KNOWN_HOSTS_FILE": str(server.known_hosts),
            "ARREARS_AGENCY_ACME_SFTP_KEY_FILE": str(server.key),
        }
        arrears = placed.plant.service.arrears
        sender = PlacementSender(placed.plant.database, arrears, SystemClock(), env, placed.outbox)
        with closing(sender):
            assert sender.turn() is Sent.NOTHING  # it is the one that sends, from now on
            placed.place()
            known_hosts = server.known_hosts.read_bytes()
            server.known_hosts.write_bytes(known_hosts.replace(b"AAAA", b"AAAB", 1))
            assert sender.turn() is Sent.WAITING
            placed.plant.catch_up()
            (file,) = placed.files
            assert (file.state, file.detail is None) == ("made", False)
            server.known_hosts.write_bytes(known_hosts)
            server.does = Does.DROPS
            assert sender.turn() is Sent.WAITING
            server.does = Does.TAKES
            taken = server.files / "letters" / file.name
            taken.write_bytes(b"taken before")  # and the process ended before it could say so
            assert sender.turn() is Sent.SOME
            assert taken.read_bytes() == b"taken before"
        placed.plant.service.drain()
    assert placed.files[0].state == "delivered"
    assert set(placed.stages().values()) == {"sent"}


def test_an_upload_whose_answer_is_missing_waits_for_a_person(placed: Placements):
    https = TERMS.model_copy(update={"channel": AgencyChannel.HTTPS})
    placed.plant.do(SetAgency(office_id=OFFICE, code="acme", agency=https))
    placed.plant.service._sender.close()
    env = {"ARREARS_AGENCY_ACME_HTTPS_URL": "https://127.0.0.1:9/in"}
    sender = PlacementSender(placed.plant.database, placed.plant.service.arrears, SystemClock(), env, placed.outbox)
    with closing(sender):
        sender.turn()
        placed.place()
        sender.turn()
        placed.plant.catch_up()
        (file,) = placed.files
        assert file.state == "uncertain"
        assert sender.turn() is Sent.NOTHING
        placed.plant.do(RedeliverFile(file_id=file.id), reason="They have no such file")
        placed.plant.catch_up()
        assert placed.files[0].state == "made"
        sender.turn()
        placed.plant.catch_up()
        (file,) = placed.files
        waits = placed.outbox / "placement-files" / file.name
        assert (file.state, waits.exists()) == ("uncertain", True)
        assert file.accounts is not None
        assert file.total is not None
        total = Money.parse(str(file.total), file.currency)
        placed.plant.do(AcknowledgeFile(file_id=file.id, accounts=file.accounts, total=total))
        placed.plant.catch_up()
    with closing(
        PlacementSender(placed.plant.database, placed.plant.service.arrears, SystemClock(), env, placed.outbox)
    ) as sender:
        sender.turn()
    assert not waits.exists(), "nothing of it is left here"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("account_number\nA-1\n", "line 1: expected a header"),
        ("record,acount\npayment,A-1\n", "'acount' is no column"),
        ("record,accounts\naccepted,\ntrailer,2\n", "line 3: the trailer says 2 rows, of 1"),
        ("record,amount,accounts,total\npayment,5.00,,\ntrailer,,1,6.00\n", "line 3: the trailer says 6.00"),
        ("record,amount,accounts,total\npayment,1e9,,\ntrailer,,1,1e9\n", "line 3: total: expected an amount"),
        ('record\n"pay\n', "expected CSV"),
    ],
)
def test_a_file_that_cannot_be_read_or_adds_up_otherwise_is_none(content: str, says: str):
    with pytest.raises(AnswerProblem, match=says):
        lines_of(content)


@pytest.mark.parametrize("text", ["1e9", "1,000.00", "NaN", "12.12345"])
def test_an_amount_is_written_out(text: str):
    with pytest.raises(ValueError, match="amount: expected an amount such as"):
        answers._amount({"amount": text}, "USD")
