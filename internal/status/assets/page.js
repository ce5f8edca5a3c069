// The page: is told every two seconds how things stand, or asks, and shows it.
import { onDone } from "./act.js";
import { ask, post } from "./ask.js";
import { showCharts } from "./charts.js";
import { byId, open, toast } from "./dialog.js";
import { showHook } from "./hook.js";
import { listed, showHooks } from "./hooks.js";
import { list, showRecent, showStored } from "./lists.js";
import { showLog } from "./log.js";
import { readPast, showPast } from "./past.js";
import { address, asked, hooksMore, search, state } from "./state.js";
import { showStream } from "./stream.js";
import { brokenHooks, serves, showVerdict } from "./verdict.js";
import { badge, el, put, rows, span } from "./view.js";

const every = 2000;
const listEvery = 5000;
const kept = 200;

let leads; // since when
let listedAt = 0;
let failures = 0; // in a row
let lines = null; // EventSource; null: the page asks
let deaf = 0; // until when it asks

// --- asking -----------------------------------------------------------------

// take shows a report.
async function take(report) {
  if (report.leads_since !== leads) { // another process, or another term
    leads = report.leads_since;
    if (state.recent.length) {
      state.recent = [];
      hush();
      return poll();
    }
  }
  const was = state.report?.authorized;
  const newest = state.recent[0]?.seq ?? 0;
  const fresh = report.recent.filter((a) => a.seq > newest).reverse();
  state.recent = [...fresh, ...state.recent].slice(0, kept);
  state.report = report;
  failures = 0;
  if (report.authorized !== was) await session();
  if (Date.now() - listedAt > (fresh.length && state.found ? every : listEvery)) await relist();
  try {
    show();
  } catch (fault) {
    console.error(fault); // of this page: what is shown may be old
    byId("fresh").className = "stale";
    put(byId("fresh"), `▲ this page is broken: ${fault.message}`);
  }
}

async function poll() {
  try {
    await take((await ask(`status?${asked()}`)).body);
  } catch (fault) {
    failures++;
    showStale(fault);
  }
}

async function session() {
  ask.csrf = (await ask("session")).body.csrf ?? "";
  state.recent = []; // anew: what may be seen has changed
  const { body } = await ask(`status?${asked()}`);
  state.recent = body.recent.reverse().slice(0, kept);
  state.report = body;
  listedAt = 0;
}

async function relist() {
  listedAt = Date.now();
  readPast();
  await list();
}

// listen has the server tell. Where that does not go on, the page asks for a while.
function listen() {
  lines = new EventSource(`status/live?${asked()}`);
  let turn = Promise.resolve();
  lines.addEventListener("message", (e) => {
    turn = turn.then(() => take(JSON.parse(e.data))).catch((fault) => toast(fault.message, true));
  });
  lines.addEventListener("error", () => {
    hush();
    deaf = Date.now() + 15000;
  });
}

function hush() {
  lines?.close();
  lines = null;
}

// again asks at once, since other hooks are to be shown.
async function again() {
  const told = lines;
  hush();
  await poll();
  if (told && !failures && !lines) listen();
}

// loop goes on while somebody looks.
async function loop() {
  for (;;) {
    if (document.hidden) hush();
    else if (!lines) {
      await poll();
      if (!failures && !lines && Date.now() > deaf && !document.hidden) listen();
    }
    const pause = Math.min(every * 2 ** Math.min(failures, 3), 10000);
    await new Promise((done) => {
      const timer = setTimeout(done, pause);
      document.addEventListener("visibilitychange", () => { clearTimeout(timer); done(); }, { once: true });
    });
  }
}

// --- showing ----------------------------------------------------------------

function show() {
  const { report } = state;
  document.body.classList.remove("stale");
  byId("fresh").className = "";
  put(byId("fresh"), `updated ${new Date(report.time).toLocaleTimeString()}`);
  badge(byId("role"), report.ready ? report.role : serves(report) ? "not ready" : report.role);
  showVerdict();
  document.title = `${titleMark()}hooktail`;
  put(byId("about"), `hooktail ${report.version}, for ${span((Date.parse(report.time) - Date.parse(report.started)) / 1000)}`);
  byId("login").hidden = !report.admin || report.authorized;
  byId("logout").hidden = !report.admin || !report.authorized || !ask.csrf;
  byId("leading").hidden = !serves(report);
  showLog(search().hook ? null : report.log);
  byId("progress").hidden = !report.progress.length;
  rows(byId("progress"), report.progress, (p) => `${p.what} ${p.hook ?? ""}`, () => el("li"), (node, p) => put(node, p.about));
  if (!serves(report)) return;
  const { hook } = search();
  byId("overview").hidden = hook !== "";
  byId("hook").hidden = hook === "";
  if (hook) showHook(hook);
  else {
    showHooks();
    showStream(report.stream);
    showCharts();
  }
  offer();
  showStored();
  showRecent();
  showPast();
}

