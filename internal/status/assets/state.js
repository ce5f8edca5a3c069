// What the page knows, and what it is asked to show. The search is in the address: #hook=7
// is the page of hook 7.
export const hooksMore = 100; // hooks that are shown at first, and with each "more"

export const state = {
  report: null, // the last one
  recent: [], // attempts, the newest first
  stored: [], // what is parked or dead, as searched for
  more: false, // there is more of it than is listed
  found: null, // attempts as searched for, the newest first; null: recent will do
  find: "", // text that the hooks in the table have
  opened: { hooks: hooksMore, stored: 10, recent: 25 }, // how many rows are shown
};

// asked is what the server is asked for: the hooks that are shown, and the attempts that
// are new.
export function asked() {
  const q = new URLSearchParams({ pulses: "1", after: `${state.recent[0]?.seq ?? 0}`, hooks: `${state.opened.hooks}` });
  if (state.find) q.set("find", state.find);
  if (search().hook) q.set("hook", search().hook);
  return q;
}

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
