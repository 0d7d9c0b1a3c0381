// The dashboard: one feed, kept for some minutes, and what is drawn of it.

import { Chart, SPAN, make, short } from "./charts.js";
import { get, keep, watch } from "./feed.js";
import { Table } from "./tables.js";
import { WhatIf } from "./whatif.js";

const by = (id) => document.getElementById(id);
const COLORS = ["--c0", "--c1", "--c2", "--c3", "--c4", "--c5", "--c6"];
const OTHERS = "--c7";

/** The snapshots of the last minutes, the newest last; of users only what is drawn, by name. */
const history = [];
let started = null;
let heard = 0;

// === Numbers in words ===

const seconds = (time) => (time === null || time === undefined ? "–" : time < 0.9995 ? `${short(time * 1000)} ms` : `${short(time)} s`);
const percent = (part) => `${Math.round(part * 100)} %`;
const whole = (number) => Math.round(number).toLocaleString("en");

function tiles(place, entries) {
  place.replaceChildren(...entries.map(([name, value, unit, note]) => make("div", {},
    make("dt", { textContent: name }),
    make("dd", {}, value, unit ? make("small", { textContent: ` ${unit}` }) : null),
    note ? make("dd", { className: "note", textContent: note }) : null)));
}

// === Colours: a user keeps its own while it is among the first ===

const slots = new Map();

/** The users with the most service over the minutes shown, each with its colour. */
function leaders() {
  const sums = new Map();
  for (const { users } of history) {
    for (const [name, user] of users) sums.set(name, (sums.get(name) ?? 0) + Math.max(0, user.service));
  }
  const first = [...sums].filter(([, sum]) => sum > 0).sort((a, b) => b[1] - a[1]).slice(0, COLORS.length);
  const names = new Set(first.map(([name]) => name));
  for (const name of slots.keys()) if (!names.has(name)) slots.delete(name);
  for (const name of names) {
    if (!slots.has(name)) slots.set(name, COLORS.find((color) => ![...slots.values()].includes(color)));
  }
  return [...names].map((name) => ({ name, color: slots.get(name) }));
}

const colorOf = (name) => slots.get(name) ?? OTHERS;

// === The overview ===

const chart = (id, options) => new Chart(by(id), options);
const charts = {
  service: chart("chart-service", { title: "Service per user", unit: "weighted tokens/s", stacked: true }),
  waiting: chart("chart-waiting", { title: "Queue length", unit: "requests" }),
  wait: chart("chart-wait", { title: "Wait in the queue, last minute", unit: "seconds" }),
  first: chart("chart-first", { title: "Time to first token, last minute", unit: "seconds" }),
  counters: chart("chart-counters", { title: "Virtual counters, above the least shown", unit: "weighted tokens / weight" }),
  gap: chart("chart-gap", { title: "Gap of those who wait, and its bound", unit: "weighted tokens / weight" }),
  jain: chart("chart-jain", { title: "Fairness: Jain's index, 1 is equal", unit: "index, 0 to 1", top: 1 }),
};
const userCharts = {
  service: chart("chart-user-service", { title: "Service", unit: "weighted tokens/s" }),
  requests: chart("chart-user-requests", { title: "Requests", unit: "requests" }),
  first: chart("chart-user-first", { title: "Time to first token, last minute", unit: "seconds" }),
};

const number = (title, unit, key, cell = (row) => short(key(row))) => ({ title, unit, key, cell });
const userTable = new Table(by("user-table"), "Users, those with the most service first", [
  { title: "User", text: true, key: (row) => row.user, cell: (row) => row.user, link: (row) => `#user=${encodeURIComponent(row.user)}` },
  number("Service", "w. tokens/s", (row) => row.service),
  number("In window", "w. tokens", (row) => row.tokens, (row) => whole(row.tokens)),
  number("Weight", "share", (row) => row.weight),
  number("Counter", "w. tokens / weight", (row) => row.counter, (row) => (row.counter === null ? "–" : whole(row.counter))),
  number("Waiting", "requests", (row) => row.waiting),
  number("Running", "requests", (row) => row.running),
  number("First token", "median", (row) => row.first_token?.[0] ?? null, (row) => seconds(row.first_token?.[0])),
  number("First token", "99 %", (row) => row.first_token?.[1] ?? null, (row) => seconds(row.first_token?.[1])),
], { sort: { index: 1, down: true }, empty: "No user has tokens in the window." });

