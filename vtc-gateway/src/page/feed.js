// The gateway, asked: with the admin's key where it wants one, and again when the connection breaks.

const KEY = "vtc-admin-key";

const headers = () => {
  const key = sessionStorage.getItem(KEY);
  return key ? { authorization: `Bearer ${key}` } : {};
};

export const keep = (key) => sessionStorage.setItem(KEY, key);
export const hasKey = () => sessionStorage.getItem(KEY) !== null;
const forget = () => sessionStorage.removeItem(KEY);

/** What is at that path; nothing if the gateway does not answer, or refuses. */
export async function get(path) {
  try {
    const reply = await fetch(path, { headers: headers(), cache: "no-store" });
    return reply.ok ? await reply.json() : null;
  } catch {
    return null;
  }
}

/** The same, with the error that the gateway tells, as `{ error: { message } }`. */
export async function ask(path) {
  try {
    const reply = await fetch(path, { headers: headers(), cache: "no-store" });
    return await reply.json();
  } catch {
    return { error: { message: "The gateway does not answer." } };
  }
}

/** How long a feed may be silent, and how long to wait before it is asked again, in milliseconds. */
const SILENCE = 6000;
const PAUSE = 1000;

/**
 * Watches for ever. `on.snapshot` gets each snapshot, `on.state` "live" or "down", `on.key` is asked for a key: it returns a
 * promise that is fulfilled when there is one.
 */
export async function watch(on) {
  for (;;) {
    const leave = new AbortController();
    let timer = 0;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => leave.abort(), SILENCE);
    };
    try {
      heard();
      const reply = await fetch("v1/vtc/live", { headers: headers(), cache: "no-store", signal: leave.signal });
      if (reply.status === 401) {
        clearTimeout(timer);
        const wrong = hasKey();
        forget();
        await on.key(wrong);
        continue;
      }
      if (reply.ok) await read(reply.body.getReader(), heard, on);
    } catch {
      // The connection broke, or was silent for too long.
    }
    clearTimeout(timer);
    on.state("down");
    await new Promise((done) => setTimeout(done, PAUSE));
  }
}

async function read(reader, heard, on) {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    text += decoder.decode(value, { stream: true });
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) {
      if (event.startsWith("data: ")) {
        on.state("live");
        on.snapshot(JSON.parse(event.slice(6)));
      }
    }
  }
}
