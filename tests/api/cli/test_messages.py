"""`arrears message`, `arrears template`, and `arrears attachment`, whose files messages take with them."""

from pathlib import Path

import pytest

from tests.adapters.attachments.test_content import PDF
from tests.api.cli.conftest import Arrears

CALL_US = """\
name = "call-us"
channel = "portal"
tone = "firm"

[texts.en]
body = "{{ customer_name }}, please call us about {{ amount_due }}."
"""


@pytest.fixture
def template(portfolio: Arrears, tmp_path: Path) -> Path:
    file = tmp_path / "call-us.toml"
    file.write_text(CALL_US, encoding="utf-8")
    portfolio("template", "save", file)
    return file


def states(portfolio: Arrears, *options: object) -> list[tuple[str, str]]:
    return [(row["number"], row["state"]) for row in portfolio("message", "list", *options, "--json").json["rows"]]


def test_a_message_is_shown_sent_and_listed(portfolio: Arrears):
    said = ("A-1", "--channel", "portal", "--text", "Hello {{ customer_name }}")
    before = states(portfolio)
    shown = portfolio("message", "preview", *said)
    assert "Hello Ada, Ltd." in shown.out
    assert shown.lines[-1] == "It may leave now."
    assert states(portfolio) == before
    sent = portfolio("message", "send", *said, "--json").json
    assert states(portfolio) == [("A-1", "sent"), *before]
    assert states(portfolio, "A-1")[0] == states(portfolio, "--state", "sent")[0] == ("A-1", "sent")
    assert states(portfolio, "--state", "failed") == []
    assert portfolio("message", "list", "--json").json["rows"][0]["message_id"] == sent["message_id"]
    assert "the message left" in portfolio("message", "retry", "A-1", sent["message_id"], code=1).err
    assert "no such message" in portfolio("message", "withdraw", "A-1", sent["message_id"], code=1).err
    resolve = ("message", "resolve", "A-1", sent["message_id"], "--as", "sent")
    assert "say why" in portfolio(*resolve, code=1).err
    assert "no such message" in portfolio(*resolve, "--reason", "They said so", code=1).err


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--channel", "portal"), 2, "expected a text or a template"),
        (("--channel", "portal", "--text", "{{ amount }}"), 1, "text: line 1: there is no placeholder 'amount'"),
        (("--channel", "portal", "--text", "x", "--to", "phone-9"), 1, "what it can use: portal"),
        (("--channel", "portal", "--template", "nobody"), 1, "no such template"),
        (("--channel", "sms", "--text", "x" * 119), 1, "141 characters, expected at most 140"),
        (("--channel", "portal", "--text", "x", "--accounts", "-"), 2, "expected an account, or --accounts FILE"),
    ],
)
def test_what_is_wrong_is_said(portfolio: Arrears, options: tuple[str, ...], code: int, said: str):
    assert said in portfolio("message", "send", "A-1", *options, code=code).err


def test_what_forbids_it_is_shown(portfolio: Arrears):
    portfolio("office", "pause", "main")
    shown = portfolio("message", "preview", "A-2", "--channel", "sms", "--text", "x", code=1)
    assert "no-contact-point" in shown.out
    assert "automation is paused" in shown.err
    portfolio("office", "resume", "main")


def test_accounts_of_a_list_have_an_outcome_each_and_once(portfolio: Arrears, template: Path, tmp_path: Path):
    send = ("message", "send", "--channel", "portal", "--template", "call-us", "--accounts", "-", "--id", "spring")
    before = len(states(portfolio))
    said = portfolio(*send, code=3, given="A-1\nnobody\n\nA-2\nA-1\n")
    assert [line.partition("  ")[0] for line in said.lines] == ["A-1", "nobody", "A-2", "A-1"]
    assert said.lines[1::2] == ["nobody  refused: account: there is no 'nobody'", "A-1  It is in the list before."]
    again = portfolio(*send, "--json", given="A-2\nA-1\n").json
    assert [(each["account"], each["outcome"], each["queued"]) for each in again] == [
        ("A-2", "done", True),
        ("A-1", "done", True),
    ]
    listed = tmp_path / "accounts.txt"
    listed.write_text("A-2\nA-1\n", encoding="utf-8")
    assert portfolio(*[listed if each == "-" else each for each in send], "--json").json == again
    first = {line.rpartition(" ")[2] for line in (said.lines[0], said.lines[2])}
    assert {each["message_id"] for each in again} == first
    assert {each["message_id"] for each in portfolio("message", "list", "--json").json["rows"]} >= first
    assert len(states(portfolio)) == before + 2
    portfolio(*send, code=1, given="nobody\n")


