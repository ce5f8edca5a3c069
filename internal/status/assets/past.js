// What the log has of a hook's past: events, without their attempts.
import { act, payload } from "./act.js";
import { ask } from "./ask.js";
import { button, byId } from "./dialog.js";
import { query, search, state } from "./state.js";
import { cell, count, el, put, rows, size, when } from "./view.js";

const listed = "100";

let asked = ""; // what was read last; "": nothing
let past = null; // the answer; null: there is none yet
let fault = "";

// wanted is what to ask the log for the search; "": it has no answer.
function wanted() {
  const f = search();
  return state.report.log?.keep_seconds && f.hook && !f.outcome && !f.annotation ? `${query(f, { limit: listed })}` : "";
}

// readPast reads the log once for each search: it may take seconds.
export async function readPast() {
  const q = wanted();
  if (q === asked) return;
  [asked, past, fault] = [q, null, ""];
  showPast();
  if (!q) return;
  try {
    const { body } = await ask(`status/log?${q}`);
    if (asked === q) past = body;
  } catch (failed) {
    if (asked === q) fault = failed.message;
  }
  showPast();
}

byId("past-again").addEventListener("click", () => {
  asked = "";
  readPast();
});

// showPast shows the events that are not among the deliveries above them.
export function showPast() {
  byId("past-section").hidden = !wanted();
  if (!wanted()) return;
  const above = new Set((state.found ?? []).map((a) => a.event));
  const events = (past?.events ?? []).filter((e) => !above.has(e.event));
  byId("past").hidden = !events.length;
  rows(document.querySelector("#past tbody"), events, (e) => `${e.position}`, make, showEvent);
  put(byId("past-about"), about(events.length));
  byId("past-again").hidden = !past && !fault;
}

function about(n) {
  if (fault) return `▲ The log was not read: ${fault}`;
  if (!past) return "Reading the log…";
  const rest = past.partial ? " The time ended before all of the log was read: choose From and To." : past.more ? " There are older ones: choose To to see them." : "";
  return n ? `${count(n)} more ${n === 1 ? "event" : "events"} for this hook. The log has no attempts and no answers.${rest}` : `The log has no other events like that.${rest}`;
}

function make(e) {
  const parts = [cell("", "Committed"), cell("which", "Action"), cell("n", "Project"), cell("n", "Task"), cell("n", "Payload"), cell("event mono", "Event"), cell("act")];
  for (const [i, text] of ["", e.action, e.project ?? "", e.task ?? "", e.bytes ? size(e.bytes) : "", e.event].entries()) put(parts[i], `${text}`);
  return el("tr", { role: "row" }, ...parts);
}

function showEvent(row, e) {
  const { report } = state;
  when(row.firstElementChild, e.committed, report);
  const actions = row.lastElementChild;
  if (actions.wanted === report.authorized) return;
  actions.wanted = report.authorized;
  const which = `event ${e.event} to hook ${e.hook}`;
  actions.replaceChildren(...(report.authorized ? [
    button("Payload", `Payload of ${which}`, () => payload(`hook=${e.hook}&position=${e.position}`, which)),
    button("Send again", `Send again: ${which}`, () => act({ do: "resend", hook: e.hook, position: e.position })),
  ] : []));
}