/** What goes on, in a sentence. */
function summary({ users, totals, pods }, queue) {
  if (pods.every((pod) => pod.health === "away")) return "No pod answers.";
  const [first] = [...users].sort((a, b) => b.service - a.service);
  if (!first || totals.service <= 0) return totals.in_flight > 0 ? `${totals.in_flight} requests are in flight; no tokens flow.` : "Nobody asks for anything.";
  const share = `${first.user} gets ${percent(Math.min(1, first.service / totals.service))} of the service now`;
  if (!queue || totals.waiting === 0) return `${share}; nobody waits.`;
  const waiters = users.filter((user) => user.waiting > 0);
  if (waiters.length === 1) return `${share}; all ${totals.waiting} requests that wait are of ${waiters[0].user}, and nobody else waits.`;
  const equal = queue.jain >= 0.9 ? "about equal shares" : "unequal shares";
  return `${share}; ${totals.waiting} requests of ${waiters.length} users wait, who have had ${equal} in the window.`;
}

function overview(snapshot) {
  const { totals, queues, others, pods } = snapshot;
  const times = history.map((one) => one.time);
  const value = (read) => history.map((one) => (one.started === snapshot.started ? read(one) : null));
  const worst = queues.reduce((most, one) => (most === null || one.waiting > most.waiting ? one : most), null);
  const [p50, p99] = totals.first_token ?? [null, null];
  const jain = worst && worst.waiting > 0 ? worst.jain : totals.jain;
  const ready = pods.filter((pod) => pod.health === "ready").length;
  tiles(by("tiles"), [
    ["Service", short(totals.service), "w. tokens/s", `${short(totals.input)} read, ${short(totals.output)} written /s`],
    ["Requests", `${totals.in_flight - totals.waiting}`, "running", `${totals.waiting} waiting`],
    ["Ended", short(totals.ended), "requests/s", `${short(totals.refused)} refused /s`],
    ["First token", seconds(p50), "median", `99 %: ${seconds(p99)}`],
    ["Fairness", jain.toFixed(2), "of 1", worst && worst.waiting > 0 ? "of users who wait" : "of users in flight"],
    ["Gap", worst ? short(worst.gap) : "–", "w. tokens", worst ? (worst.bound === null ? "no known bound" : `bound ${short(worst.bound)}`) : "no queue"],
    ["Users", whole(totals.users), "served", `in the last ${seconds(totals.window)}`],
    ["Pods", `${ready}`, `of ${pods.length} ready`, `${pods.reduce((sum, pod) => sum + pod.running, 0)} requests on them`],
  ]);
  by("summary").textContent = summary(snapshot, worst);
  by("weights").textContent = `one read counts ${short(totals.weights[0])}, one written ${short(totals.weights[1])}`;
  const troubles = by("troubles");
  troubles.hidden = snapshot.troubles.length === 0;
  if (!troubles.hidden) troubles.textContent = snapshot.troubles.join("; ");

  const first = leaders();
  const named = first.map(({ name, color }) => ({
    name, color, values: history.map((one) => Math.max(0, one.users.get(name)?.service ?? 0)),
  }));
  const rest = history.map((one, at) => Math.max(0, one.totals.service - named.reduce((sum, { values }) => sum + values[at], 0)));
  if (rest.some((service) => service > 0.5)) named.push({ name: "all others", color: OTHERS, values: rest });
  charts.service.show(times, named);

  const pools = queues.map((one, index) => ({ pool: one.pool, color: COLORS[index % COLORS.length] }));
  const of = (pool, one) => one.queues.find((queue) => queue.pool === pool) ?? null;
  const perPool = (read) => pools.map(({ pool, color }) => ({
    name: pool, color, values: value((one) => { const queue = of(pool, one); return queue === null ? null : read(queue); }),
  }));
  const note = queues.length === 0 ? "no queue" : "";
  charts.waiting.show(times, queues.length === 0 ? [] : [
    ...perPool((queue) => queue.waiting).map((one) => ({ ...one, name: pools.length > 1 ? `waiting, ${one.name}` : "waiting" })),
    { name: "running", color: OTHERS, values: value((one) => one.totals.in_flight - one.totals.waiting) },
  ], note);
  const busiest = worst?.pool;
  const wait = (at) => value((one) => of(busiest, one)?.wait?.[at] ?? null);
  charts.wait.show(times, worst ? [
    { name: "median", color: "--c0", values: wait(0) }, { name: "99 %", color: "--c4", values: wait(1) },
  ] : [], worst ? (pools.length > 1 ? busiest : "") : note);
  charts.first.show(times, [0, 1].map((at) => ({
    name: ["median", "99 %"][at], color: ["--c0", "--c4"][at], values: value((one) => one.totals.first_token?.[at] ?? null),
  })));
  const counted = first.filter(({ name }) => history.some((one) => one.users.get(name)?.counter !== null));
  const counters = counted.map(({ name, color }) => ({ name, color, values: value((one) => one.users.get(name)?.counter ?? null) }));
  const floor = Math.min(...counters.flatMap(({ values }) => values.filter((counter) => counter !== null)));
  charts.counters.show(times, queues.length === 0 ? [] : counters.map((one) => ({
    ...one, values: one.values.map((counter) => (counter === null ? null : counter - floor)),
  })), note);
  const bound = value((one) => of(busiest, one)?.bound ?? null);
  charts.gap.show(times, worst ? [
    { name: "gap", color: "--c0", values: value((one) => of(busiest, one)?.gap ?? null) },
    ...(bound.some((one) => one !== null) ? [{ name: "bound", color: "--c4", dashed: true, values: bound }] : []),
  ] : [], note);
  charts.jain.show(times, [
    ...(worst ? [{ name: "of users who wait", color: "--c0", values: value((one) => of(busiest, one)?.jain ?? null) }] : []),
    { name: "of users in flight", color: "--c1", values: value((one) => one.totals.jain) },
  ]);
  showPods(pods);
  showUsers(snapshot, others);
}

