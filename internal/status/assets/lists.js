// The lists below the filter: what is parked and dead, and what was sent.
import { act, payload } from "./act.js";
import { ask } from "./ask.js";
import { button, byId, toast } from "./dialog.js";
import { instant, query, search, state } from "./state.js";
import { badge, cell, count, due, el, leadsTo, put, rows, size, span, when } from "./view.js";

const listed = "300";

// list asks for what the search means: what is stored, if there is any, and attempts, if
// those of the report do not do.
export async function list() {
  const f = search();
  const wide = f.hook || f.action || f.task || f.annotation || f.event || f.since || f.until;
  const { tally } = state.report;
  const any = tally && tally.parked + tally.dead > 0;
  const lists = [];
  if (any && f.outcome !== "delivered" && f.outcome !== "retried") {
    for (const kind of f.outcome ? [f.outcome] : ["dead", "parked"]) lists.push((await ask(`status/deliveries?${query(f, { state: kind, limit: "100" })}`)).body);
  }
  let found = null;
  if (wide && f.outcome !== "parked") found = (await ask(`status/history?${query(f, { limit: listed, ...(f.outcome ? { outcome: f.outcome } : {}) })}`)).body.attempts;
  if (JSON.stringify(f) !== JSON.stringify(search())) return; // asked for something else meanwhile
  state.stored = lists.flatMap((l) => l.deliveries);
  state.more = lists.some((l) => l.more);
  state.found = found;
}

// --- what is stored ---------------------------------------------------------

export function showStored() {
  const { stored, opened, more } = state;
  const f = search();
  byId("stored-section").hidden = f.outcome === "delivered" || f.outcome === "retried";
  byId("stored").hidden = !stored.length;
  rows(document.querySelector("#stored tbody"), stored.slice(0, opened.stored), (d) => `${d.hook} ${d.event}`, makeStored, showStoredRow);
  offerMore("stored", stored.length);
  byId("no-stored").hidden = stored.length > 0 && !(more && stored.length <= opened.stored);
  put(byId("no-stored"), stored.length ? "These are the first of each state; filter to see others, or ask hooktail deliveries list." : "Nothing is parked or dead here.");
  showStoredActs(f);
}

// showStoredActs offers to redrive or discard all that the search means of a hook.
function showStoredActs(f) {
  const node = byId("stored-acts");
  const kinds = new Set(state.stored.map((d) => d.state));
  const narrow = f.action || f.task || f.since || f.until;
  const wanted = state.report.authorized && f.hook && narrow && !f.event && !f.annotation ? [...(kinds.has("dead") ? ["redrive dead", "discard dead"] : []), ...(kinds.has("parked") ? ["discard parked"] : [])] : [];
  const which = { hook: Number(f.hook), ...(f.action ? { action: f.action } : {}), ...(f.task ? { task: Number(f.task) } : {}) };
  for (const name of ["since", "until"]) if (instant(f[name])) which[name] = instant(f[name]);
  const key = JSON.stringify([wanted, which]);
  if (node.wanted === key) return;
  node.wanted = key;
  node.replaceChildren(...wanted.map((text) => {
    const [what, kind] = text.split(" ");
    const words = `${what === "redrive" ? "Redrive" : "Discard"} all ${kind} of this search`;
    return button(words, words, () => act({ do: what, ...(what === "discard" ? { state: kind } : {}), ...which }));
  }));
}

// offerMore lets people see the rest of a list.
function offerMore(name, n) {
  const b = byId(`more-${name}`);
  b.hidden = n <= state.opened[name];
  put(b, `Show ${count(n - state.opened[name])} more`);
}

for (const [name, draw] of [["stored", showStored], ["recent", showRecent]]) {
  byId(`more-${name}`).addEventListener("click", () => {
    state.opened[name] = Infinity;
    draw();
  });
}

function makeStored(d) {
  const row = el("tr", { role: "row" });
  const parts = [cell("what"), cell("n2", "Hook"), cell("which", "Action"), cell("", "Committed"), cell("n", "Attempts"), cell("", "Last"), cell("why", "Why"), cell("event mono", "Event"), cell("act")];
  parts[0].append(el("span"));
  parts[1].append(el("a", { cls: "id", href: `#hook=${d.hook}`, text: `${d.hook}`, "aria-label": `Hook ${d.hook}` }));
  parts[2].textContent = d.action;
  parts[7].textContent = `${d.event}${d.task ? ` · task ${d.task}` : d.project ? ` · project ${d.project}` : ""}`;
  row.append(...parts);
  return row;
}

function showStoredRow(row, d) {
  const [what, , , committed, attempts, last, why, , actions] = row.children;
  const { report } = state;
  badge(what.firstElementChild, d.state);
  when(committed, d.committed, report);
  put(attempts, count(d.attempts));
  put(last, `${d.last_status || d.last_result || "–"}`);
  put(why, d.state === "dead" ? d.reason : d.next_attempt ? due(d.next_attempt, report) : "waits for its turn");
  const wanted = `${report.authorized} ${d.state}`;
  if (actions.wanted === wanted) return;
  actions.wanted = wanted;
  const which = `event ${d.event} to hook ${d.hook}`;
  const one = { hook: d.hook, event: d.event };
  actions.replaceChildren(...(report.authorized ? [
    button("Payload", `Payload of ${which}`, () => payload(`hook=${d.hook}&event=${encodeURIComponent(d.event)}`, which)),
    ...(d.state === "dead" ? [button("Redrive", `Redrive ${which}`, () => act({ do: "redrive", ...one }))] : []),
    button("Discard", `Discard ${which}`, () => act({ do: "discard", state: d.state, ...one })),
  ] : []));
}

