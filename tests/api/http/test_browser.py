"""The pages in a real browser: they fit, they can be read, and they need nothing from elsewhere."""

import json
import threading
from collections.abc import Iterator
from importlib.resources import files

import pytest

from api.http.server import server_of
from api.processes.step_by_step import StepByStep
from tests.adapters.attachments.test_content import PDF
from tests.api.http.browser import Browser, NoBrowser
from tests.api.http.client import Client, usd
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

# Contrast of every text against what is painted behind it (WCAG 2.2, 1.4.3): those below 4.5, or 3 where large.
FAINT = """
(() => {
  const channels = text => {
    const numbers = text.match(/[0-9.]+/g).map(Number);
    const scale = text.startsWith('color(') ? 255 : 1;
    return [numbers[0] * scale, numbers[1] * scale, numbers[2] * scale, numbers.length > 3 ? numbers[3] : 1];
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(c => c / 255).map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * x + .7152 * y + .0722 * z;
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour[3] > .95) return colour;
    }
    return [255, 255, 255, 1];
  };
  const faint = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const isSeen = element.checkVisibility() && !element.closest('.hidden, [disabled], svg');
    if (!isSeen || !texts.currentNode.data.trim()) continue;
    const style = getComputedStyle(element);
    const [one, other] = [luminance(channels(style.color)), luminance(behind(element))].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const wanted = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    if ((one + .05) / (other + .05) < wanted) faint.add(texts.currentNode.data.trim().slice(0, 30) + ' ' + style.color);
  }
  return [...faint];
})()
"""

# What axe-core finds, where it is loaded: the rule, and the first element that breaks it.
AXE = """
window.found = null;
axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }).then(said => {
  found = said.violations.map(each => each.id + " " + each.nodes[0].html.slice(0, 200));
});
undefined
"""

# What stands out of the box it belongs to, or out of the window.
SPILLED = """
(() => {
  const boxes = '.totals, .standing, .filters, .card, .message, .timeline, .list, .top';
  const spilled = new Set();
  for (const element of document.querySelectorAll('body *')) {
    if (!element.checkVisibility() || element.closest('.hidden, .skip, svg')) continue;
    const own = element.getBoundingClientRect();
    const box = element.parentElement.closest(boxes)?.getBoundingClientRect();
    const right = Math.min(box ? box.right : Infinity, element.closest('.scroll') ? Infinity : innerWidth);
    if (own.width && own.right > right + 1) spilled.add(element.tagName + ' ' + element.textContent.slice(0, 30));
  }
  return [...spilled];
})()
"""


@pytest.fixture(scope="module")
def site(service: StepByStep, client: Client, office: str) -> Iterator[str]:
    """The address of a server of the pages, with some accounts."""
    for n in range(1, 61):
        customer = {
            "office": office,
            "number": f"B-{n:02}",
            "customer_name": f"Customer {n:02} & Sons",
            "currency": "USD",
        }
        address = f"/v1/accounts/{client.done('POST', '/v1/accounts', customer)['id']}"
        for month in range(1, 1 + n % 3 + 1):
            invoice = {
                "number": f"{n}-{month}",
                "issued_on": f"2026-0{month}-01",
                "due_on": f"2026-0{month}-15",
                "amount": usd(f"{n}54321.50"),
            }
            client.done("POST", f"{address}/invoices", invoice)
        if n % 4 == 0:
            client.done("PUT", f"{address}/flags/{'vip' if n % 8 else 'legal'}")
        if n % 5 == 0:
            note = {"kind": "call", "disposition": "spoke-to-customer", "notes": "Will pay " + "soon " * 60}
            client.done("POST", f"{address}/activities", note)
            promise = {"instalments": [{"due_on": "2026-03-20", "amount": usd("0.50")}]}
            client.done("POST", f"{address}/promises", promise)
            client.done("POST", f"{address}/messages", {"channel": "portal", "text": "Please call us."})
            have_cases(client, address, invoice=f"{n}-1")
        if n == 15:
            have_written(client, address)
    service.wait_until_shown()
    server = server_of(service, "127.0.0.1", 0, None)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, "the server starts")
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def have_cases(client: Client, address: str, *, invoice: str) -> None:
    """One of each that a collector works."""
    why = {"reason": "A letter came, and it says " + "so " * 40}
    parts = [{"due_on": f"2026-0{month}-20", "amount": usd("0.50")} for month in (4, 5, 6)]
    client.done("POST", f"{address}/promises", {"instalments": parts, "notes": "On payday."})
    client.done("POST", f"{address}/holds", {"code": "goods-missing", "invoice_numbers": [invoice], **why})
    client.done(
        "POST", f"{address}/payment-claims", {"amount": usd("1.00"), "reference": "wire 7", "notes": "Last week."}
    )
    client.done("POST", f"{address}/complaints", {"subject": "A letter too many", "kind": "fca", "notes": "Rude."})
    client.done(
        "POST", f"{address}/disputes", {"reason_code": "quality", "invoice_numbers": [invoice], "notes": "Wet."}
    )
    case = {"kind": "suit", "court": "County court of a place with a long name", "documents": ["complaint.pdf"]}
    client.done("POST", f"{address}/legal-cases", {**case, "cost": usd("400.00")})


