// Events made of existing rows: asked for in a dialog, followed on the hook's page.
import { act } from "./act.js";
import { post } from "./ask.js";
import { button, byId, open } from "./dialog.js";
import { instant, state } from "./state.js";
import { count, el, put, span } from "./view.js";

const form = byId("backfill-form");
let hook; // of the dialog

// askBackfill opens the dialog for the hook.
export function askBackfill(h) {
  hook = h;
  form.reset();
  if (h.project) form.elements.project.value = h.project;
  open("backfill-dialog", { "backfill-title": `Backfill hook ${h.id}`, "backfill-fault": "", "backfill-count": "" });
}

function wanted() {
  const f = form.elements;
  return { do: "backfill", hook: hook.id, project: Number(f.project.value), action: f.action.value, ...(f.since.value ? { since: instant(f.since.value) } : {}) };
}

byId("backfill-ask").addEventListener("click", async () => {
  if (!form.reportValidity()) return;
  try {
    put(byId("backfill-fault"), "");
    put(byId("backfill-count"), (await post("act", { ...wanted(), dry_run: true })).body.message);
  } catch (fault) {
    put(byId("backfill-fault"), fault.message);
  }
});
form.addEventListener("submit", async (e) => {
  e.preventDefault();
  try {
    await act(wanted());
    byId("backfill-dialog").close();
  } catch (fault) {
    put(byId("backfill-fault"), fault.message);
  }
});

// showBackfill shows how far the hook's backfill is, or how it ended.
export function showBackfill(h) {
  const node = byId("hook-backfill");
  const b = state.report.backfill;
  node.hidden = !b || b.hook !== h.id;
  if (node.hidden) return;
  if (!node.firstElementChild) {
    node.replaceChildren(el("span"), " ", el("progress", { "aria-label": "Backfill" }), " ", button("Stop", "Stop the backfill", () => act({ do: "stop_backfill", hook: state.report.backfill.hook })));
  }
  const [text, bar, stop] = node.children;
  const what = `Backfill of ${b.action} from project ${b.project}`;
  const took = (Date.parse(b.ended ?? state.report.time) - Date.parse(b.began)) / 1000;
  if (b.ended) put(text, b.error ? `${what} ended after row ${b.last}: ${b.error}` : `${what} has ended: ${count(b.events)} of ${count(b.total)} rows were sent in ${span(took)}`);
  else put(text, `${what}: ${count(b.done)} of ${count(b.total)} rows${b.done ? `, about ${span((took / b.done) * Math.max(0, b.total - b.done))} left` : ""}`);
  bar.max = Math.max(1, b.total);
  bar.value = b.done;
  bar.hidden = Boolean(b.ended);
  stop.hidden = Boolean(b.ended) || !state.report.authorized;
}
