// The page of a hook: what it is set to, how it stands with it, and what can be done.
import { act } from "./act.js";
import { askBackfill, showBackfill } from "./backfill.js";
import { button, byId } from "./dialog.js";
import { stateOf, wants } from "./hooks.js";
import { pulse, success } from "./pulse.js";
import { state } from "./state.js";
import { ago, badge, count, due, el, failure, put, rate, rows, size, span } from "./view.js";

// showHook shows the hook of that id, and is false where there is none.
export function showHook(id) {
  const { report } = state;
  const h = report.hooks.find((one) => `${one.id}` === id);
  put(byId("hook-title"), `Hook ${id}`);
  for (const part of ["hook-acts", "hook-backfill", "hook-pulse", "hook-hour", "hook-figures", "hook-facts"]) byId(part).hidden = !h;
  if (!h) {
    byId("hook-state").replaceChildren(`Hook ${id} no longer exists.`);
    byId("hook-state").said = "";
    return;
  }
  showState(h);
  showActs(h);
  showBackfill(h);
  pulse(byId("hook-pulse"), h.last_hour, 600, 48);
  byId("hook-hour").hidden = !h.last_hour;
  const e = h.last_error;
  pairs(byId("hook-figures"), [
    ["Success, last hour", success(h.last_hour), h.last_hour ? `${count(h.last_hour.delivered)} of ${count(h.last_hour.delivered + h.last_hour.failed)} attempts` : "no attempt"],
    ["Commit to delivery", span(h.p50_seconds), h.samples ? `p50 · p99 ${span(h.p99_seconds)}` : ""],
    ["Delivered", count(h.counts.delivered), `${rate(h.delivered_per_second)}/s${h.last_delivery ? ` · ${ago(h.last_delivery, report)}` : ""}`],
    ["Queued", count(h.queued), `${count(h.in_flight)} in flight · ${count(h.retrying)} to be retried`],
    ["Parked", count(h.parked), h.oldest_parked ? `${size(h.stored_bytes)} · the oldest ${ago(h.oldest_parked, report)}` : ""],
    ["Dead", count(h.dead), ""],
    ...(h.filter ? [["Filtered", count(h.counts.filtered ?? 0), "left out by the filter"]] : []),
  ], (node, [main, small]) => {
    const text = `${main}\n${small}`;
    if (node.said === text) return;
    node.said = text;
    node.replaceChildren(el("b", { text: main }), " ", el("small", { text: small }));
  });
  pairs(byId("hook-facts"), [
    ["URL", h.url || "(no usable URL)"],
    ["Headers", h.headers.map((name) => `${name}: ***`).join(", ") || "none"],
    ["Of", h.project ? `project ${h.project} of organization ${h.organization}` : `all projects of organization ${h.organization}`],
    ["Gets", wants(h) + (h.payload ? "" : ", without payload")],
    ...(h.filter ? [["Filter", h.filter]] : []),
    ...(h.rate ? [["Rate", `at most ${h.rate}`]] : []),
    ...(h.format ? [["Form", forms[h.format] ?? h.format]] : []),
    ["Sent by", h.adopted ? (h.active ? "hooktail, which has adopted it, and Label Studio" : "hooktail alone: it is adopted") : h.active ? "hooktail: it is active in Label Studio" : "nobody: it is inactive"],
    ...(e ? [["Last error", [`${e.at} (${ago(e.at, report)})`, `${e.action}, event ${e.event}`, failure(e), e.reason ? `dead: ${e.reason}` : ""].filter(Boolean).join("\n")]] : []),
  ], (node, [text]) => put(node, text));
}

function showState(h) {
  const node = byId("hook-state");
  if (!node.firstElementChild) node.replaceChildren(el("span"), el("span", { cls: "why" }));
  const [word, why] = node.children;
  badge(word, stateOf(h));
  const next = h.next_attempt ? `; ${due(h.next_attempt, state.report)}` : "";
  put(why, h.about === "working" && !next ? "" : ` ${h.about}${next}`);
}

function pairs(list, items, show) {
  rows(list, items, ([name]) => name, ([name]) => {
    const node = el("div", {}, el("dt", { text: name }), el("dd"));
    return node;
  }, (node, [, ...values]) => show(node.lastElementChild, values));
}

const forms = { cloudevents: "CloudEvents 1.0, binary: the body as ever, and ce-* headers", "cloudevents-structured": "CloudEvents 1.0, structured: the body is the event's data" };

const words = {
  pause: "Pause", resume: "Resume", retry: "Retry now", ping: "Ping", redrive: "Redrive dead", discard: "Discard dead",
  adopt: "Adopt", release: "Release", backfill: "Backfill…",
};

function showActs(h) {
  const held = h.state === "paused" || h.state === "suspended";
  const wanted = !state.report.authorized ? [] : [
    ...(held ? ["resume"] : h.state === "inactive" ? [] : ["pause"]), ...(h.url ? ["ping"] : []),
    ...(h.parked || h.retrying || h.next_attempt ? ["retry"] : []), ...(h.dead ? ["redrive", "discard"] : []),
    ...(h.adopted ? ["release"] : h.active && h.state !== "refused" ? ["adopt"] : []), ...(h.url && h.state !== "inactive" ? ["backfill"] : []),
  ];
  const node = byId("hook-acts");
  const key = `${h.id} ${wanted}`;
  if (node.wanted === key) return;
  node.wanted = key;
  node.replaceChildren(...wanted.map((what) => button(words[what], `${words[what]}: hook ${h.id}`, () => (what === "backfill" ? askBackfill(h) : act({ do: what, hook: h.id })), what)));
}
