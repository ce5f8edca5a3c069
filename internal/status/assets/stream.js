// The figures of the stream.
import { byId } from "./dialog.js";
import { count, el, rate, size, span } from "./view.js";

// figure shows a value, and smaller what belongs to it.
export function figure(node, main, ...rest) {
  const text = rest.filter(Boolean).join(" · ");
  if (node.main === main && node.rest === text) return;
  node.main = main;
  node.rest = text;
  node.replaceChildren(el("b", { text: main }), " ", el("small", { text }));
}

// showStream shows where the stream is. An instance that only sends has none.
export function showStream(s) {
  byId("stream").hidden = !s;
  if (!s) return;
  figure(byId("lag"), span(s.lag_seconds), s.lag_bytes === null ? "" : size(s.lag_bytes), s.connected ? "" : "▲ not connected");
  figure(byId("rate"), `${rate(s.delivered_per_second)}/s`);
  figure(byId("position"), s.confirmed, `slot ${s.slot}`, s.open_transactions ? `${count(s.open_transactions)} open` : "");
  byId("position").classList.toggle("mono", true);
  figure(byId("heartbeat"), span(s.heartbeat_seconds), s.heartbeat_age_seconds === null ? "" : `${span(s.heartbeat_age_seconds)} ago`, s.reconnects ? `${s.reconnects} reconnects` : "");
  const left = s.lost ? "▲ the slot is lost" : s.safe_bytes === -1 ? "no limit: it can fill the disk" : s.safe_bytes === null ? "" : `${size(s.safe_bytes)} until it is lost`;
  figure(byId("disk"), s.retained_bytes === null ? "–" : size(s.retained_bytes), left);
  figure(byId("memory"), size(s.lane_bytes), "in the lanes", `${size(s.queue_bytes)} of rows`);
}
