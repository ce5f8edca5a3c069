// How the page asks its server.

export async function ask(path, options = {}) {
  const answer = await fetch(path, { credentials: "same-origin", cache: "no-store", redirect: "error", ...options });
  const text = await answer.text();
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Error(`${answer.status}`);
  }
  if (!answer.ok) throw new Error(body.error ?? `${answer.status}`);
  return { body, text };
}

ask.csrf = ""; // of the session

export const post = (path, value) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json", "X-CSRF-Token": ask.csrf }, body: JSON.stringify(value) });