function titleMark() {
  if (!state.report.ready) return "▲ not ready · ";
  const n = brokenHooks(state.report);
  return n ? `▲ ${n} · ` : "";
}

function showStale(fault) {
  if (failures < 2) return;
  document.body.classList.add("stale");
  byId("fresh").className = "stale";
  put(byId("fresh"), `▲ no answer${state.report ? ` since ${new Date(state.report.time).toLocaleTimeString()}` : ""}: ${fault.message}`);
  document.title = "▲ no answer · hooktail";
}

// --- searching --------------------------------------------------------------

const form = byId("filter");

// offer keeps the choices those that there are, and shows what is asked for.
function offer() {
  const f = search();
  const actions = new Set([...state.recent, ...(state.found ?? []), ...state.stored].map((d) => d.action));
  for (const h of state.report.hooks) for (const a of listed(h)) actions.add(a);
  options(form.elements.hook, state.report.hooks.map((h) => h.id).sort((a, b) => a - b).map(String), f.hook);
  options(form.elements.action, [...actions].sort(), f.action);
  for (const name of ["outcome", "task", "annotation", "event", "since", "until"]) {
    if (document.activeElement !== form.elements[name]) form.elements[name].value = f[name];
  }
  byId("clear").hidden = !Object.values(f).some(Boolean);
}

function options(select, values, chosen) {
  const want = ["", ...values];
  if (!want.includes(chosen)) want.push(chosen);
  if ([...select.options].map((o) => o.value).join("\n") !== want.join("\n")) {
    select.replaceChildren(...want.map((v) => el("option", { value: v, text: v || "all" })));
  }
  if (document.activeElement !== select || select.value === "") select.value = chosen;
}

// go shows what the address asks for.
async function go() {
  if (!state.report) return;
  const { hook } = search();
  if (hook && !state.report.hooks.some((h) => `${h.id}` === hook)) await again();
  state.stored = [];
  state.found = null;
  state.opened.stored = 10;
  state.opened.recent = 25;
  show();
  try {
    await relist();
    show();
  } catch (fault) {
    toast(fault.message, true);
  }
}

let shown = search().hook;
const unfocus = () => { if (form.contains(document.activeElement)) document.activeElement.blur(); }; // what it shows changes
window.addEventListener("hashchange", () => {
  unfocus();
  go();
  const { hook } = search();
  if (hook !== shown) { // another page: what is read begins at its head
    shown = hook;
    (hook ? byId("hook-title") : byId("main")).focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
});
form.addEventListener("change", () => {
  const f = Object.fromEntries(new FormData(form));
  window.history.pushState(null, "", address(f));
  shown = f.hook;
  go();
});
form.addEventListener("submit", (e) => e.preventDefault());
form.addEventListener("reset", (e) => {
  e.preventDefault();
  window.history.pushState(null, "", location.pathname);
  unfocus();
  go();
  if (shown) byId("main").focus({ preventScroll: true });
  shown = "";
});
window.addEventListener("popstate", () => { if (state.report) go(); });
byId("all-hooks").addEventListener("click", (e) => {
  e.preventDefault();
  form.reset();
});

// --- finding hooks -----------------------------------------------------------

byId("more-hooks").addEventListener("click", () => {
  state.opened.hooks += hooksMore;
  again();
});

let typing;
byId("find-text").addEventListener("input", (e) => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    state.find = e.target.value.trim();
    state.opened.hooks = hooksMore;
    again();
  }, 250);
});
byId("find").addEventListener("submit", (e) => e.preventDefault());

document.querySelector(".skip").addEventListener("click", (e) => { // without another address
  e.preventDefault();
  byId("main").focus();
});

onDone(() => {
  listedAt = 0;
  setTimeout(poll, 300); // the program learns of it from the database
});

// --- logging in -------------------------------------------------------------

byId("login").addEventListener("click", () => {
  byId("login-form").reset();
  open("login-dialog", { "login-fault": "" });
});
byId("login-form").addEventListener("submit", async (e) => {
  e.preventDefault();
  try {
    await post("session", { token: e.target.elements.token.value });
    e.target.reset();
    byId("login-dialog").close();
    await poll();
  } catch (fault) {
    put(byId("login-fault"), fault.message);
  }
});
byId("logout").addEventListener("click", async () => {
  await post("session/end", {});
  await poll();
});

loop();
