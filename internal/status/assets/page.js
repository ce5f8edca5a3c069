// The page: asks /status every two seconds, shows it, and sends what people want done.
import { ask, post } from "./ask.js";
import { button, byId, open, sure, toast } from "./dialog.js";
import { showStream } from "./stream.js";
import { ago, badge, count, el, failure, indented, leadsTo, put, rate, rows, size, span, verdict, when } from "./view.js";

const every = 2000;
const storedEvery = 5000;
const kept = 200;

let report = null; // the last one
let recent = []; // attempts, the newest first
let stored = []; // what is parked or dead, as filtered
let more = false; // there is more of it than is listed
let storedAt = 0;
let failures = 0; // in a row
const opened = { stored: 10, recent: 25 }; // how many rows are shown
let history = []; // deliveries per second
let leads; // since when

// --- asking -----------------------------------------------------------------

async function poll() {
  try {
    const after = recent.length && report ? recent[0].seq : 0;
    const { body } = await ask(`/status?after=${after}`);
    if (body.leads_since !== leads) { // another process, or another term
      recent = [];
      leads = body.leads_since;
      if (after) return poll();
    }
    const wasAuthorized = report?.authorized;
    recent = [...body.recent.reverse(), ...recent].slice(0, kept);
    report = body;
    failures = 0;
    if (report.authorized !== wasAuthorized) await session();
    history = [...history, report.stream?.delivered_per_second ?? 0].slice(-60);
    if (Date.now() - storedAt > storedEvery) await list();
  } catch (fault) {
    failures++;
    showStale(fault);
    return;
  }
  try {
    show();
  } catch (fault) {
    console.error(fault); // of this page: what is shown may be old
    byId("fresh").className = "stale";
    put(byId("fresh"), `▲ this page is broken: ${fault.message}`);
  }
}

async function session() {
  const { body } = await ask("/session");
  ask.csrf = body.csrf ?? "";
  recent = []; // to be asked for anew: what may be seen has changed
  report = { ...report, recent: [] };
  const { body: again } = await ask("/status?after=0");
  recent = again.recent.reverse().slice(0, kept);
  report = again;
}

// list asks for what is stored, if there is any.
async function list() {
  storedAt = Date.now();
  const f = filter();
  const any = report.hooks.some((h) => h.parked || h.dead);
  if (!any || f.outcome === "delivered" || f.outcome === "retried") {
    stored = [];
    more = false;
    return;
  }
  const lists = [];
  for (const state of f.outcome ? [f.outcome] : ["dead", "parked"]) {
    const query = new URLSearchParams({ state, limit: "100" });
    if (f.hook) query.set("hook", f.hook);
    if (f.action) query.set("action", f.action);
    lists.push((await ask(`/status/deliveries?${query}`)).body);
  }
  stored = lists.flatMap((l) => l.deliveries);
  more = lists.some((l) => l.more);
}

// loop polls while somebody looks.
async function loop() {
  for (;;) {
    if (!document.hidden) await poll();
    const pause = Math.min(every * 2 ** Math.min(failures, 3), 10000);
    await new Promise((done) => {
      const timer = setTimeout(done, pause);
      document.addEventListener("visibilitychange", () => { clearTimeout(timer); done(); }, { once: true });
    });
  }
}

// --- showing ----------------------------------------------------------------

function show() {
  document.body.classList.remove("stale");
  byId("fresh").className = "";
  put(byId("fresh"), `updated ${new Date(report.time).toLocaleTimeString()}`);
  badge(byId("role"), report.ready ? report.role : report.role === "leader" ? "not ready" : report.role);
  put(byId("verdict"), verdict(report));
  document.title = `${titleMark()}hooktail`;
  put(byId("about"), `hooktail ${report.version}, for ${span((Date.parse(report.time) - Date.parse(report.started)) / 1000)}`);
  byId("login").hidden = !report.admin || report.authorized;
  byId("logout").hidden = !report.admin || !report.authorized || !ask.csrf;
  byId("leading").hidden = report.role !== "leader";
  byId("progress").hidden = !report.progress.length;
  rows(byId("progress"), report.progress, (p) => `${p.what} ${p.hook ?? ""}`, () => el("li"), (node, p) => put(node, p.about));
  if (report.role !== "leader") return;
  showStream(report.stream, history);
  rows(document.querySelector("#hooks tbody"), report.hooks, (h) => h.id, makeHook, showHook);
  byId("hooks").hidden = !report.hooks.length;
  byId("no-hooks").hidden = report.hooks.length > 0;
  offer();
  showStored();
  showRecent();
}

