"""Personal text in the log: encrypted under the account's key, erased with it; and the master key above it."""

import stat
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from adapters.eventstore.application import Arrears
from adapters.eventstore.keys import MasterKeyError, MasterKeyMissing, master_key, master_key_of
from adapters.eventstore.sealer import Sealer
from adapters.eventstore.verify import verify
from adapters.postgres.database import Database
from aggregates.kernel.personal import ERASED
from tests.adapters.eventstore.conftest import before_the_append_of, issue
from tests.adapters.eventstore.ledger import (
    Case,
    CaseOpened,
    Count,
    MakeRemark,
    Note,
    Noted,
    OpenCase,
    Remark,
    Remarked,
)

NewApp = Callable[..., Arrears]


def everything_stored(admin: psycopg.Connection) -> bytes:
    rows = admin.execute("SELECT state || meta FROM arrears.events UNION ALL SELECT state FROM arrears.snapshots")
    return b"".join(bytes(row[0]) for row in rows)


def test_personal_text_is_nowhere_readable_in_the_database(app: Arrears, admin: psycopg.Connection):
    case_id = uuid4()
    app.handle(
        [
            issue(OpenCase(case_id=case_id, label="L-1", who="Ada L", phones=["555 1", "555 2"]), reason="Bob said so"),
            issue(Note(case_id=case_id, text="called Cem")),
        ]
    )
    stored = everything_stored(admin)
    # With a blank in each: ids and ciphertext have none, so nothing looks like one by chance.
    assert not any(words in stored for words in (b"Ada L", b"555 1", b"555 2", b"Bob said", b"called Cem"))
    assert b"L-1" in stored
    opened, noted = app.history(Case, case_id)
    assert isinstance(opened.event, CaseOpened)
    assert (opened.event.who, opened.event.contact.phones) == ("Ada L", ["555 1", "555 2"])
    assert opened.meta.reason == "Bob said so"
    assert noted.event == Noted(text="called Cem")


def test_another_process_reads_what_the_first_encrypted(new_app: NewApp):
    case_id = uuid4()
    new_app().handle([issue(OpenCase(case_id=case_id, who="Ada"))])
    other = new_app()
    other.handle([issue(Note(case_id=case_id, text="hello"))])
    case = new_app().load(Case, case_id)
    assert (case.who, case.last_note) == ("Ada", "hello")


def test_an_erased_person_reads_as_erased_and_stays_so(new_app: NewApp, sealer: Sealer, admin: psycopg.Connection):
    case_id, other_id, app = uuid4(), uuid4(), new_app()
    app.handle([issue(OpenCase(case_id=case_id, label="L-1", who="Ada", phones=["555"]), reason="why")])
    app.handle([issue(OpenCase(case_id=other_id, who="Eve"))])
    app.handle([issue(Count(case_id=case_id)) for _ in range(120)])
    app.keys.destroy(case_id)
    app.handle([issue(Note(case_id=case_id, text="a late note"))])
    sealer.seal_once()
    for reader in (app, new_app()):
        case = reader.load(Case, case_id)
        assert (case.label, case.total, case.who, case.last_note) == ("L-1", 120, ERASED, ERASED)
        opened = reader.feed.read(0, 1)[0]
        assert isinstance(opened.event, CaseOpened)
        assert (opened.event.who, opened.event.contact.phones, opened.meta.reason) == (ERASED, [ERASED], ERASED)
        assert reader.load(Case, other_id).who == "Eve"
    assert b"a late note" not in everything_stored(admin)
    fresh = new_app()
    fresh.handle([issue(Count(case_id=case_id))])  # from the snapshot that was taken before
    assert list(verify(admin)) == []


def test_a_key_made_by_two_processes_at_once_is_one_key(new_app: NewApp):
    one, two, account_id, remarks = new_app(), new_app(), uuid4(), [uuid4(), uuid4()]

    def remark(app: Arrears, which: int) -> None:
        app.handle([issue(MakeRemark(remark_id=remarks[which], account_id=account_id, text=f"remark {which}"))])

    with before_the_append_of(one, lambda: remark(two, 1)):
        remark(one, 0)
    reader = new_app()
    texts = [e.event.text for i in remarks for e in reader.history(Remark, i) if isinstance(e.event, Remarked)]
    assert texts == ["remark 0", "remark 1"]


def test_a_key_that_is_not_stored_yet_opens_nothing(new_app: NewApp):
    one, two, case_id = new_app(), new_app(), uuid4()
    read: list[str | None] = []

    def meanwhile() -> None:
        two.handle([issue(OpenCase(case_id=case_id, who="Ada"))])
        read.append(one.load(Case, case_id).who)

    with before_the_append_of(one, meanwhile):
        one.handle([issue(OpenCase(case_id=case_id, who="Ada"))])
    assert read == ["Ada"]


def test_text_that_looks_encrypted_is_still_text(app: Arrears):
    case_id = uuid4()
    app.handle([issue(OpenCase(case_id=case_id, label="enc:1:bm90aGluZw==", who="enc:1:x"))])
    case = app.load(Case, case_id)
    assert (case.label, case.who) == ("enc:1:bm90aGluZw==", "enc:1:x")


