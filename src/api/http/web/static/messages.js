// Shows a message as it would leave, while it is written. Without it the button does the same.
"use strict";

const form = document.querySelector("form[data-live]");
const shown = document.getElementById("shown");
let timer, latest = 0;

async function show() {
  const mine = ++latest;
  const said = [...new FormData(form)].filter(([, value]) => typeof value === "string");
  const fields = new URLSearchParams(said);
  fields.set("do", "preview");
  const answer = await fetch(form.action, { method: "POST", body: fields, headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = page.getElementById("shown");
  if (mine === latest && found) shown.replaceChildren(...document.importNode(found, true).childNodes);
}

if (form && shown) {
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => show().catch(() => {}), 400);
  });
}