// --- what was sent ----------------------------------------------------------

export function showRecent() {
  const f = search();
  const { report, recent, found, opened } = state;
  byId("recent-section").hidden = f.outcome === "parked";
  const attempts = found ?? recent.filter((a) => (!f.hook || `${a.hook}` === f.hook) && (!f.action || a.action === f.action) && (!f.outcome || a.outcome === f.outcome));
  // Of a search each delivery is one line, its last attempt; what has just been sent is one each.
  const last = found ? [...Map.groupBy(attempts, (a) => `${a.hook} ${a.event}`).values()].map((of) => of[0]) : attempts;
  put(byId("recent-title"), found ? "Deliveries of the last day" : "Recent deliveries");
  offerMore("recent", last.length);
  rows(byId("recent"), last.slice(0, opened.recent), (a) => `${found ? `${a.hook} ${a.event}` : a.seq} ${report.authorized}`, makeAttempt, showAttempt);
  byId("no-recent").hidden = last.length > 0;
  put(byId("no-recent"), recent.length || found ? "None of the last deliveries is like that." : "Nothing has been sent since this instance leads.");
}

function makeAttempt() {
  const node = el("details");
  node.addEventListener("toggle", () => { if (node.open && node.children.length === 1) node.append(details(node.attempt)); });
  return node;
}

// showAttempt shows the delivery's last attempt. One that is open stays so when there is another.
function showAttempt(node, a) {
  if (node.attempt?.seq !== a.seq) {
    const focused = node.firstElementChild && node.firstElementChild === document.activeElement;
    node.attempt = a;
    node.replaceChildren(summary(node, a), ...(node.open ? [details(a)] : []));
    if (focused) node.firstElementChild.focus();
  }
  when(node.ago, a.at, state.report);
}

function summary(node, a) {
  const outcome = el("span", { cls: "outcome" });
  const word = el("span");
  badge(word, a.outcome);
  outcome.append(word);
  node.ago = el("span", { cls: "ago" });
  const why = a.error || (a.outcome === "delivered" ? "" : leadsTo(a) || a.answer || a.reason || "");
  return el("summary", {}, outcome, node.ago, el("span", { cls: "hook id", text: `${a.hook}`, title: `hook ${a.hook}` }),
    el("span", { cls: "action", text: a.action, "data-hook": `${a.hook}` }),
    el("span", { cls: "result n", text: `${a.status || a.result || "not sent"}` }),
    el("span", { cls: "took n", text: a.attempt ? span(a.took_seconds) : "" }),
    el("span", { cls: "task", text: a.task ? `task ${a.task}` : "" }), el("span", { cls: "why", text: why }));
}

function details(a) {
  const facts = el("dl", { cls: "more" });
  const line = (name, ...value) => facts.append(el("dt", { text: name }), el("dd", {}, ...value));
  const hook = state.report.hooks.find((h) => h.id === a.hook);
  line("To", el("a", { href: `#hook=${a.hook}`, text: `hook ${a.hook}` }), " ", el("span", { cls: "url", text: a.url ?? "" }));
  line("Event", el("span", { cls: "mono", text: a.event }), a.project ? ` · project ${a.project}` : "", a.task ? ` · task ${a.task}` : "", a.annotation ? ` · annotation ${a.annotation}` : "");
  line("Committed", a.committed);
  line("At", a.at);
  if (a.attempt) line("Attempt", `${a.attempt}, ${span(a.took_seconds)}, ${size(a.bytes)} sent${a.latency_seconds === undefined ? "" : `, ${span(a.latency_seconds)} after the commit`}`);
  if (a.next_attempt) line("Next attempt", a.next_attempt);
  if (a.reason) line("Dead for", a.reason);
  if (a.error) line("Error", a.error);
  if (a.attempt && hook?.headers.length) line("Headers", el("pre", { text: hook.headers.map((h) => `${h}: ***`).join("\n") }));
  if (a.redirect) line("Redirect", leadsTo(a));
  if (a.status) line("Answer", el("pre", { text: `${a.status}${a.answer ? `\n${a.answer}` : state.report.authorized ? ", empty" : ""}` }));
  if (a.body) {
    line("Payload", button("Show", `Show payload of event ${a.event} to hook ${a.hook}`, () => payload(`seq=${a.seq}`, `event ${a.event}`)), " ",
      button("Send again", `Send again: event ${a.event} to hook ${a.hook}`, () => act({ do: "resend", hook: a.hook, seq: a.seq })));
  }
  if (a.attempt > 1) {
    const timeline = el("ol", { cls: "timeline" });
    line("Attempts", timeline);
    timeLine(a, timeline).catch((fault) => toast(fault.message, true));
  }
  return facts;
}

// timeLine fills the list with the attempts at the delivery, the first one first.
async function timeLine(a, node) {
  const { body } = await ask(`status/history?${new URLSearchParams({ hook: a.hook, event: a.event, limit: "100" })}`);
  node.replaceChildren(...body.attempts.reverse().map((one) => {
    const word = el("span");
    badge(word, one.outcome);
    const after = (Date.parse(one.at) - Date.parse(one.committed)) / 1000;
    return el("li", { value: one.attempt || 0 }, word, ` ${one.status || one.result || "not sent"} after ${span(one.took_seconds)}, ${span(Math.max(0, after))} after the commit`,
      el("span", { cls: "answer", text: one.error || one.answer ? ` · ${one.error || one.answer}` : "" }));
  }));
}