def test_ciphertext_moved_to_another_event_is_not_taken_for_its_own(app: Arrears, admin: psycopg.Connection):
    case_id = uuid4()
    app.handle([issue(Note(case_id=case_id, text="first")), issue(Note(case_id=case_id, text="second"))])
    admin.execute(
        "UPDATE arrears.events SET state = (SELECT state FROM arrears.events WHERE version = 1) WHERE version = 2"
    )
    assert app.load(Case, case_id).last_note != "first"


# --- the master key ---


def test_another_master_key_is_refused_at_first_use(new_app: NewApp):
    case_id = uuid4()
    new_app().handle([issue(OpenCase(case_id=case_id, who="Ada"))])
    stranger = new_app(master_key=bytes(32))
    with pytest.raises(MasterKeyError, match="not the master key"):
        stranger.load(Case, case_id)
    with pytest.raises(MasterKeyError, match="not the master key"):
        stranger.handle([issue(OpenCase(case_id=uuid4(), who="Eve"))])


def test_a_log_that_knows_no_fingerprint_knows_its_key_by_what_that_opens(new_app: NewApp, admin: psycopg.Connection):
    new_app().handle([issue(OpenCase(case_id=uuid4(), who="Ada"))])
    admin.execute("DELETE FROM arrears.master_key")
    admin.commit()
    with pytest.raises(MasterKeyError, match="not the master key"):
        new_app(master_key=bytes(32)).keys.check_master()
    new_app().keys.check_master()
    new_app().handle([issue(OpenCase(case_id=uuid4(), who="Eve"))])
    assert admin.execute("SELECT count(*) FROM arrears.master_key").fetchone() == (1,)


def test_looking_at_a_log_makes_no_key_known_to_it(new_app: NewApp, admin: psycopg.Connection):
    new_app(master_key=bytes(32)).keys.check_master()
    assert admin.execute("SELECT count(*) FROM arrears.master_key").fetchone() == (0,)


def test_of_two_processes_with_different_keys_the_second_writes_nothing(new_app: NewApp, admin: psycopg.Connection):
    one, two = new_app(), new_app(master_key=bytes(32))
    for each in (one, two):
        each.keys.check_master()
    one.handle([issue(OpenCase(case_id=uuid4(), who="Ada"))])
    with pytest.raises(MasterKeyError, match="not the master key"):
        two.handle([issue(OpenCase(case_id=uuid4(), who="Eve"))])
    assert admin.execute("SELECT count(*) FROM arrears.events").fetchone() == (1,)


def test_a_lost_key_is_not_replaced(app: Arrears, admin: psycopg.Connection, tmp_path: Path):
    app.handle([issue(Count(case_id=uuid4()))])
    with pytest.raises(MasterKeyMissing, match="put that file back"):
        master_key_of(admin, {}, data_dir=tmp_path, may_make=True)
    assert list(tmp_path.iterdir()) == []


def test_whoever_only_reads_makes_no_key(admin: psycopg.Connection, tmp_path: Path):
    with pytest.raises(MasterKeyMissing, match="the first command that writes makes it"):
        master_key_of(admin, {}, data_dir=tmp_path, may_make=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_named_and_not_there_is_said_and_not_made(admin: psycopg.Connection, tmp_path: Path):
    env = {"ARREARS_MASTER_KEY_FILE": str(tmp_path / "key")}
    with pytest.raises(MasterKeyMissing, match=f"not there: {tmp_path}/key"):
        master_key_of(admin, env, data_dir=tmp_path, may_make=True)
    assert list(tmp_path.iterdir()) == []


def test_a_new_data_folder_gets_a_key_of_its_own_that_only_its_user_reads(admin: psycopg.Connection, tmp_path: Path):
    made = master_key_of(admin, {}, data_dir=tmp_path, may_make=True)
    assert len(made) == 32
    assert master_key({}, data_dir=tmp_path) == made
    assert stat.S_IMODE((tmp_path / "master.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


def test_the_environment_names_the_key_or_its_file(tmp_path: Path):
    text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    (tmp_path / "key").write_text(text + "\n")
    assert master_key({"ARREARS_MASTER_KEY": text}) == bytes(range(32))
    assert master_key({"ARREARS_MASTER_KEY_FILE": str(tmp_path / "key")}) == bytes(range(32))


@pytest.mark.parametrize("env", [{}, {"ARREARS_MASTER_KEY": "short"}, {"ARREARS_MASTER_KEY": "AAEC"}])
def test_a_missing_or_malformed_key_is_said_clearly(env: dict[str, str]):
    with pytest.raises(MasterKeyError, match="ARREARS_MASTER_KEY"):
        master_key(env)


def test_accounts_without_personal_text_have_no_key(app: Arrears, database: Database, admin: psycopg.Connection):
    app.handle([issue(Count(case_id=uuid4()))])
    assert admin.execute("SELECT count(*) FROM arrears.account_keys").fetchone() == (0,)
