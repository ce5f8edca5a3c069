// What the page knows, and what it is asked to show. The search is in the address: #hook=7
// is the page of hook 7.
export const state = {
  report: null, // the last one
  recent: [], // attempts, the newest first
  stored: [], // what is parked or dead, as searched for
  more: false, // there is more of it than is listed
  found: null, // attempts as searched for, the newest first; null: recent will do
  opened: { hooks: 100, stored: 10, recent: 25 }, // how many rows are shown
};

const fields = ["hook", "action", "outcome", "task", "annotation", "event", "since", "until"];

// search is what the address asks for.
export function search() {
  const asked = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(fields.map((name) => [name, asked.get(name) ?? ""]));
}

// address is that of the page with a search.
export function address(f) {
  const set = fields.filter((name) => f[name]).map((name) => [name, f[name]]);
  return set.length ? `#${new URLSearchParams(set)}` : location.pathname;
}

// instant is a local time of a form as the server wants it.
export const instant = (local) => (Number.isNaN(Date.parse(local)) ? "" : new Date(local).toISOString());

// query is the search for the server, with what else is to be said.
export function query(f, more = {}) {
  const q = new URLSearchParams(more);
  for (const name of ["hook", "action", "task", "annotation", "event"]) if (f[name]) q.set(name, f[name]);
  for (const name of ["since", "until"]) if (instant(f[name])) q.set(name, instant(f[name]));
  return q;
}