function meter(name, value, parts) {
  const spans = parts.map(({ part, color, title }) => {
    const span = make("span", { title: title ?? "" });
    span.style.width = `${Math.min(100, Math.max(0, part * 100))}%`;
    span.style.background = `var(${color})`;
    return span;
  });
  return make("div", { className: "meter" },
    make("div", {}, make("span", { textContent: name }), make("span", { className: "muted", textContent: value })),
    parts.length > 0 ? make("div", { className: "bar", ariaHidden: "true" }, ...spans) : null);
}

function showPods(pods) {
  by("pod-list").replaceChildren(...pods.map((pod) => {
    const health = make("span", { className: "health", textContent: pod.share < 1 ? `${pod.health}, at ${percent(pod.share)}` : pod.health });
    health.dataset.health = pod.health;
    const load = pod.max_running
      ? meter("requests", `${pod.running} of ${pod.max_running}`, [{ part: pod.running / pod.max_running, color: "--c0" }])
      : meter("requests", `${pod.running}, no limit known`, []);
    const held = pod.max_tokens
      ? meter("tokens held", `${short(pod.tokens ?? 0)} of ${short(pod.max_tokens)}`, [{ part: (pod.tokens ?? 0) / pod.max_tokens, color: "--c0" }])
      : null;
    const cache = pod.kv_usage === null ? null
      : meter("cache, as it says", percent(pod.kv_usage), [{ part: pod.kv_usage, color: "--c2" }]);
    const total = pod.users.reduce((sum, { service }) => sum + Math.max(0, service), 0);
    const shares = meter("share per user", `${short(Math.max(0, pod.service))} w. tokens/s`, pod.users.map(({ user, service }) => ({
      part: total > 0 ? service / Math.max(total, pod.service) : 0, color: colorOf(user), title: `${user} ${short(service)}`,
    })));
    const legend = make("ul", { className: "legend" }, ...pod.users.slice(0, 4).filter(({ service }) => service > 0).map(({ user, service }) => {
      const dot = make("span", { className: "dot" });
      dot.style.background = `var(${colorOf(user)})`;
      return make("li", {}, dot, make("span", { className: "name", textContent: user, title: user }),
        make("span", { className: "value", textContent: percent(service / Math.max(total, pod.service)) }));
    }));
    return make("li", {}, make("h3", {}, pod.pod, health), load, held, cache, shares, legend);
  }));
}

function showUsers(snapshot, others) {
  const wanted = by("user-search").value.trim().toLowerCase();
  const rows = snapshot.users.filter(({ user }) => user.toLowerCase().includes(wanted));
  userTable.show(rows);
  const more = others.users > 0 ? `, and ${whole(others.users)} others with ${short(others.service)} w. tokens/s` : "";
  by("user-count").textContent = `${rows.length} of ${snapshot.users.length} shown${more}`;
}

