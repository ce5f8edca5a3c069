// The log between the reader and the senders.
import { byId } from "./dialog.js";
import { figure } from "./stream.js";
import { count, el, put, rows, size, span } from "./view.js";

const of = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

const named = (m) => `${m.address || "local"}, session ${m.session}${m.here ? ", this instance" : ""}`;

// members are the lines below the figures.
function members(log) {
  const lines = log.reader ? [`Reader: ${named(log.reader)}`] : ["▲ No instance reads the slot."];
  for (const s of log.senders) lines.push(`Sender: ${named(s)}, ${of(s.partitions, "partition")}, epoch ${s.epoch}`);
  if (!log.senders.length) lines.push("▲ No instance sends.");
  else if (log.unserved_partitions.length) lines.push(`▲ No sender has ${of(log.unserved_partitions.length, "partition")}.`);
  for (const gap of log.stopped_partitions) lines.push(`▲ Partition ${gap.partition} has stopped: message ${gap.missing} is missing. Run hooktail repair.`);
  return lines;
}

// showLog shows the state of the log; there may be none.
export function showLog(log) {
  byId("log-section").hidden = !log;
  if (!log) return;
  const reason = log.reason ? `▲ ${log.reason}` : log.time ? "" : "The log has not been read yet.";
  put(byId("log-fault"), reason);
  byId("log-fault").hidden = !reason;
  byId("log").hidden = !log.time;
  byId("log-members").hidden = !log.time;
  if (!log.time) return;
  figure(byId("log-lag"), log.oldest_undelivered_seconds === null ? "nothing" : of(log.undelivered_messages, "message"), log.oldest_undelivered_seconds === null ? "" : `the oldest for ${span(log.oldest_undelivered_seconds)}`);
  figure(byId("log-size"), size(log.bytes), log.limit_bytes === null ? "no limit" : `of ${size(log.limit_bytes)}`, of(log.messages, "message"));
  const held = log.reader?.held_back_seconds ?? null;
  figure(byId("log-position"), log.reader?.position ?? "–", log.reader?.confirmed && `confirmed ${log.reader.confirmed}`, held !== null && `held back ${span(held)}`);
  rows(byId("log-members"), members(log), (line) => line, () => el("li"), put);
}
