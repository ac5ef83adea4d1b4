// Looks how far a call is while the carrier has it, and shows how it ended. Without it a button does the same.
"use strict";

const SECONDS = 3;

async function look() {
  const form = document.querySelector("dialog form[data-look]") ?? document.querySelector("form[data-look]");
  if (!form) return;
  const fields = new URLSearchParams(new FormData(form));
  const answer = await fetch(form.action, { method: "POST", body: fields, headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const now = form.closest("#not-documented"), then = page.getElementById("not-documented");
  if (answer.ok && now && then && !then.querySelector(`form[data-look="${form.dataset.look}"]`)) {
    now.replaceChildren(...document.importNode(then, true).childNodes);
    now.querySelector("select[name=disposition]")?.focus();
  }
}

function again() {
  look().catch(() => {}).finally(() => setTimeout(again, SECONDS * 1000));
}

setTimeout(again, SECONDS * 1000);
