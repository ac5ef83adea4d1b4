"""Files of accounts over HTTP and on the page: what comes in comes out the same, and hostile ones do no harm."""

import html
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from api.application.attachments import sweep
from api.http.admission import Kind, kind_of
from api.http.attachments import disposition
from api.processes.step_by_step import StepByStep
from tests.adapters.attachments.test_content import HOSTILE, PDF, PNG
from tests.api.http.client import Client

HTML = {"Accept": "text/html"}
SECRET = b"%PDF-1.7\nA very personal proof.\n%%EOF\n"


def uploaded(client: Client, account: str, name: str, content: bytes, **fields: str) -> httpx.Response:
    return client.request(
        "POST", f"{account}/attachments", files={"file": (name, content, "text/html")}, data=fields, headers={}
    )


def added(client: Client, account: str, name: str = "proof.pdf", content: bytes = SECRET, **fields: str) -> str:
    answer = uploaded(client, account, name, content, **fields)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{account}/attachments/{answer.json()['id']}"
    return str(answer.json()["id"])


def listed(client: Client, account: str) -> list[Any]:
    found: list[Any] = client.get(f"{account}/attachments").json()
    return found


def kept(service: StepByStep) -> list[Path]:
    folder = Path(service.env["ARREARS_ATTACHMENTS_URL"])
    return [each for each in folder.rglob("*") if each.is_file()]


def test_a_file_comes_out_as_it_came_in_and_is_encrypted_meanwhile(client: Client, account: str, service: StepByStep):
    file = added(client, account, "Beleg März.pdf", reason="He sent it.")
    [row] = listed(client, account)
    assert (row["id"], row["name"], row["media_type"]) == (file, "Beleg März.pdf", "application/pdf")
    assert client.get(f"{account}/attachments/{file}").json() == row
    answer = client.get(f"{account}/attachments/{file}/content")
    assert answer.content == SECRET
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-disposition"].startswith("attachment; ")
    etag = answer.headers["etag"]
    again = client.get(f"{account}/attachments/{file}/content", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert kept(service)
    assert not any(b"personal" in each.read_bytes() for each in kept(service))


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_content_is_refused_and_nothing_of_it_is_kept(
    content: bytes, client: Client, account: str, service: StepByStep
):
    before = len(kept(service))
    answer = uploaded(client, account, "invoice.pdf", content)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "file")
    assert len(kept(service)) == before


HOSTILE_NAMES = ["../../../etc/x.pdf", "x.pdf\r\nX-Evil: 1", "a\u202efdp.exe.pdf", "x.svg", "x" * 300 + ".pdf"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_is_refused(name: str, client: Client, account: str):
    assert uploaded(client, account, name, PDF).status_code == 422
    assert listed(client, account) == []


def test_more_than_may_be_kept_is_refused_before_it_is_looked_at(client: Client, account: str):
    assert uploaded(client, account, "x.pdf", PDF + bytes(10_000_001)).status_code == 422
    assert uploaded(client, account, "x.pdf", PDF + bytes(16_000_000)).status_code == 413
    elsewhere = client.request("POST", f"{account}/disputes", files={"file": ("x.pdf", bytes(2_000_000))})
    assert elsewhere.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "media_type", "kind"),
    [
        ("POST", "/v1/accounts/x/attachments", "multipart/form-data; boundary=x", Kind.UPLOADS),
        ("POST", "/accounts/x/messages", "Multipart/Form-Data; boundary=x", Kind.UPLOADS),
        ("POST", "/v1/accounts/x/disputes", "multipart/form-data; boundary=x", Kind.COMMANDS),
        ("POST", "/v1/accounts/x/attachments", "application/json", Kind.COMMANDS),
        ("GET", "/v1/accounts/x/attachments", "multipart/form-data", Kind.QUESTIONS),
    ],
)
def test_only_what_carries_files_may_be_as_large_as_those(method: str, path: str, media_type: str, kind: Kind):
    scope = {"type": "http", "method": method, "path": path, "headers": [(b"content-type", media_type.encode())]}
    assert kind_of(scope) is kind