// === One user ===

/** The user of the address, if it names one. */
function chosen() {
  const match = /^#user=(.+)$/.exec(location.hash);
  try {
    return match ? decodeURIComponent(match[1]) : null;
  } catch {
    return null;
  }
}

function userPage(name, snapshot) {
  const user = snapshot?.users.find((one) => one.user === name);
  by("user-name").textContent = `User ${name}`;
  const [p50, p99] = user?.first_token ?? [null, null];
  tiles(by("user-tiles"), user ? [
    ["Service", short(user.service), "w. tokens/s", `${short(user.input)} read, ${short(user.output)} written /s`],
    ["In the window", whole(user.tokens), "w. tokens", "reservations included"],
    ["Requests", `${user.running}`, "running", `${user.waiting} waiting`],
    ["Weight", short(user.weight), "share", "others have 1 unless said otherwise"],
    ["Virtual counter", user.counter === null ? "–" : whole(user.counter), "w. tokens", user.counter === null ? "not in a queue" : `${short(user.counter - least(snapshot.users))} above the least`],
    ["First token", seconds(p50), "median", `99 %: ${seconds(p99)}`],
  ] : [["Service", "0", "w. tokens/s", "not among those shown"]]);
  const times = history.map((one) => one.time);
  const of = (read) => history.map((one) => { const was = one.users.get(name); return was ? read(was) : null; });
  userCharts.service.show(times, [{ name, color: "--c0", values: of((was) => Math.max(0, was.service)) }]);
  userCharts.requests.show(times, [
    { name: "waiting", color: "--c4", values: of((was) => was.waiting) },
    { name: "running", color: "--c0", values: of((was) => was.running) },
  ]);
  userCharts.first.show(times, [0, 1].map((at) => ({
    name: ["median", "99 %"][at], color: ["--c0", "--c4"][at], values: of((was) => was.first_token?.[at] ?? null),
  })));
}

// === The last requests ===

let requests = [];
let still = false;
const requestTable = new Table(by("request-table"), "The last requests that have ended, the newest first", [
  { title: "Request", text: true, cell: (row) => row.id, link: (row) => () => explain(row.id) },
  { title: "Came", text: true, cell: (row) => new Date(row.time).toLocaleTimeString() },
  { title: "User", text: true, cell: (row) => row.account ?? "–" },
  { title: "Waited", unit: "in the queue", cell: (row) => (row.queue ? seconds(row.queue.waited_ms / 1000) : "–") },
  { title: "Pod", text: true, cell: (row) => row.pod ?? "–" },
  { title: "Read", unit: "tokens", cell: (row) => short((row.usage ?? row.delivered)?.input) },
  { title: "Written", unit: "tokens", cell: (row) => short((row.usage ?? row.delivered)?.output) },
  { title: "First token", unit: "after", cell: (row) => (row.first_token_ms === null ? "–" : seconds(row.first_token_ms / 1000)) },
  { title: "End", unit: "after", cell: (row) => seconds(row.duration_ms / 1000) },
  { title: "Ending", text: true, cell: (row) => (row.code ? `${row.status ?? ""} ${row.code}` : row.ending) },
  { title: "Why it went when it did, and where", text: true, long: true, cell: (row) => row.reason },
], { empty: "No request has ended yet." });

function showRequests() {
  const wanted = by("request-search").value.trim().toLowerCase();
  const texts = (row) => [row.id, row.account, row.pod, row.ending, row.code].map((text) => text ?? "");
  requestTable.show(requests.filter((row) => texts(row).some((text) => text.toLowerCase().includes(wanted))));
}

async function readRequests() {
  if (still || document.hidden || heard === 0) return;
  const name = chosen();
  const reply = await get(`v1/vtc/requests?limit=100${name === null ? "" : `&user=${encodeURIComponent(name)}`}`);
  if (reply !== null && !still && name === chosen()) {
    requests = reply.requests;
    showRequests();
  }
}

