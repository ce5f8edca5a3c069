// What is asked of people and told to them, above the page.
import { el, put } from "./view.js";

export const byId = (id) => document.getElementById(id);

let toastTimer;
export function toast(text, bad = false) {
  put(byId("toast"), text);
  byId("toast").className = bad ? "fault" : "";
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => put(byId("toast"), ""), bad ? 12000 : 6000);
}

// button does something that may fail; act names what, for styles.
export function button(text, label, run, act = "") {
  const b = el("button", { type: "button", text, "aria-label": label, "data-act": act });
  b.addEventListener("click", async () => {
    b.disabled = true;
    try {
      await run();
    } catch (fault) {
      toast(fault.message, true);
    }
    b.disabled = false;
  });
  return b;
}

export function open(id, texts = {}) {
  for (const [name, text] of Object.entries(texts)) put(byId(name), text);
  byId(id).showModal();
}

// sure asks a person, and is true for a yes.
export function sure(title, text, yes) {
  open("ask-dialog", { "ask-title": title, "ask-text": text, "ask-yes": yes });
  const dialog = byId("ask-dialog");
  return new Promise((done) => {
    byId("ask-yes").onclick = () => dialog.close("yes");
    dialog.returnValue = "";
    dialog.onclose = () => done(dialog.returnValue === "yes");
  });
}

for (const b of document.querySelectorAll("dialog .close")) b.addEventListener("click", () => b.closest("dialog").close(""));
