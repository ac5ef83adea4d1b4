// Shows a message as it would leave, while it is written. Without it the button does the same.
"use strict";

let timer, latest = 0;

async function show(form) {
  const mine = ++latest;
  const said = [...new FormData(form)].filter(([, value]) => typeof value === "string");
  const fields = new URLSearchParams(said);
  fields.set("do", "preview");
  const answer = await fetch(form.action, { method: "POST", body: fields, headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = page.getElementById("shown"), shown = form.parentElement.querySelector("#shown");
  if (mine === latest && found && shown) shown.replaceChildren(...document.importNode(found, true).childNodes);
}

document.addEventListener("input", event => {
  const form = event.target.closest("form[data-live]");
  if (!form) return;
  clearTimeout(timer);
  timer = setTimeout(() => show(form).catch(() => {}), 400);
});