async function explain(id) {
  const story = await get(`v1/vtc/explain/${encodeURIComponent(id)}`);
  by("story-h").textContent = `Request ${id}`;
  const body = by("story-body");
  if (story === null) {
    body.replaceChildren(make("p", { textContent: "The gateway remembers it no more." }));
  } else {
    const steps = make("ol", {}, ...story.words.map((word) => make("li", { textContent: word })));
    const came = make("p", { className: "muted", textContent: new Date(story.time).toLocaleString() });
    const place = make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "The pods it was chosen from" });
    body.replaceChildren(came, steps, story.choice ? place : "");
    if (story.choice) {
      const term = (read) => (row) => (read(row) === null ? "–" : read(row).toFixed(3));
      new Table(place, "The pods it was chosen from", [
        { title: "Pod", text: true, cell: (row) => row.pod + (row.chosen ? " (chosen)" : "") },
        { title: "Running", unit: "requests", cell: (row) => `${row.running}` },
        { title: "Fairness", unit: "distance", cell: term((row) => row.fairness) },
        { title: "Utilisation", unit: "load", cell: term((row) => row.utilisation) },
        { title: "Score", unit: "least wins", cell: term((row) => row.score) },
      ], { empty: "" }).show(story.choice.pods);
    }
  }
  by("story").showModal();
}

// === What drives it ===

const least = (users) => Math.min(...users.map((user) => user.counter).filter((counter) => counter !== null));

function render() {
  const last = history.at(-1);
  const name = chosen();
  by("overview").hidden = name !== null;
  by("user-page").hidden = name === null;
  if (name !== null) userPage(name, last?.whole ?? null);
  else if (last) overview(last.whole);
}

function take(snapshot) {
  by("key").hidden = true;
  heard = Date.now();
  if (started !== null && started !== snapshot.started) {
    // Another run: its counters begin anew, and what was seen of the last one stays to the left.
    slots.clear();
  }
  started = snapshot.started;
  const { time, totals, queues } = snapshot;
  for (const one of history) one.whole = null;
  history.push({
    time, started, totals, queues, users: new Map(snapshot.users.map((user) => [user.user, user])), whole: snapshot,
  });
  while (history.length > 0 && time - history[0].time > SPAN * 1000) history.shift();
  // A clock that was set back would leave times that are still to come.
  while (history.length > 1 && history[0].time > time) history.shift();
  if (!document.hidden) render();
}

function state(now) {
  const status = by("status");
  const [word, name] = now === "live" ? ["live", "live"]
    : now === "key" ? ["key needed", "wait"]
    : heard === 0 ? ["connecting", "wait"] : ["connection lost, trying again", "down"];
  if (status.textContent !== word) status.textContent = word;
  status.dataset.state = name;
}

function askForKey(wrong) {
  state("key");
  by("key").hidden = false;
  by("key-error").textContent = wrong ? "That is not the admin's key." : "";
  by("key-input").value = "";
  by("key-input").focus();
  return new Promise((done) => {
    by("key").onsubmit = (event) => {
      event.preventDefault();
      keep(by("key-input").value.trim());
      done();
    };
  });
}

const THEMES = ["system", "light", "dark"];
function theme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  by("theme").textContent = `Theme: ${name}`;
  localStorage.setItem("vtc-theme", name);
  for (const one of [...Object.values(charts), ...Object.values(userCharts)]) one.draw();
}
const themeNow = () => localStorage.getItem("vtc-theme") ?? "system";
theme(THEMES.includes(themeNow()) ? themeNow() : "system");
by("theme").onclick = () => theme(THEMES[(THEMES.indexOf(themeNow()) + 1) % THEMES.length]);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme(themeNow()));
new WhatIf(by("whatif-form"), by("whatif-answer"));
by("user-search").oninput = render;
by("request-search").oninput = showRequests;
by("pause").onclick = ({ currentTarget }) => {
  still = !still;
  currentTarget.setAttribute("aria-pressed", `${still}`);
  readRequests();
};
document.addEventListener("visibilitychange", () => { if (!document.hidden) render(); });
window.addEventListener("hashchange", () => {
  requests = [];
  showRequests();
  render();
  readRequests();
  if (chosen() !== null) by("main").focus();
  // What was hidden could not be gone to.
  else if (location.hash.length > 1) by(location.hash.slice(1))?.scrollIntoView();
});
setInterval(readRequests, 2000);
showRequests();
render();
let first = true;
watch({
  snapshot: (snapshot) => {
    take(snapshot);
    if (first) readRequests();
    first = false;
  },
  state,
  key: askForKey,
});