function titleMark() {
  if (!report.ready) return "▲ not ready · ";
  const bad = report.hooks.filter((h) => ["failing", "stopped", "refused", "suspended"].includes(h.state)).length;
  return bad ? `▲ ${bad} · ` : "";
}

function showStale(fault) {
  if (failures < 2) return;
  document.body.classList.add("stale");
  byId("fresh").className = "stale";
  put(byId("fresh"), `▲ no answer${report ? ` since ${new Date(report.time).toLocaleTimeString()}` : ""}: ${fault.message}`);
  document.title = "▲ no answer · hooktail";
}

function cell(cls, label) {
  const attributes = { cls, role: "cell" };
  if (label) attributes.label = label;
  return el("td", attributes);
}

function figureCell(node, n, text = count(n)) {
  put(node, text);
  node.classList.toggle("zero", !n);
  node.classList.toggle("some", n > 0);
}

function makeHook(h) {
  const row = el("tr", { role: "row" });
  row.what = cell("what");
  row.what.append(el("span"), el("span", { cls: "sub" }));
  row.which = cell("which");
  const id = el("button", { type: "button", cls: "plain", text: `${h.id}`, title: "show this hook's deliveries" });
  id.addEventListener("click", () => choose({ hook: `${h.id}` }));
  row.which.append(id, " ", el("span", { cls: "url" }), el("span", { cls: "sub" }));
  row.numbers = ["Delivered", "per s", "p50", "p99", "Retried", "Queued"].map((label) => cell("n", label));
  row.parked = cell("n parked", "Parked");
  row.dead = cell("n dead", "Dead");
  row.error = cell("error");
  row.act = cell("act");
  row.append(row.what, row.which, ...row.numbers, row.parked, row.dead, row.error, row.act);
  return row;
}

function showHook(row, h) {
  badge(row.what.firstElementChild, h.state);
  const next = h.next_attempt ? `; next ${ago(h.next_attempt, report)}` : "";
  put(row.what.lastElementChild, h.state === "live" && h.about === "in order" ? "" : h.about + next);
  const [, url, sub] = row.which.children;
  put(url, h.url || "(no usable URL)");
  const actions = h.all_actions ? "all actions" : h.actions.join(", ") || "no action";
  put(sub, `${h.project ? `project ${h.project}` : `organization ${h.organization}`} · ${actions}${h.payload ? "" : " · no payload"}${h.adopted ? " · adopted" : ""}`);
  sub.title = h.headers.length ? `headers: ${h.headers.join(", ")}` : "";
  const [delivered, perSecond, p50, p99, retried, queued] = row.numbers;
  figureCell(delivered, h.counts.delivered);
  figureCell(perSecond, h.delivered_per_second, rate(h.delivered_per_second));
  put(p50, span(h.p50_seconds));
  put(p99, span(h.p99_seconds));
  figureCell(retried, h.counts.retried);
  figureCell(queued, h.queued);
  figureCell(row.parked, h.parked);
  figureCell(row.dead, h.dead);
  row.parked.title = h.oldest_parked ? `the oldest of ${h.oldest_parked}` : "";
  showError(row.error, h);
  showActions(row.act, h);
}

function showError(node, h) {
  const e = h.last_error;
  if (!e) {
    node.replaceChildren();
    return;
  }
  if (!node.firstElementChild) node.append(el("span"), el("span", { cls: "sub" }));
  put(node.firstElementChild, failure(e));
  put(node.lastElementChild, `${ago(e.at, report)} · ${e.action}${e.reason ? ` · dead: ${e.reason}` : ""}`);
  node.title = e.at;
}

function showActions(node, h) {
  const held = h.state === "paused" || h.state === "suspended";
  const wanted = report.authorized ? [...(held ? ["resume"] : h.state === "inactive" ? [] : ["pause"]), ...(h.url ? ["ping"] : []), ...(h.dead ? ["redrive", "discard"] : [])] : [];
  if (node.wanted === wanted.join()) return;
  node.wanted = wanted.join();
  const words = { pause: "Pause", resume: "Resume", ping: "Ping", redrive: "Redrive dead", discard: "Discard dead" };
  node.replaceChildren(...wanted.map((what) => button(words[what], `${words[what]}: hook ${h.id}`, () => act({ do: what, hook: h.id }))));
}

// --- filters ----------------------------------------------------------------

const form = byId("filter");
const filter = () => Object.fromEntries(new FormData(form));

