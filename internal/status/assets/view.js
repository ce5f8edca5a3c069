// How a report is shown. What comes from the server is set as text, never as markup.

const svg = "http://www.w3.org/2000/svg";

// Each state has a shape, a tone and, always, its word.
const shapes = {
  disc: "M6 1a5 5 0 1 1 0 10A5 5 0 0 1 6 1z",
  ring: "M6 2a4 4 0 1 1 0 8 4 4 0 0 1 0-8z",
  triangle: "M6 1l5.5 10H.5z",
  bars: "M2 1h3v10H2zM7 1h3v10H7z",
  square: "M1.5 1.5h9v9h-9z",
  cross: "M1.5 3L3 1.5l3 3 3-3L10.5 3l-3 3 3 3L9 10.5l-3-3-3 3L1.5 9l3-3z",
  diamond: "M6 .5L11.5 6 6 11.5.5 6z",
  clock: "M6 1a5 5 0 1 1 0 10A5 5 0 0 1 6 1zM6 6V1.5A4.5 4.5 0 0 1 10.5 6z",
  arrow: "M1 4.5h5V1l5 5-5 5V7.5H1z",
};
const states = {
  live: ["disc", "good"], failing: ["triangle", "bad"], waiting: ["clock", "warn"], stopped: ["square", "bad"],
  refused: ["cross", "bad"], paused: ["bars", "still"], suspended: ["diamond", "bad"], inactive: ["ring", "off"],
  delivered: ["disc", "good"], retried: ["arrow", "warn"], parked: ["bars", "warn"], dead: ["cross", "bad"],
  "no action": ["ring", "off"], leader: ["disc", "good"], reader: ["disc", "good"], sender: ["disc", "good"], standby: ["bars", "still"], starting: ["clock", "warn"], "not ready": ["triangle", "bad"],
};

// shape is an element of a drawing.
export function shape(tag, attributes = {}, ...children) {
  const node = document.createElementNS(svg, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// el is an element with a class, a text and children.
export function el(tag, { cls, text, label, ...attributes } = {}, ...children) {
  const node = document.createElement(tag);
  if (cls) node.className = cls;
  if (text !== undefined) node.textContent = text;
  if (label) node.dataset.label = label;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// put changes a text only where it differs, so that nothing flickers or loses the selection.
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// badge shows a state in a node: shape, tone and word.
export function badge(node, word) {
  if (node.dataset.state === word) return;
  node.dataset.state = word;
  const [name, tone] = states[word] ?? ["ring", "off"];
  const outlined = name === "ring" || name === "clock";
  const path = shape("path", { d: shapes[name], ...(outlined ? { fill: "none", "stroke-width": "1.6" } : { stroke: "none" }) });
  const icon = shape("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, path);
  node.className = `state ${tone}`;
  node.replaceChildren(icon, word);
}

// cell is one of a table.
export function cell(cls, label) {
  const attributes = { cls, role: "cell" };
  if (label) attributes.label = label;
  return el("td", attributes);
}

export function figureCell(node, n, text = count(n)) {
  put(node, text);
  node.classList.toggle("zero", !n);
  node.classList.toggle("some", n > 0);
}

// rows makes the children of a node those of the items, and keeps those that stay.
export function rows(parent, items, keyOf, make, update) {
  const before = parent.kept ?? new Map();
  const now = new Map();
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const node = before.get(key) ?? make(item);
    update(node, item);
    now.set(key, node);
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  for (const [key, node] of before) if (!now.has(key)) node.remove();
  parent.kept = now;
}

const number = new Intl.NumberFormat("en");
const together = new Intl.ListFormat("en");
export const count = (n) => number.format(n);

export function rate(n) {
  if (!n) return "0";
  return n < 10 ? n.toFixed(1) : count(Math.round(n));
}

export function size(n) {
  let unit = "B";
  for (const next of ["kB", "MB", "GB", "TB"]) {
    if (n < 1000) break;
    n /= 1000;
    unit = next;
  }
  return `${Number(n.toFixed(1))} ${unit}`; // as the commands print it
}

export function span(s) {
  if (s === null || s === undefined) return "–";
  if (s < 0.01) return `${(s * 1000).toFixed(1)} ms`;
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 90 * 60) return `${Math.round(s / 60)} min`;
  if (s < 48 * 3600) return `${(s / 3600).toFixed(1)} h`;
  return `${(s / 86400).toFixed(1)} d`;
}

// ago is how long before the report a time was, or how long after it.
export function ago(time, report) {
  const s = (Date.parse(report.time) - Date.parse(time)) / 1000;
  if (Math.abs(s) < 1) return "now";
  return s > 0 ? `${span(s).replace(".0 ", " ")} ago` : `in ${span(-s).replace(".0 ", " ")}`;
}

// due is when something comes next: what is overdue waits for its turn.
export const due = (time, report) => (Date.parse(time) > Date.parse(report.time) ? `next ${ago(time, report)}` : "waits for its turn");

// when shows a time relative to the report, and the time itself to who points at it.
export function when(node, time, report) {
  put(node, time ? ago(time, report) : "");
  node.title = time ?? "";
}

// leadsTo says where an answer would lead: hooktail follows no redirect.
export function leadsTo(a) {
  return a.redirect ? `redirects are not followed; this one leads to ${a.redirect}` : "";
}

export function failure(e) {
  if (e.redirect) return `${e.status} ${leadsTo(e)}`;
  if (e.status) return `${e.status} ${e.answer ?? ""}`.trimEnd();
  return e.error || e.result || e.reason || "";
}

// indented is JSON with line breaks, made without reading it: a number stays as it is.
export function indented(json) {
  let out = "", depth = 0, quoted = false, escaped = false;
  const line = () => "\n" + "  ".repeat(depth);
  for (const c of json.trim()) {
    if (quoted) {
      out += c;
      if (escaped) escaped = false;
      else if (c === "\\") escaped = true;
      else if (c === '"') quoted = false;
      continue;
    }
    if (c === '"') { quoted = true; out += c; continue; }
    if (c === "{" || c === "[") { depth++; out += c + line(); continue; }
    if (c === "}" || c === "]") { depth = Math.max(0, depth - 1); out = out.trimEnd() + (/[[{]$/.test(out.trimEnd()) ? "" : line()) + c; continue; }
    if (c === ",") { out += c + line(); continue; }
    if (c === ":") { out += ": "; continue; }
    if (!/\s/.test(c)) out += c;
  }
  return out;
}

