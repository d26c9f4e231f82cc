// Saves the form of a record as a draft every minute in which something was typed. Without it the button does the same.
"use strict";

const EVERY_MS = 60_000;

for (const form of document.querySelectorAll("form[data-keep]")) {
  const status = form.querySelector("[data-keep-status]");
  let isChanged = false;
  let isLeaving = false;
  let sending = null;

  form.addEventListener("input", () => { isChanged = true; });
  form.addEventListener("submit", () => {
    isLeaving = true;
    sending?.abort();
  });
  // Who comes back to a page that the browser kept goes on typing.
  addEventListener("pageshow", () => { isLeaving = false; });

  const save = async () => {
    if (!isChanged || isLeaving || sending) return;
    isChanged = false;
    sending = new AbortController();
    const fields = new URLSearchParams(new FormData(form));
    fields.set("save", "script");
    try {
      const answer = await fetch(form.action, { method: "POST", body: fields, signal: sending.signal, redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const now = new Date();
      status.textContent = `${form.dataset.kept} ${now.getHours()}:${String(now.getMinutes()).padStart(2, "0")}`;
    } catch {
      isChanged = true;
      if (!isLeaving) status.textContent = form.dataset.notKept;
    } finally {
      sending = null;
    }
  };
  setInterval(save, EVERY_MS);
}
