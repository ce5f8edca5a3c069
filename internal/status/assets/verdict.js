// The sentence that is to be read first, with links to what it speaks of.
import { byId } from "./dialog.js";
import { bad } from "./hooks.js";
import { state } from "./state.js";
import { count, el } from "./view.js";

const named = 6; // hooks of a state that the verdict names

// verdict is texts and links.
function verdict(report) {
  if (report.role === "standby") return ["This instance stands by: another one leads and delivers."];
  if (report.role !== "leader") return [`Not leading: ${report.reason || "starting"}.`];
  if (!report.ready) return [`Not ready: ${report.reason}.`];
  const parts = [];
  const wrong = report.hooks.filter(bad);
  const dead = report.hooks.reduce((n, h) => n + h.dead, 0);
  const served = report.hooks.filter((h) => h.state !== "inactive").length;
  if (wrong.length) {
    parts.push(`${wrong.length} of ${served} ${served === 1 ? "hook" : "hooks"} ${wrong.length === 1 ? "needs" : "need"} you: `);
    [...Map.groupBy(wrong, (h) => h.state)].forEach(([word, hooks], i) => {
      if (i) parts.push(", ");
      hooks.slice(0, named).forEach((h, n) => {
        if (n) parts.push(n === Math.min(hooks.length, named) - 1 && hooks.length <= named ? " and " : ", ");
        parts.push({ text: `${h.id}`, href: `#hook=${h.id}`, label: `hook ${h.id}` });
      });
      parts.push(`${hooks.length > named ? " …" : ""} ${word}`);
    });
    parts.push(".");
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
