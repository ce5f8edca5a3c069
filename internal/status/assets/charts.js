// The charts of the last hour, drawn by uPlot (uPlot.js, MIT licence in uPlot.LICENSE).
import { ask } from "./ask.js";
import { byId, toast } from "./dialog.js";
import { el, put, rate, size, span } from "./view.js";

const height = 110;
const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const charts = [
  { title: "Behind the database", of: (s) => [s.lag_seconds], tones: ["link"], words: ["behind"], unit: span },
  { title: "WAL kept for the slot", of: (s) => [s.retained_bytes], tones: ["still"], words: ["kept"], unit: size },
  { title: "Delivered and failed", of: (s) => [s.delivered_per_second, s.failed_per_second], tones: ["good", "bad"], words: ["delivered", "failed"], unit: (v) => `${rate(v)}/s` },
];

let asked = 0;
let series;

// showCharts asks for the last hour now and then, and draws it.
export async function showCharts() {
  if (Date.now() - asked < 10000) return;
  asked = Date.now();
  try {
    series = (await ask("status/series")).body;
  } catch (fault) {
    toast(fault.message, true);
    return;
  }
  draw();
}

function draw() {
  if (!series || series.times.length < 2) return;
  byId("charts").hidden = false;
  for (const chart of charts) {
    const columns = chart.of(series);
    chart.figure ??= make(chart);
    chart.plot ??= plot(chart);
    chart.plot.setData([series.times, ...columns]);
    const told = columns.map((column, i) => `${chart.words[i]} ${chart.unit(column.at(-1) ?? 0)} now, ${chart.unit(Math.max(0, ...column))} at most`).join("; ");
    chart.canvas.setAttribute("aria-label", `${chart.title}, last hour: ${told}`);
    put(chart.now, columns.map((column, i) => `${columns.length > 1 ? `${chart.words[i]} ` : ""}${column.at(-1) === null ? "–" : chart.unit(column.at(-1))}`).join(" · "));
  }
}

function make(chart) {
  chart.now = el("small");
  chart.canvas = el("div", { cls: "canvas", role: "img" });
  const figure = el("figure", {}, el("figcaption", {}, el("b", { text: chart.title }), " ", chart.now), chart.canvas);
  byId("charts").append(figure);
  new ResizeObserver(() => chart.plot?.setSize({ width: chart.canvas.clientWidth, height })).observe(chart.canvas);
  return figure;
}

function plot(chart) {
  const axis = { stroke: tone("soft"), grid: { stroke: tone("line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif", size: 24 };
  return new uPlot({
    width: chart.canvas.clientWidth, height, legend: { show: false }, cursor: { show: false }, padding: [6, 18, 0, 0],
    scales: { x: { range: (u, first, last) => [Math.min(first, last - 300), last] }, y: { range: (u, low, high) => [0, Math.max(high ?? 0, Number.MIN_VALUE) * 1.1 || 1] } },
    axes: [{ ...axis, values: "{HH}:{mm}", space: 60 }, { ...axis, size: 58, space: 28, values: (u, ticks) => ticks.map(chart.unit) }],
    series: [{}, ...chart.tones.map((name) => ({ stroke: tone(name), width: 1.5, points: { show: false } }))],
  }, [[], ...chart.tones.map(() => [])], chart.canvas);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const chart of charts) {
    chart.plot?.destroy();
    chart.plot = undefined;
  }
  draw();
});
