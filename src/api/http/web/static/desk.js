// The account's page without loading it anew: forms are sent, tabs are changed and dialogs are opened in place.
// Each of them is a plain link or form, which does the same without this.
"use strict";

const main = document.getElementById("main");
const dialog = document.createElement("dialog");
const announced = document.createElement("p");
let opener = null;
let isSending = false;

dialog.setAttribute("aria-labelledby", "action-title");
announced.className = "hidden";
announced.setAttribute("role", "status");
document.body.append(dialog, announced);

async function read(url, options = {}) {
  const answer = await fetch(url, { ...options, headers: { Accept: "text/html" } });
  return { answer, page: new DOMParser().parseFromString(await answer.text(), "text/html") };
}

function shown(page) {
  const found = page.getElementById("main");
  main.replaceChildren(...document.importNode(found, true).childNodes);
  document.title = page.title;
}

async function refresh() {
  const { answer, page } = await read(location.href);
  if (answer.ok) shown(page);
}

// --- dialogs ---

async function open(link) {
  const { answer, page } = await read(link.href);
  const action = page.getElementById("action");
  if (!answer.ok || !action) {
    location.assign(link.href);
    return;
  }
  opener = link.getAttribute("href");
  fill([action]);
  if (!dialog.open) dialog.showModal();
  focusFirst();
}

function fill(nodes) {
  const close = document.createElement("button");
  close.type = "button";
  close.className = "quiet close";
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(...nodes.map(node => document.importNode(node, true)), close);
}

function focusFirst() {
  const fields = "input:not([type=hidden]), select, textarea, button:not(.close)";
  (dialog.querySelector(`form :is(${fields})`) ?? dialog.querySelector(".close")).focus();
}

dialog.addEventListener("close", () => {
  dialog.replaceChildren();
  const link = [...main.querySelectorAll("a[data-dialog]")].find(each => each.getAttribute("href") === opener);
  link?.focus();
});

// --- what was wrong ---

function wrong(form, alert) {
  form.querySelectorAll(".wrong").forEach(each => each.remove());
  form.querySelectorAll("[aria-invalid]").forEach(each => each.removeAttribute("aria-invalid"));
  const said = document.createElement("span");
  said.className = "wrong";
  said.id = "wrong";
  said.setAttribute("role", "alert");
  said.textContent = alert?.textContent ?? "It did not work. Nothing was lost: try again.";
  const named = alert?.parentElement?.dataset.field;
  const field = named ? form.elements[fieldOf(form, named)] : null;
  if (field instanceof Element && field.type !== "hidden") {
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", "wrong");
    field.after(said);
    field.focus();
  } else {
    form.append(said);
  }
}

// A field may have the name that the form gives it, or that of the command: instalments.0.due_on is `due`.
function fieldOf(form, name) {
  const last = name.split(".").pop();
  return [name, last, last.replace(/_on$|_code$|_number$/, "")].find(each => form.elements[each]) ?? "";
}

// --- forms and links ---

// A refusal is the answer to what was sent; what is sent next is another request, with a token of its own.
function renew(form, page) {
  const once = form.elements.once;
  const action = form.getAttribute("action");
  const same = [...page.querySelectorAll("form")].find(each => each.getAttribute("action") === action && each.elements.once);
  const fresh = same?.elements.once ?? page.querySelector("main [name=once]");
  if (once && fresh) once.value = fresh.value;
}

async function send(form, button) {
  const fields = new FormData(form, button);
  const carries = form.enctype === "multipart/form-data";
  const { answer, page } = await read(form.action, { method: "POST", body: carries ? fields : new URLSearchParams(fields) });
  const alert = page.querySelector("main [role=alert]");
  if (!answer.ok) {
    if (answer.status < 500) renew(form, page);
    wrong(form, alert ?? page.querySelector("main p"));
    return;
  }
  if (dialog.contains(form)) {
    await sentFromDialog(form, page, button?.value === "preview");
    return;
  }
  if (!page.getElementById("main")) return;
  shown(page);
  if (answer.redirected) history.replaceState(null, "", answer.url);
  announced.textContent = "Done.";
  main.focus({ preventScroll: true });
}

async function sentFromDialog(form, page, isPreview) {
  const previewed = page.getElementById("shown");
  const before = dialog.querySelector("#shown");
  if (isPreview) {
    if (previewed && before) before.replaceChildren(...document.importNode(previewed, true).childNodes);
    return;
  }
  const undocumented = form.action.endsWith("/contact/call") ? page.querySelector("#not-documented") : null;
  if (undocumented?.querySelector("form")) {
    const script = dialog.querySelector(".script");
    fill([...(script ? [script] : []), undocumented]);
    await refresh();
    focusFirst();
    return;
  }
  await refresh();
  dialog.close();
  announced.textContent = "Done.";
}

document.addEventListener("submit", event => {
  const form = event.target;
  if (form.method !== "post" || !form.action.startsWith(`${location.origin}/accounts/`)) return;
  event.preventDefault();
  if (isSending) return;
  isSending = true;
  form.setAttribute("aria-busy", "true");
  send(form, event.submitter)
    .catch(() => wrong(form, null))
    .finally(() => {
      isSending = false;
      form.removeAttribute("aria-busy");
    });
});

async function follow(link) {
  const { answer, page } = await read(link.href);
  if (!answer.ok || !page.querySelector(".desk")) {
    location.assign(link.href);
    return;
  }
  shown(page);
  history.pushState(null, "", link.href);
  const same = [...main.querySelectorAll("nav a")].find(each => each.href === link.href);
  (same ?? main).focus({ preventScroll: true });
}

async function more(link) {
  const { answer, page } = await read(link.href);
  const list = document.getElementById(link.dataset.more), found = page.getElementById(link.dataset.more);
  if (!answer.ok || !list || !found) {
    location.assign(link.href);
    return;
  }
  const added = [...document.importNode(found, true).children];
  list.append(...added);
  const next = page.querySelector("a[data-more]");
  if (next) link.setAttribute("href", next.getAttribute("href"));
  else link.closest("nav").remove();
  announced.textContent = `${added.length} more are shown.`;
  if (!next && added[0]) {
    added[0].tabIndex = -1;
    added[0].focus();
  }
}

document.addEventListener("click", event => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button) return;
  const link = event.target.closest?.("a[data-dialog], a[data-more], .tabs a, .subtabs a");
  if (!link || !main.contains(link)) return;
  event.preventDefault();
  const act = link.matches("[data-dialog]") ? open : link.matches("[data-more]") ? more : follow;
  act(link).catch(() => location.assign(link.href));
});

addEventListener("popstate", () => refresh().catch(() => location.reload()));