def test_a_template_is_saved_shown_previewed_and_retired(portfolio: Arrears, template: Path):
    assert "says that already" in portfolio("template", "save", template).out
    [listed] = portfolio("template", "list", "--json").json
    assert (listed["name"], listed["tone"], listed["template_version"]) == ("call-us", "firm", 1)
    assert "please call us about" in portfolio("template", "show", "call-us").out
    shown = portfolio("template", "preview", "call-us", "--account", "A-1")
    assert "Ada, Ltd., please call us about 310.50." in shown.out
    template.write_text(CALL_US.replace("amount_due", "amount"), encoding="utf-8")
    assert "there is no placeholder 'amount'" in portfolio("template", "save", template, code=1).err
    template.write_text(CALL_US.replace('"portal"', '"email"'), encoding="utf-8")
    assert "texts.en.subject: expected, for an e-mail has one" in portfolio("template", "save", template, code=1).err
    template.write_text("name = 1", encoding="utf-8")
    assert "name" in portfolio("template", "save", template, code=1).err
    assert "is retired" in portfolio("template", "retire", "call-us").out
    retired = portfolio("message", "preview", "A-1", "--channel", "portal", "--template", "call-us", code=1)
    assert "was retired" in retired.out
    assert "no template" in portfolio("template", "show", "nobody", code=1).err


# --- files ---


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    file = tmp_path / "proof.pdf"
    file.write_bytes(PDF)
    return file


def test_a_file_is_added_listed_written_and_removed(portfolio: Arrears, proof: Path, tmp_path: Path):
    [added] = portfolio("attachment", "add", "A-1", proof, "--json").json
    assert proof.name in portfolio("attachment", "list", "A-1").out
    wanted = tmp_path / "copies"
    wanted.mkdir()
    portfolio("attachment", "get", "A-1", added["attachment_id"], "--to", wanted)
    assert (wanted / "proof.pdf").read_bytes() == PDF
    again = portfolio("attachment", "get", "A-1", added["attachment_id"], "--to", wanted, code=1)
    assert "is there already" in again.err
    assert "cleared" in portfolio("attachment", "sweep", "--dry-run").out
    portfolio("attachment", "remove", "A-1", added["attachment_id"], "--reason", "wrong customer")
    assert portfolio("attachment", "list", "A-1").out == "The account has no file.\n"


def test_what_is_no_file_that_is_taken_is_said(portfolio: Arrears, proof: Path):
    about = portfolio("attachment", "add", "A-1", proof, "--about", "invoice:1", code=1)
    assert "about: expected one of dispute:ID, claim:ID, legal:ID" in about.err
    proof.write_bytes(b"<b>")
    assert "its name says PDF" in portfolio("attachment", "add", "A-1", proof, code=1).err
    proof.write_bytes(PDF + bytes(10_000_001))
    assert "at most 10 MB" in portfolio("attachment", "add", "A-1", proof, code=1).err


def test_a_channel_that_takes_no_file_keeps_none(portfolio: Arrears, proof: Path):
    send = ("message", "send", "A-1", "--channel", "portal", "--text", "Hello", "--attach", proof)
    assert "only e-mails and letters take files" in portfolio(*send, code=1).err
    assert portfolio("attachment", "list", "A-1").out == "The account has no file.\n"