def test_what_is_no_form_with_one_file_is_refused(client: Client, account: str):
    assert client.post(f"{account}/attachments", {"file": "x"}).status_code == 415
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.request("POST", f"{account}/attachments", content=b"nonsense", headers=broken).status_code == 400
    none = client.request("POST", f"{account}/attachments", data={"about": "x"}, files={"file": ("", b"")})
    assert none.status_code == 422
    several = [("file", ("a.pdf", PDF)), ("file", ("b.pdf", PDF))]
    assert client.request("POST", f"{account}/attachments", files=several).status_code == 422


def test_the_same_key_adds_a_file_once(client: Client, account: str):
    once = {"Idempotency-Key": "upload-7"}
    files = {"file": ("proof.pdf", PDF)}
    first, second = (
        client.request("POST", f"{account}/attachments", files=files, headers=once).json() for _ in range(2)
    )
    assert first == second
    assert len(listed(client, account)) == 1


def test_a_case_shows_its_files(client: Client, account: str, service: StepByStep):
    claim = client.done("POST", f"{account}/payment-claims", {})["id"]
    added(client, account, "wire.pdf", about=f"claim:{claim}")
    assert uploaded(client, account, "x.pdf", PDF, about="claim:none").status_code == 422
    assert uploaded(client, account, "x.pdf", PDF, about=f"dispute:{claim}").status_code == 404
    service.drain()
    page = client.get(f"{account.removeprefix('/v1')}?tab=casework", headers=HTML).text
    assert "wire.pdf" in page


def test_the_page_adds_saves_and_removes_files(client: Client, account: str, service: StepByStep):
    service.drain()
    here = account.removeprefix("/v1")
    files = [("file", ("one.pdf", SECRET)), ("file", ("two.png", PNG))]
    for _ in range(2):  # sent twice, added once
        answer = client.request("POST", f"{here}/attachments", files=files, data={"once": "1"}, headers=HTML)
        assert (answer.status_code, answer.headers.get("location")) == (303, f"{here}?tab=attachments")
    rows = listed(client, account)
    assert [each["name"] for each in rows] == ["two.png", "one.pdf"]
    page = html.unescape(client.get(f"{here}?tab=attachments", headers=HTML).text)
    assert f'href="{here}/attachments/{rows[1]["id"]}" download' in page
    assert client.get(f"{here}/attachments/{rows[1]['id']}").content == SECRET
    bad = client.request("POST", f"{here}/attachments", files=[("file", ("x.html", b"<b>"))], headers=HTML)
    assert (bad.status_code, "ends in one of" in bad.text) == (422, True)
    client.request("POST", f"{here}/attachments/{rows[0]['id']}/removal", data={"once": "2"}, headers=HTML)
    assert [each["name"] for each in listed(client, account)] == ["one.pdf"]
    assert client.get(f"{account}/attachments/{rows[0]['id']}/content").status_code == 404


def test_an_erased_persons_file_is_read_by_nobody_and_swept(client: Client, account: str, service: StepByStep):
    file = added(client, account)
    account_id = UUID(account.rpartition("/")[2])
    of_account = [each for each in kept(service) if each.parent.name == str(account_id)]
    sweep(service)
    assert of_account[0].exists()
    service.arrears.keys.destroy(account_id)
    answer = client.get(f"{account}/attachments/{file}/content")
    assert (answer.status_code, answer.json()["reason_code"]) == (409, "attachment-gone")
    assert uploaded(client, account, "x.pdf", PDF).json()["reason_code"] == "attachment-gone"
    assert [each["name"] for each in listed(client, account)] == ["erased"]
    assert sweep(service, only_count=True).cleared == 1
    assert of_account[0].exists()
    sweep(service)
    assert not of_account[0].exists()


