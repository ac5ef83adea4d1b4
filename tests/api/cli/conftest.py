"""The command line, called in this process against a database of the test server, or as a process of its own."""

import base64
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from typer.testing import CliRunner

from api.cli import app
from tests.conftest import TestServer
from tests.temporary import temporary_folder

MASTER_KEY = base64.b64encode(bytes(range(32))).decode()
CUSTOMERS = """\
account_number,name,customer_kind,email_1,email_1_consent,phone_1,phone_1_type,phone_1_sms_consent
A-1,"Ada, Ltd.",commercial,ada@example.com,given,+1 212 555 0100,mobile,given
A-2,=HYPERLINK(1),consumer,bo@example.com,given,,,
"""
INVOICES = """\
account_number,invoice_number,issued_on,due_on,amount,currency
A-1,INV-1,2026-01-02,2026-02-01,100.00,USD
A-1,INV-2,2026-02-02,2026-03-04,250.50,USD
A-2,INV-3,2026-01-10,2026-01-20,75.25,USD
"""
PAYMENTS = """\
account_number,payment_number,received_on,amount,currency,invoice_number
A-1,P-1,2026-02-10,40.00,USD,INV-1
A-2,P-2,2026-03-20,75.25,USD,INV-3
"""
CAMPAIGN = """\
title = "Reminders"

[rules]
min_dpd = 1
min_amount = "25.00"

[[steps]]
id = "reminder"
title = "Reminder"
days = 5
channel = "email"
templates.en = { subject = "Due", body = "Please pay {{ amount_due }}." }
"""


@dataclass(frozen=True)
class Said:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Arrears:
    """The command, called in this process."""

    def __call__(self, *arguments: object, code: int = 0, given: str | None = None) -> Said:
        before = logging.getLogger().handlers[:]
        try:
            result = CliRunner().invoke(app, list(map(str, arguments)), prog_name="arrears", input=given)
        finally:
            logging.getLogger().handlers[:] = before
            structlog.reset_defaults()
        said = Said(result.exit_code, result.stdout, result.stderr)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert said.code == code, said
        assert "Traceback" not in said.err
        return said


def process(*arguments: object, data: Path, code: int = 0, **env: str) -> Said:
    """The command as a process of its own, on a data folder."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ARREARS_", "COLUMNS"))}
    command = [sys.executable, "-c", "from api.cli import main; main()", *map(str, arguments)]
    done = subprocess.run(
        command, env={**inherited, "ARREARS_DATA": str(data), **env}, capture_output=True, text=True, check=False
    )
    said = Said(done.returncode, done.stdout, done.stderr)
    assert said.code == code, said
    assert "Traceback" not in said.err, said.err
    return said


def files_in(folder: Path) -> None:
    for name, text in (("customers", CUSTOMERS), ("invoices", INVOICES), ("payments", PAYMENTS)):
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    (folder / "campaign.toml").write_text(CAMPAIGN, encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Billing files and a campaign."""
    made = tmp_path_factory.mktemp("files")
    files_in(made)
    return made


@pytest.fixture(scope="module")
def arrears(postgres: TestServer, built_template: str, folder: Path) -> Iterator[Arrears]:
    """The command on an empty database, one for a file of tests."""
    name = postgres.create(template=built_template)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARREARS_DATABASE_URL", postgres.dsn_of(name))
        patch.setenv("ARREARS_MASTER_KEY", MASTER_KEY)
        patch.setenv("ARREARS_OUTBOX", str(folder / "outbox"))
        patch.setenv("ARREARS_ATTACHMENTS_URL", str(folder / "attachments"))
        patch.delenv("ARREARS_DATA", raising=False)
        patch.delenv("COLUMNS", raising=False)  # what a table leaves out follows from it
        yield Arrears()
    postgres.drop(name)


@pytest.fixture(scope="module")
def portfolio(arrears: Arrears, folder: Path) -> Arrears:
    """The command on a small imported portfolio."""
    arrears("office", "open", "main", "--title", "Main office", "--currency", "USD")
    for kind in ("customers", "invoices", "payments"):
        arrears("import", folder / f"{kind}.csv", "--profile", kind)
    return arrears


@pytest.fixture
def admin(arrears: Arrears) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the same database that may do anything."""
    with psycopg.connect(os.environ["ARREARS_DATABASE_URL"]) as connection:
        yield connection


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with a small portfolio, used by no process."""
    files = tmp_path_factory.mktemp("files")
    files_in(files)
    with temporary_folder() as data:
        opening = ("--currency", "USD", "--time-zone", "UTC")
        said = process("import", files / "customers.csv", "--profile", "customers", *opening, data=data)
        assert said.err == ""  # no progress where nobody looks
        process("import", files / "invoices.csv", "--profile", "invoices", data=data)
        process("import", files / "payments.csv", "--profile", "payments", data=data)
        yield data