// offer keeps the choices those that there are.
function offer() {
  const actions = new Set([...recent, ...stored].map((d) => d.action));
  for (const h of report.hooks) for (const a of h.actions) actions.add(a);
  options(form.elements.hook, report.hooks.map((h) => `${h.id}`));
  options(form.elements.action, [...actions].sort());
  byId("clear").hidden = !Object.values(filter()).some(Boolean);
}

function options(select, values) {
  const chosen = select.value || select.dataset.wanted || "";
  const want = ["", ...values];
  if (chosen && !want.includes(chosen) && select.value) want.push(chosen);
  if ([...select.options].map((o) => o.value).join("\n") !== want.join("\n")) {
    select.replaceChildren(...want.map((v) => el("option", { value: v, text: v || "all" })));
  }
  if (want.includes(chosen)) select.value = chosen;
}

function choose(f) {
  for (const [name, value] of Object.entries(f)) form.elements[name].value = value;
  filtered();
  form.scrollIntoView({ block: "nearest" });
}

async function filtered() {
  const set = Object.entries(filter()).filter(([, v]) => v);
  for (const name of ["hook", "action", "outcome"]) form.elements[name].dataset.wanted = "";
  window.history.replaceState(null, "", set.length ? `#${new URLSearchParams(set)}` : location.pathname);
  byId("clear").hidden = !set.length;
  stored = [];
  showStored();
  showRecent();
  try {
    await list();
    showStored();
  } catch (fault) {
    toast(fault.message, true);
  }
}

form.addEventListener("change", filtered);
form.addEventListener("submit", (e) => e.preventDefault());
form.addEventListener("reset", () => setTimeout(filtered));
for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
  if (name === "outcome") form.elements.outcome.value = value;
  else if (name === "hook" || name === "action") form.elements[name].dataset.wanted = value;
}

// --- what is stored ---------------------------------------------------------

function showStored() {
  const outcome = filter().outcome;
  byId("stored-section").hidden = outcome === "delivered" || outcome === "retried";
  byId("stored").hidden = !stored.length;
  rows(document.querySelector("#stored tbody"), stored.slice(0, opened.stored), (d) => `${d.hook} ${d.event}`, makeStored, showStoredRow);
  offerMore("stored", stored.length);
  byId("no-stored").hidden = stored.length > 0 && !(more && stored.length <= opened.stored);
  put(byId("no-stored"), stored.length ? "These are the first of each state; filter to see others, or ask hooktail deliveries list." : "Nothing is parked or dead here.");
}

// offerMore lets people see the rest of a list.
function offerMore(name, n) {
  const b = byId(`more-${name}`);
  b.hidden = n <= opened[name];
  put(b, `Show ${count(n - opened[name])} more`);
}

for (const [name, draw] of [["stored", showStored], ["recent", showRecent]]) {
  byId(`more-${name}`).addEventListener("click", () => {
    opened[name] = Infinity;
    draw();
  });
}

function makeStored(d) {
  const row = el("tr", { role: "row" });
  const parts = [cell("what"), cell("n2", "Hook"), cell("which", "Action"), cell("", "Committed"), cell("n", "Attempts"), cell("", "Last"), cell("why", "Why"), cell("event mono", "Event"), cell("act")];
  parts[0].append(el("span"));
  parts[1].append(el("span", { cls: "id", text: `${d.hook}` }));
  parts[2].textContent = d.action;
  parts[7].textContent = `${d.event}${d.task ? ` · task ${d.task}` : d.project ? ` · project ${d.project}` : ""}`;
  row.append(...parts);
  return row;
}

