// The sentence that is to be read first, with links to what it speaks of.
import { byId } from "./dialog.js";
import { state } from "./state.js";
import { count, el } from "./view.js";

// brokenHooks is how many hooks are in a state that needs a person.
export const brokenHooks = (report) => (report.tally?.broken ?? []).reduce((n, b) => n + b.hooks, 0);

// serves reports whether the instance delivers, and has hooks to show.
export const serves = (report) => report.role === "leader" || report.role === "sender";

// verdict is texts and links.
function verdict(report) {
  if (report.role === "reader" && report.ready) return ["This instance reads the slot into the log; senders deliver."];
  if (report.role === "standby") return ["This instance stands by: another one leads and delivers."];
  if (!serves(report)) return [`Not leading: ${report.reason || "starting"}.`];
  if (!report.ready) return [`Not ready: ${report.reason}.`];
  const parts = [];
  const { broken, dead, served, behind } = report.tally;
  const wrong = brokenHooks(report);
  if (wrong) {
    parts.push(`${count(wrong)} of ${count(served)} ${served === 1 ? "hook" : "hooks"} ${wrong === 1 ? "needs" : "need"} you: `);
    broken.forEach(({ state: word, hooks, first }, i) => {
      if (i) parts.push(", ");
      first.forEach((id, n) => {
        if (n) parts.push(n === first.length - 1 && hooks === first.length ? " and " : ", ");
        parts.push({ text: `${id}`, href: `#hook=${id}`, label: `hook ${id}` });
      });
      parts.push(`${hooks > first.length ? ` and ${count(hooks - first.length)} others` : ""} ${word}`);
    });
    parts.push(".");
  } else if (behind) {
    parts.push(`${count(behind)} of ${count(served)} ${served === 1 ? "hook" : "hooks"} ${behind === 1 ? "has" : "have"} parked deliveries.`);
  } else {
    parts.push(served === 0 ? "No hook is served." : served === 1 ? "The hook is working." : `All ${count(served)} hooks are working.`);
  }
  if (dead) parts.push(" ", { text: `${count(dead)} dead ${dead === 1 ? "delivery" : "deliveries"}`, href: "#outcome=dead" }, ` ${dead === 1 ? "waits" : "wait"} for a person.`);
  return parts;
}

// showVerdict writes it where it has changed: it is read aloud then.
export function showVerdict() {
  const parts = verdict(state.report);
  const node = byId("verdict");
  const key = JSON.stringify(parts);
  if (node.said === key) return;
  node.said = key;
  node.replaceChildren(...parts.map((p) => (typeof p === "string" ? p : el("a", { href: p.href, text: p.text, ...(p.label ? { "aria-label": p.label } : {}) }))));
}