def have_written(client: Client, address: str) -> None:
    """A conversation by text, and a file."""
    phone = {"id": "phone-1", "number": "+12125550115", "kind": "mobile", "sms_consent": "given"}
    client.done("PUT", f"{address}/contact", {"phones": [phone]})
    client.done("POST", f"{address}/messages", {"channel": "sms", "text": "Please call us."})
    answer = {"channel": "sms", "sender": phone["number"], "text": "I paid on Friday, and " + "so " * 40}
    client.done("POST", f"{address}/inbound-messages", answer)
    file = {"file": ("A letter with a long name of a person who writes it all down.pdf", PDF, "application/pdf")}
    assert client.request("POST", f"{address}/attachments", files=file).status_code == 201


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    try:
        opened = Browser(tmp_path_factory.mktemp("browser"))
    except NoBrowser as absent:
        pytest.fail(str(absent))
    with opened:
        yield opened


def paths(browser: Browser, site: str) -> list[str]:
    browser.look(width=1440)
    browser.open(f"{site}/?q=B-15")
    account = browser.evaluate("document.querySelector('.who a').pathname")
    tabs = (
        "overview", "payments", "casework", "messages&send=email", "conversation", "activity", "audit", "contact",
        "calls", "attachments", "subscriptions",
    )  # fmt: skip
    pages = [
        "/", "/?as_of=2026-02-20", "/campaigns", "/worklist", "/settings/templates", "/settings/offices", "/inbound",
        "/?stage=zzz",
    ]  # fmt: skip
    return [*pages, *(f"{account}?tab={tab}" for tab in tabs), f"{account}?do=call"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_every_page_fits_and_can_be_read(browser: Browser, site: str, width: int, scheme: str):
    pages = paths(browser, site)
    browser.look(width=width, scheme=scheme)
    for path in pages:
        browser.open(f"{site}{path}")
        assert browser.evaluate("document.documentElement.scrollWidth") <= width, path
        assert browser.evaluate(SPILLED) == [], path
        assert browser.evaluate(FAINT) == [], path


def test_nothing_comes_from_elsewhere_and_nothing_is_refused(browser: Browser, site: str):
    pages = paths(browser, site)
    browser.heard.clear()
    for path in pages:
        browser.open(f"{site}{path}")
    asked = {url for url in browser.requested() if url.startswith("http")}
    assert {url.split("/")[2] for url in asked} == {site.removeprefix("http://")}, asked
    assert [said for said in browser.complaints() if "422" not in said] == []


def test_a_person_sorts_searches_and_pages(browser: Browser, site: str):
    browser.look(width=1440)
    browser.open(f"{site}/")
    first_row = "document.querySelector('.who .number').textContent"
    assert browser.evaluate("document.querySelectorAll('.list tbody tr').length") == 50
    browser.follow("th a[href*='sort=customer_name']")
    assert browser.evaluate("document.querySelector('[aria-sort]').getAttribute('aria-sort')") == "ascending"
    assert browser.evaluate(first_row) == "B-01"
    browser.follow("a[rel=next]")
    assert browser.evaluate(first_row) == "B-51"
    browser.evaluate("document.querySelector('input[name=q]').value = 'B-4'")
    browser.follow(".filters button")
    assert browser.evaluate("document.querySelectorAll('.list tbody tr').length") == 10
    browser.follow(".who a")
    assert browser.evaluate("document.querySelector('h1').textContent") == "Customer 40 & Sons"
    assert browser.evaluate("document.querySelector('.standing .flag').textContent") == "legal"


def test_a_message_is_shown_while_it_is_written(browser: Browser, site: str):
    [path] = [each for each in paths(browser, site) if "tab=messages" in each]
    browser.open(f"{site}{path.replace('send=email', 'send=sms')}")
    write = "text.value = '%s'; text.dispatchEvent(new Event('input', {bubbles: true}))"
    shown = "document.getElementById('shown').textContent.includes(%r)"
    browser.evaluate("text = document.querySelector('textarea')")
    browser.evaluate(write % "{{ customer_name }} <b>")
    browser.wait_for(shown % "Customer 15 & Sons <b> Reply STOP")
    assert browser.evaluate(shown % "44 of 140 characters, GSM-7, 1 segment")
    browser.evaluate(write % "{{ nobody }}")
    browser.wait_for(shown % "there is no placeholder")
    assert browser.evaluate("document.querySelector('textarea').value") == "{{ nobody }}"


def test_the_keyboard_reaches_the_content_first(browser: Browser, site: str):
    browser.look(width=1440)
    browser.open(f"{site}/")
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.textContent") == "Skip to content"
    assert browser.evaluate("document.activeElement.getBoundingClientRect().top >= 0")
    assert browser.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_person_changes_the_flags_of_a_selection_and_takes_it_back(browser: Browser, site: str):
    browser.look(width=1440)
    browser.open(f"{site}/?q=B-1")
    browser.evaluate("document.querySelector('details.actions').open = true")
    browser.follow('a[href^="/bulk/new/flags"]')
    browser.evaluate("document.querySelector('input[name=\"add.vip\"]').checked = true")
    browser.follow("form.filters button")
    assert "previewed" in browser.evaluate("document.querySelector('h1').textContent")
    accounts = browser.evaluate("document.querySelectorAll('table.list tbody tr').length")
    assert accounts == 10
    browser.follow('form[action$="/confirmation"] button')
    assert "finished" in browser.evaluate("document.querySelector('h1').textContent")
    assert (browser.evaluate(SPILLED), browser.evaluate(FAINT)) == ([], [])
    browser.follow('a[href$="/undo"]')
    assert "finished" not in browser.evaluate("document.querySelector('h1').textContent")
    assert (browser.evaluate(SPILLED), browser.evaluate(FAINT)) == ([], [])
    browser.follow('form[action$="/undo"] button')
    assert "undone" in browser.evaluate("document.querySelector('h1').textContent")


ACTIONS: dict[str, tuple[int, dict[str, str]]] = {
    "flags": (31, {"add.vip": "yes"}),
    "fees": (33, {"basis": "fixed", "amount": "10.00", "service_type": "late-fee"}),
    "stage": (34, {"to": "pending"}),
    "write-off": (37, {"code": "uncollectible"}),
    "arm": (38, {"agency": "acme"}),
    "placement": (39, {"agency": "acme"}),
    "freeze": (41, {"code": "moved"}),
    "rollback": (42, {}),
    "message": (43, {"channel": "portal", "text": "Please call us."}),
}
"""By kind the number of the customer whose account it is done to, and what is filled in."""


def fill_in(browser: Browser, fields: dict[str, str]) -> None:
    """Fields of the form that is shown, by name; a box is ticked."""
    for name, value in fields.items():
        field = f"document.querySelector('form.filters [name={json.dumps(name)}]:not([type=hidden])')"
        browser.evaluate(f"{field}.type === 'checkbox' ? {field}.checked = true : {field}.value = {json.dumps(value)}")


@pytest.mark.parametrize("kind", ACTIONS)
def test_each_action_is_done_from_the_report_and_taken_back(
    browser: Browser, site: str, client: Client, service: StepByStep, kind: str
):
    number, fields = ACTIONS[kind]
    [found] = client.get(f"/v1/accounts?number=B-{number}").json()["items"]
    account = f"/v1/accounts/{found['account_id']}"
    client.done("PUT", "/v1/agencies/acme", {"office": "main", "agency": {"title": "Acme Recovery"}})
    client.done("POST", f"{account}/subscriptions", {"number": "S-1"})
    client.done("PUT", f"{account}/contact", {"emails": [{"id": "email-1", "address": "books@customer.example"}]})
    if kind == "rollback":
        client.done("PUT", f"{account}/freeze", {"code": "moved"})
    service.wait_until_shown()
    before = client.get(account).json()
    title = "document.querySelector('h1').textContent"
    browser.look(width=1440)
    browser.open(f"{site}/?number=B-{number}")
    browser.evaluate("document.querySelector('details.actions').open = true")
    browser.follow(f'a[href^="/bulk/new/{kind}"]')
    fill_in(browser, fields)
    browser.follow("form.filters .buttons button")
    assert "previewed" in browser.evaluate(title)
    assert browser.evaluate("document.querySelectorAll('table.list tbody tr').length") == 1
    browser.follow('form[action$="/confirmation"] button')
    assert "finished" in browser.evaluate(title)
    outcome = "document.querySelector('[data-label=Outcome]').textContent"
    assert browser.evaluate(outcome) == "done"
    assert (browser.evaluate(SPILLED), browser.evaluate(FAINT)) == ([], [])
    done = client.get(account).json()
    assert done["version"] > before["version"]
    if kind == "message":
        assert browser.evaluate("document.querySelector('a[href$=\"/undo\"]')") is None
        return
    browser.follow('a[href$="/undo"]')
    browser.follow('form[action$="/undo"] button')
    assert "undone" in browser.evaluate(title)
    service.wait_until_shown()
    after = client.get(account).json()
    assert {**after, "version": 0} == {**before, "version": 0}


def test_the_report_is_exported_and_that_is_recorded(browser: Browser, site: str, service: StepByStep):
    browser.look(width=1440)
    browser.open(f"{site}/?number=B-46")
    browser.evaluate("document.querySelector('details.actions').open = true")
    browser.evaluate("document.querySelector('details.actions button[value=xlsx]').click()")
    exported = "SELECT 1 FROM read_model.audit_trail WHERE event_name = 'bulk.exported'"

    def recorded() -> bool:
        browser.evaluate("true")  # what it asks for is seen meanwhile
        service.drain()
        with service.database.connect("arrears_app") as connection:
            return connection.execute(exported).fetchone() is not None

    wait_until(recorded, "the export is recorded")


def test_one_subscription_is_frozen_and_rolled_back_on_the_account_and_found_from_the_report(
    browser: Browser, site: str, client: Client, service: StepByStep
):
    [found] = client.get("/v1/accounts?number=B-47").json()["items"]
    account = f"/v1/accounts/{found['account_id']}"
    for number in ("S-1", "S-2"):
        client.done("POST", f"{account}/subscriptions", {"number": number, "service_type": "fibre"})
    client.done("POST", f"{account}/subscriptions", {"number": "S-3", "cancelled_on": "2026-03-01"})
    service.wait_until_shown()
    statuses = (
        "[...document.querySelectorAll('[data-label=Status]')].map(each => each.textContent.split(' ')[0]).join()"
    )
    row = "form[action$='/subscriptions/freeze']:has([value='S-1'])"

    def press(*, then: str) -> None:
        """The page is not loaded anew."""
        browser.evaluate(f'document.querySelector("{row} button").click()')
        browser.wait_for(f"{statuses} === '{then}'")
        assert (browser.evaluate(SPILLED), browser.evaluate(FAINT)) == ([], [])
        service.wait_until_shown()

    for width, scheme in ((390, "dark"), (1440, "light")):
        browser.look(width=width, scheme=scheme)
        browser.open(f"{site}{account.removeprefix('/v1')}?tab=subscriptions")
        browser.evaluate(f'document.querySelector("{row} select").value = "moved"')
        press(then="frozen,active,cancelled")
        browser.open(f"{site}/?number=B-47")
        assert (browser.evaluate(SPILLED), browser.evaluate(FAINT)) == ([], [])
        browser.follow("a[aria-label^='Frozen subscriptions of']")
        press(then="active,active,cancelled")


def test_a_number_is_added_and_what_the_customer_wishes_of_it_is_recorded(browser: Browser, site: str, client: Client):
    [found] = client.get("/v1/accounts?number=B-46").json()["items"]
    account = f"/v1/accounts/{found['account_id']}"
    shown = "document.querySelector('section[aria-labelledby=numbers]').textContent"
    number = {"dark": "+12125550146", "light": "+12125550147"}

    def sends(form: str, *, then: str, **fields: str) -> None:
        """The page is not loaded anew."""
        for name, value in fields.items():
            browser.evaluate(
                f"document.querySelector({json.dumps(f'{form} [name={name}]')}).value = {json.dumps(value)}"
            )
        browser.evaluate(f"document.querySelector({json.dumps(f'{form} button')}).click()")
        browser.wait_for(f"{shown}.includes({json.dumps(then)})")
        assert (browser.evaluate(SPILLED), browser.evaluate(FAINT)) == ([], [])

    for place, (width, scheme) in enumerate(((390, "dark"), (1440, "light")), 1):
        browser.look(width=width, scheme=scheme)
        browser.open(f"{site}{account.removeprefix('/v1')}?tab=contact")
        browser.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        sends("form[aria-label='Add a number']", then=number[scheme], phone=number[scheme], phone_kind="mobile")
        of = f"form[aria-label='Wishes of {number[scheme]}']"
        sends(of, then=f"phone-{place} · opted out of sms", wish="opt-out sms", reason="On the phone.")
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
    opted_out = {(each["channel"], each["point_id"]) for each in client.get(account).json()["opt_outs"]}
    assert opted_out == {("sms", "phone-1"), ("sms", "phone-2")}


def test_axe_finds_nothing_on_the_desk(browser: Browser, site: str):
    """WCAG 2.2, levels A and AA, as axe-core checks it; what differs on a telephone, in the dark too."""
    axe = files("axe_core_python").joinpath("axe.min.js").read_text()
    desk = [each for each in paths(browser, site) if each.startswith("/accounts/")]
    narrow = [each for each in desk if each.endswith(("tab=attachments", "tab=conversation", "do=call"))]
    for width, scheme, seen in ((1440, "light", desk), (390, "dark", narrow)):
        browser.look(width=width, scheme=scheme)
        for path in seen:
            browser.open(f"{site}{path}")
            browser.evaluate(f"{axe}; undefined")
            browser.evaluate(AXE)
            browser.wait_for("found !== null")
            assert browser.evaluate("found") == [], path


def test_a_whole_case_is_worked_by_keyboard_without_loading_the_page_anew(
    browser: Browser, site: str, client: Client, service: StepByStep
):
    """A call and how it ended, a note, a promise, a text, the customer's answer, a dispute and its end."""
    [found] = client.get("/v1/accounts?number=B-07").json()["items"]
    account = f"/v1/accounts/{found['account_id']}"
    phone = {"id": "phone-1", "number": "+12125550107", "kind": "mobile", "sms_consent": "given"}
    client.done("PUT", f"{account}/contact", {"phones": [phone]})
    service.wait_until_shown()
    browser.look(width=1440)
    browser.open(f"{site}{account.removeprefix('/v1')}?tab=activity")
    browser.evaluate("window.neverLeft = true")
    timeline = "document.getElementById('timeline').textContent"

    def quick(action: str) -> None:
        """Opened from its quick action; the focus is on the first field."""
        browser.tab_to(f"at.matches('.quick a[href$=\"do={action}\"]')")
        browser.press("Enter")
        browser.wait_for("document.querySelector('dialog').open && document.activeElement.closest('dialog form')")

    def is_over(action: str) -> None:
        """The dialog is closed, and the focus is where it was opened."""
        browser.wait_for("!document.querySelector('dialog').open")
        browser.wait_for(f"(document.activeElement.getAttribute('href') || '').endsWith('do={action}')")

    def field(name: str, *, of: str = "") -> None:
        browser.tab_to(f"at.name === '{name}' && at.form.action.endsWith('{of}')")

    def tab(name: str, shows: str) -> None:
        browser.tab_to(f"at.matches('nav a[href$=\"tab={name}\"]')")
        browser.press("Enter")
        browser.wait_for(f"location.search === '?tab={name}' && document.querySelector({json.dumps(shows)}) !== null")

    quick("call")
    assert "May I speak with Customer 07" in browser.evaluate("document.querySelector('dialog .script').textContent")
    browser.press("Enter")
    browser.wait_for("document.activeElement.name === 'disposition'")
    browser.choose("spoke-to-customer")
    field("notes")
    browser.type("She was on holiday.")
    browser.press("Enter")
    is_over("call")

    quick("activity")
    browser.press("Escape")
    is_over("activity")
    quick("activity")
    browser.choose("note")
    field("notes")
    browser.type("The buyer is on holiday.")
    browser.press("Enter")
    is_over("activity")

    quick("promise")
    browser.type("0.005")
    field("due")
    browser.type("2026-03-25")
    browser.press("Enter")
    browser.wait_for("document.querySelector('dialog [aria-invalid] + .wrong') !== null")
    typed = "document.querySelector('dialog [name=amount]').value"
    assert (browser.evaluate("document.activeElement.name"), browser.evaluate(typed)) == ("amount", "0.005")
    browser.type("99999999.00")  # the account itself refuses that; what is sent next is another request
    browser.press("Enter")
    browser.wait_for("document.querySelector('dialog .wrong') && !document.querySelector('dialog [aria-invalid]')")
    field("amount")
    browser.type("0.25")
    browser.press("Enter")
    is_over("promise")
    browser.wait_for(f"{timeline}.includes('0.25')")
    for said in ("She was on holiday.", "The buyer is on holiday."):
        assert said in browser.evaluate(timeline)

    quick("sms")
    field("text")
    browser.type("Thank you, {{ customer_name }}.")
    browser.tab_to("at.textContent === 'Send SMS'")
    browser.press("Enter")
    is_over("sms")

    answer = {"channel": "sms", "sender": phone["number"], "text": "The last one was wet."}
    client.done("POST", f"{account}/inbound-messages", answer)
    service.wait_until_shown()
    tab("collections", "#timeline")
    tab("conversation", ".thread")
    thread = "document.querySelector('.thread').textContent"
    assert "Thank you" in browser.evaluate(thread)
    field("reason", of="/read")
    browser.type("Disputed.")
    browser.press("Enter")
    browser.wait_for(
        f"{thread}.includes('The last one was wet.') && !document.querySelector('form[action$=\"/read\"]')"
    )

    tab("details", "form[action$='/disputes']")
    field("code", of="/disputes")
    browser.type("quality")
    browser.press("Enter")
    browser.wait_for("document.querySelector('.warnings')?.textContent.includes('Disputed')")
    field("resolution")
    browser.type("unfounded")
    browser.press("Enter")
    browser.wait_for("document.querySelector('[name=resolution]') === null")

    tab("billing", "#collections-stage")
    assert browser.evaluate("window.neverLeft") is True
    said = client.get(account).json()
    assert (said["disputes"], "undocumented" in said, len(said["promises"])) == ([], False, 1)