function showStoredRow(row, d) {
  const [what, , , committed, attempts, last, why, , actions] = row.children;
  badge(what.firstElementChild, d.state);
  when(committed, d.committed, report);
  put(attempts, count(d.attempts));
  put(last, `${d.last_status || d.last_result || "–"}`);
  put(why, d.state === "dead" ? d.reason : d.next_attempt ? `next ${ago(d.next_attempt, report)}` : "waits for its turn");
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

function showRecent() {
  const f = filter();
  byId("recent-section").hidden = f.outcome === "parked";
  const list = recent.filter((a) => (!f.hook || `${a.hook}` === f.hook) && (!f.action || a.action === f.action) && (!f.outcome || a.outcome === f.outcome));
  offerMore("recent", list.length);
  rows(byId("recent"), list.slice(0, opened.recent), (a) => `${a.seq} ${report.authorized}`, makeAttempt, (node, a) => when(node.ago, a.at, report));
  byId("no-recent").hidden = list.length > 0;
  put(byId("no-recent"), recent.length ? "None of the last deliveries is like that." : "Nothing has been sent since this instance leads.");
}

function makeAttempt(a) {
  const outcome = el("span", { cls: "outcome" });
  const word = el("span");
  badge(word, a.outcome);
  outcome.append(word);
  const node = el("details", { role: "listitem" });
  node.ago = el("span", { cls: "ago" });
  const why = a.error || (a.outcome === "delivered" ? "" : leadsTo(a) || a.answer || a.reason || "");
  node.append(
    el("summary", {}, outcome, node.ago, el("span", { cls: "hook id", text: `${a.hook}`, title: `hook ${a.hook}` }),
      el("span", { cls: "action", text: a.action, "data-hook": `${a.hook}` }),
      el("span", { cls: "result n", text: `${a.status || a.result || "not sent"}` }),
      el("span", { cls: "took n", text: a.attempt ? span(a.took_seconds) : "" }),
      el("span", { cls: "task", text: a.task ? `task ${a.task}` : "" }), el("span", { cls: "why", text: why })),
  );
  node.addEventListener("toggle", () => { if (node.open && node.children.length === 1) node.append(details(a)); });
  return node;
}

function details(a) {
  const list = el("dl", { cls: "more" });
  const line = (name, ...value) => list.append(el("dt", { text: name }), el("dd", {}, ...value));
  const hook = report.hooks.find((h) => h.id === a.hook);
  line("To", `hook ${a.hook} `, el("span", { cls: "url", text: a.url ?? "" }));
  line("Event", el("span", { cls: "mono", text: a.event }), a.project ? ` · project ${a.project}` : "", a.task ? ` · task ${a.task}` : "");
  line("At", a.at);
  if (a.attempt) line("Attempt", `${a.attempt}, ${span(a.took_seconds)}, ${size(a.bytes)} sent${a.latency_seconds === undefined ? "" : `, ${span(a.latency_seconds)} after the commit`}`);
  if (a.next_attempt) line("Next attempt", a.next_attempt);
  if (a.reason) line("Dead for", a.reason);
  if (a.error) line("Error", a.error);
  if (a.attempt && hook?.headers.length) line("Headers", el("pre", { text: hook.headers.map((h) => `${h}: ***`).join("\n") }));
  if (a.redirect) line("Redirect", leadsTo(a));
  if (a.status) line("Answer", el("pre", { text: `${a.status}${a.answer ? `\n${a.answer}` : report.authorized ? ", empty" : ""}` }));
  if (a.body) line("Payload", button("Show", `Payload of event ${a.event} to hook ${a.hook}`, () => payload(`seq=${a.seq}`, `event ${a.event}`)));
  return list;
}

// --- doing ------------------------------------------------------------------

async function act(a) {
  if (a.do === "discard" || (a.do === "redrive" && !a.event)) {
    const { body } = await post("/act", { ...a, dry_run: true });
    const what = a.do === "discard" ? "Discard" : "Redrive";
    const much = `${count(body.count ?? 0)} ${body.count === 1 ? "delivery" : "deliveries"}`;
    const text = a.do === "discard" ? `${much} to hook ${a.hook} will be deleted for good.` : `${much} to hook ${a.hook} will be sent again, in their places in the order.`;
    if (!(await sure(`${what} ${much}?`, text, what))) return;
  }
  const { body } = await post("/act", a);
  if (body.exchange) showExchange(body);
  else toast(body.message);
  storedAt = 0;
  setTimeout(poll, 300); // the program learns of it from the database
}

function showExchange({ message, exchange: x }) {
  open("show-dialog", { "show-title": message, "show-text": `POST ${x.url}` });
  const head = x.headers.map((h) => `${h}: ***`).join("\n");
  const answer = x.status ? `${x.status} after ${span(x.took_seconds)}\n${x.redirect ? `${leadsTo(x)}\n` : ""}${x.answer ?? ""}` : `${x.result}: ${x.error}`;
  put(byId("show-body"), `${head}\n\n${x.body}\n\n${answer}`);
}

async function payload(query, title) {
  const { text } = await ask(`/status/payload?${query}`);
  open("show-dialog", { "show-title": `Payload of ${title}`, "show-text": "" });
  put(byId("show-body"), indented(text));
}

byId("login").addEventListener("click", () => {
  byId("login-form").reset();
  open("login-dialog", { "login-fault": "" });
});
byId("login-form").addEventListener("submit", async (e) => {
  e.preventDefault();
  try {
    await post("/session", { token: e.target.elements.token.value });
    e.target.reset();
    byId("login-dialog").close();
    await poll();
  } catch (fault) {
    put(byId("login-fault"), fault.message);
  }
});
byId("logout").addEventListener("click", async () => {
  await post("/session/end", {});
  await poll();
});

loop();
