// An hour of a hook: bars of what was delivered, and of what failed.
import { count, shape } from "./view.js";

// success is the share of the hour's attempts that succeeded. Only what is whole is 100 %.
export function success(hour) {
  if (!hour) return "–";
  const share = (100 * hour.delivered) / (hour.delivered + hour.failed);
  if (hour.failed && share > 99.9) return "99.9 %";
  return `${share === 0 || share === 100 ? share : share.toFixed(1)} %`;
}

const told = (hour) => `${count(hour.delivered)} delivered and ${count(hour.failed)} failed in the last hour`;

// pulse draws the hour into the node, where it has changed.
export function pulse(node, hour, width = 90, height = 16) {
  const steps = hour?.pulse ?? [];
  const key = JSON.stringify(steps);
  if (node.drawn === key) return;
  node.drawn = key;
  if (!steps.length) {
    node.replaceChildren();
    return;
  }
  const top = Math.max(1, ...steps.map(([good, bad]) => good + bad));
  const bar = width / steps.length;
  let delivered = "", failed = "";
  // The root of the share, so that one failure beside a thousand successes is seen.
  const tall = (n) => height * Math.sqrt(n / top);
  steps.forEach(([good, bad], i) => {
    const all = tall(good + bad), lost = good ? (all * bad) / (good + bad) : all;
    const rect = (from, h) => (h > 0 ? `M${(i * bar).toFixed(2)} ${from.toFixed(2)}h${(bar * 0.75).toFixed(2)}v${(-Math.max(1, h)).toFixed(2)}h-${(bar * 0.75).toFixed(2)}z` : "");
    failed += rect(height, bad ? Math.max(2, lost) : 0);
    delivered += rect(height - (bad ? Math.max(2, lost) : 0), all - lost);
  });
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": told(hour) },
    shape("path", { class: "delivered", d: delivered }), shape("path", { class: "failed", d: failed }));
  node.replaceChildren(svg);
  node.title = told(hour);
}
