// The table of hooks: one line each, in the server's order, what needs a person first. With
// many hooks the report has the first of them, and a search finds the others.
import { byId } from "./dialog.js";
import { pulse, success } from "./pulse.js";
import { hooksMore, state } from "./state.js";
import { ago, badge, cell, count, due, el, failure, figureCell, put, rows, span } from "./view.js";

const idle = (h) => h.state === "live" && !h.all_actions && !listed(h).length;

// stateOf is the word for the hook: one that no action is for is not in order, it is idle.
export const stateOf = (h) => (idle(h) ? "no action" : h.state);

const added = (h) => (h.events_added ?? []).filter((a) => !h.events_removed?.includes(a));

// listed is the actions that the hook gets by their names.
export const listed = (h) => [...new Set([...h.actions.filter((a) => !h.events_removed?.includes(a)), ...added(h)])];

export function wants(h) {
  if (!h.all_actions) return listed(h).join(", ") || "no action";
  const without = h.events_removed?.length ? ` without ${h.events_removed.join(", ")}` : "";
  return [`all actions${without}`, ...added(h)].join(", ");
}

// limits is what else of its events the hook does not get, or not at once, or not as they are.
export const limits = (h) => [h.filter && "filtered", h.rate, h.format].filter(Boolean);

// whose is the project or, where there are several, the organization.
function whose(h) {
  if (h.project) return `project ${h.project} · `;
  return state.report.tally.organizations > 1 ? `organization ${h.organization} · ` : "";
}

const few = 20; // hooks that one sees without searching

export function showHooks() {
  const { tally } = state.report;
  const hooks = state.report.hooks.slice(0, Math.min(state.opened.hooks, tally.found)); // not that of a page of its own
  rows(document.querySelector("#hooks tbody"), hooks, (h) => h.id, make, show);
  byId("hooks").hidden = !hooks.length;
  byId("no-hooks").hidden = hooks.length > 0;
  put(byId("no-hooks"), tally.hooks ? "No hook is like that." : "There are no hooks. Make one in Label Studio: Project → Settings → Webhooks.");
  byId("find").hidden = tally.hooks <= few && !state.find;
  put(byId("found"), hooks.length < tally.hooks ? `${count(hooks.length)} of ${count(tally.hooks)} hooks${state.find && hooks.length < tally.found ? `, ${count(tally.found)} found` : ""}` : "");
  byId("more-hooks").hidden = hooks.length >= tally.found;
  put(byId("more-hooks"), `Show ${count(Math.min(hooksMore, tally.found - hooks.length))} more`);
}

function make(h) {
  const row = el("tr", { role: "row", "data-hook": h.id });
  row.what = cell("what");
  row.what.append(el("span"));
  row.which = cell("which");
  row.which.append(el("a", { cls: "id", href: `#hook=${h.id}`, text: `${h.id}`, "aria-label": `Hook ${h.id}` }), " ", el("span", { cls: "url" }));
  row.wants = cell("wants");
  row.delivered = cell("n delivered", "Delivered");
  row.hour = cell("hour", "Last hour");
  row.hour.append(el("span", { cls: "rate" }), el("span", { cls: "pulse" }));
  row.p50 = cell("n", "p50");
  row.p99 = cell("n", "p99");
  row.parked = cell("n parked", "Parked");
  row.dead = cell("n dead", "Dead");
  row.error = cell("error");
  row.append(row.what, row.which, row.wants, row.delivered, row.hour, row.p50, row.p99, row.parked, row.dead, row.error);
  return row;
}

function show(row, h) {
  badge(row.what.firstElementChild, stateOf(h));
  row.what.title = h.about;
  put(row.which.lastElementChild, h.url || "(no usable URL)");
  row.which.title = `${h.url}${h.headers.length ? `\nheaders: ${h.headers.join(", ")}` : ""}`;
  const text = [`${whose(h)}${wants(h)}`, ...(h.payload ? [] : ["no payload"]), ...limits(h), ...(h.adopted ? ["adopted"] : [])].join(" · ");
  put(row.wants, text);
  row.wants.title = text;
  figureCell(row.delivered, h.counts.delivered);
  row.delivered.title = `${count(h.counts.retried)} retried, ${count(h.queued)} queued`;
  put(row.hour.firstElementChild, success(h.last_hour));
  pulse(row.hour.lastElementChild, h.last_hour);
  put(row.p50, span(h.p50_seconds));
  put(row.p99, span(h.p99_seconds));
  figureCell(row.parked, h.parked);
  figureCell(row.dead, h.dead);
  row.parked.title = h.oldest_parked ? `the oldest of ${h.oldest_parked}` : "";
  const trouble = troubles(h);
  put(row.error, trouble);
  row.error.title = trouble;
}

// troubles is what is wrong with the hook and when it is tried next, in a line.
export function troubles(h) {
  const parts = [];
  if (h.last_error) parts.push(failure(h.last_error), ago(h.last_error.at, state.report));
  if (h.state !== "live" && h.state !== "inactive") parts.push(h.about);
  if (h.next_attempt) parts.push(due(h.next_attempt, state.report));
  return parts.filter(Boolean).join(" · ");
}
