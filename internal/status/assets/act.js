// What people have done here: each asks the server, and is told what came of it.
import { ask, post } from "./ask.js";
import { byId, open, sure, toast } from "./dialog.js";
import { count, indented, leadsTo, put, span } from "./view.js";

// done is called when something was changed.
let done = () => {};
export const onDone = (f) => { done = f; };

const many = (n) => `${count(n)} ${n === 1 ? "delivery" : "deliveries"}`;

export async function act(a) {
  if (!(await agreed(a))) return;
  const { body } = await post("act", a);
  if (body.exchange) showExchange(body);
  else toast(body.message);
  done();
}

// agreed asks where something is lost, or much is sent.
async function agreed(a) {
  if (a.do === "resend") return sure("Send it again?", `Hook ${a.hook} gets this event once more, under the same id: a receiver that has it may pass it over.`, "Send again");
  if (a.do === "adopt") return sure(`Adopt hook ${a.hook}?`, "Label Studio will no longer send to it; hooktail will. Changes being saved at this moment may arrive twice.", "Adopt");
  if (a.do === "release") return sure(`Release hook ${a.hook}?`, "Label Studio will send to it again. What is being saved at this moment may come from both.", "Release");
  if (a.do !== "discard" && (a.do !== "redrive" || a.event)) return true;
  const { body } = await post("act", { ...a, dry_run: true });
  const much = many(body.count ?? 0);
  const what = a.do === "discard" ? "Discard" : "Redrive";
  const text = a.do === "discard" ? `${much} to hook ${a.hook} will be deleted for good.` : `${much} to hook ${a.hook} will be sent again, in their places in the order.`;
  return sure(`${what} ${much}?`, text, what);
}

function showExchange({ message, exchange: x }) {
  open("show-dialog", { "show-title": message, "show-text": `POST ${x.url}` });
  const head = x.headers.map((h) => `${h}: ***`).join("\n");
  const answer = x.status ? `${x.status} after ${span(x.took_seconds)}\n${x.redirect ? `${leadsTo(x)}\n` : ""}${x.answer ?? ""}` : `${x.result}: ${x.error}`;
  put(byId("show-body"), `${head}\n\n${x.body}\n\n${answer}`);
}

export async function payload(query, title) {
  const { text } = await ask(`status/payload?${query}`);
  open("show-dialog", { "show-title": `Payload of ${title}`, "show-text": "" });
  put(byId("show-body"), indented(text));
}