def test_a_sweep_clears_what_no_fact_tells_of_and_leaves_what_is_not_ours(
    client: Client, account: str, service: StepByStep
):
    sweep(service, keep_days=-1)
    added(client, account)
    account_id = UUID(account.rpartition("/")[2])
    service.attachments.put(account_id, b"the process died here")
    stranger = Path(service.env["ARREARS_ATTACHMENTS_URL"], "00000000-0000-0000-0000-000000000001", "x")
    stranger.parent.mkdir()
    stranger.write_bytes(b"x")
    swept = sweep(service)
    assert (swept.cleared, swept.of_others) == (1, 1)
    assert stranger.exists()
    assert client.get(f"{account}/attachments/{listed(client, account)[0]['id']}/content").content == SECRET
    client.delete(f"{account}/attachments/{listed(client, account)[0]['id']}")
    assert sweep(service).cleared == 0
    assert sweep(service, keep_days=-1).cleared == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.pdf", "attachment; filename=\"a.pdf\"; filename*=UTF-8''a.pdf"),
        ("März 1.pdf", "attachment; filename=\"M_rz 1.pdf\"; filename*=UTF-8''M%C3%A4rz%201.pdf"),
        ("a%b.pdf", "attachment; filename=\"a_b.pdf\"; filename*=UTF-8''a%25b.pdf"),
    ],
)
def test_a_name_is_said_as_every_browser_reads_it(name: str, said: str):
    assert disposition(name) == said


# --- messages ---


def with_email(client: Client, account: str) -> str:
    client.done("PUT", f"{account}/contact", {"emails": [{"id": "email-1", "address": "ada@example.org"}]})
    return account


def left(service: StepByStep) -> list[Any]:
    """What messages took with them, the oldest first."""
    files = sorted(Path(service.env["ARREARS_OUTBOX"]).glob("*.json"), key=lambda each: each.stat().st_mtime)
    return [json.loads(each.read_text(encoding="utf-8")).get("attachments") for each in files]


def test_a_message_takes_files_of_the_account_with_it(client: Client, account: str, service: StepByStep):
    with_email(client, account)
    file = added(client, account)
    said = {"channel": "email", "text": "See the file.", "attachment_ids": [file]}
    assert client.post(f"{account}/messages/preview", said).json()["attachments"] == ["proof.pdf"]
    client.done("POST", f"{account}/messages", said)
    service.drain()
    [taken] = left(service)[-1]
    assert (taken["name"], taken["bytes"], taken["media_type"]) == ("proof.pdf", len(SECRET), "application/pdf")
    texted = {**said, "channel": "portal"}
    refused = client.refused(409, "POST", f"{account}/messages", texted)
    assert refused["reason_code"] == "attachments-not-carried"
    assert "take files" in client.post(f"{account}/messages/preview", texted).json()["problem"]
    client.delete(f"{account}/attachments/{file}")
    assert client.refused(404, "POST", f"{account}/messages", said)["reason_code"] == "unknown-attachment"


def test_the_page_sends_a_file_with_a_message_once(client: Client, account: str, service: StepByStep):
    with_email(client, account)
    service.drain()
    here = account.removeprefix("/v1")
    form = {"channel": "email", "text": "See the file.", "do": "send", "once": "9"}
    for _ in range(2):
        sent = client.request(
            "POST", f"{here}/messages", data=form, files=[("file", ("bill.pdf", SECRET))], headers=HTML
        )
        assert sent.status_code == 303, sent.text
    service.drain()
    assert [each["name"] for each in left(service)[-1]] == ["bill.pdf"]
    [row] = listed(client, account)
    page = client.get(f"{here}?tab=messages&send=email", headers=HTML).text
    assert f'name="attachment-{row["id"]}"' in page
    chosen = {**form, "once": "10", f"attachment-{row['id']}": "yes"}
    assert client.request("POST", f"{here}/messages", data=chosen, headers=HTML).status_code == 303
    assert len(client.get(f"{account}/messages").json()["items"]) == 2


def test_a_file_is_not_kept_for_a_message_that_could_not_be_sent(client: Client, account: str, service: StepByStep):
    service.drain()
    form = {"channel": "email", "text": "Hello", "do": "send", "once": "1"}
    sent = client.request(
        "POST",
        f"{account.removeprefix('/v1')}/messages",
        data=form,
        files=[("file", ("bill.pdf", SECRET))],
        headers=HTML,
    )
    assert sent.status_code == 409
    assert listed(client, account) == []
