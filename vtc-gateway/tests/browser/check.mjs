// Drives the dashboard in headless Chromium against the real binary. Arguments: the binary, the folder with node_modules, the
// folder for screenshots. Ends with 0 if all is well.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";

const [binary, modules, pictures] = process.argv.slice(2);
const require = createRequire(join(modules, "package.json"));
const { chromium } = require("playwright-core");
const axe = require.resolve("axe-core/axe.min.js");
mkdirSync(pictures, { recursive: true });

const MODEL = "simulated-7b";

/** A port that nobody has. */
const freePort = () => new Promise((found) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => found(port));
  });
});

/** Waits until that is true; what it returns then. */
async function until(what, isIt, limit = 60_000) {
  const end = Date.now() + limit;
  for (;;) {
    const found = await isIt().catch(() => null);
    if (found) return found;
    assert(Date.now() < end, `never: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** A gateway, once it answers. */
async function start(url, ...parameters) {
  const child = spawn(binary, parameters, { stdio: "ignore", env: { RUST_LOG: "error" } });
  const ended = new Promise((done) => child.once("exit", done));
  await until("the gateway answers", async () => (await fetch(`${url}/assets/app.css`)).ok);
  return { stop: async () => { child.kill("SIGTERM"); await ended; } };
}

async function ask(url, user) {
  const body = { model: MODEL, max_tokens: 8, messages: [{ role: "user", content: "Tell me" }] };
  const headers = { user, "content-type": "application/json", "request-id": `of-${user}` };
  const reply = await fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body: JSON.stringify(body) });
  assert.equal(reply.status, 200);
  await reply.text();
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

/** A page of its own, and what its console complains of. */
async function open(url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1920, height: 1200 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(url);
  return { page, complaints, close: () => context.close() };
}

const isLive = (page) => page.waitForSelector('#status[data-state="live"]', { timeout: 60_000 });

/** What the table of users says, by name: the tokens in the window. */
const shown = (page) => page.$$eval("#user-table tbody tr", (rows) =>
  Object.fromEntries(rows.map((row) => [row.cells[0].textContent, Number(row.cells[2].textContent.replaceAll(",", ""))])));

async function reported(url) {
  const { users } = await (await fetch(`${url}/v1/vtc/users`)).json();
  return Object.fromEntries(users.map(({ user, tokens }) => [user, Math.round(tokens)]));
}

const agrees = async (page, url) => JSON.stringify(Object.entries(await shown(page)).sort())
  === JSON.stringify(Object.entries(await reported(url)).sort());

async function hasNoSideways(page, where) {
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert(wide <= room, `${where}: ${wide} px wide in ${room}`);
}

async function audit(page, where) {
  // Put in by the debugger, which the page's policy does not stop.
  await page.evaluate((await import("node:fs")).readFileSync(axe, "utf8"));
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  assert.deepEqual(told, [], where);
  console.log(`ok   axe, ${where}: ${violations.length} minor or moderate findings ${violations.map(({ id }) => id).join(" ")}`);
}

async function numbersAndRestart() {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const flags = ["demo", "--listen", `127.0.0.1:${port}`];
  let gateway = await start(url, ...flags);
  await until("a pod is ready", async () => (await fetch(`${url}/healthz`)).ok);
  for (const user of ["alice", "bob", "carol"]) await ask(url, user);
  const { page, complaints, close } = await open(url);
  await isLive(page);
  await until("the page agrees with /v1/vtc/users", () => agrees(page, url));
  assert.deepEqual(Object.keys(await shown(page)).sort(), ["alice", "bob", "carol"]);
  console.log("ok   it shows the numbers that /v1/vtc/users reports");

  const before = (await shown(page)).alice;
  await ask(url, "alice");
  await until("the page shows the new tokens", async () => (await shown(page)).alice > before && agrees(page, url));
  console.log("ok   it follows without a reload");

  // By keyboard alone: sort, open a story, close it, go to a user.
  await page.focus("#user-table th:nth-child(1) button");
  await page.keyboard.press("Enter");
  assert.equal(await page.getAttribute("#user-table th:nth-child(1)", "aria-sort"), "ascending");
  await page.waitForSelector("#request-table tbody button");
  await page.focus("#request-table tbody tr:first-child button");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#story[open] ol li");
  assert.match(await page.textContent("#story-body"), /It came from \w+, named by a header.*vtc-basic chose pod-/s);
  await page.keyboard.press("Escape");
  await page.waitForSelector("#story:not([open])", { state: "attached" });
  await page.fill("#user-search", "bo");
  await until("the search leaves one", async () => Object.keys(await shown(page)).join() === "bob");
  await page.fill("#user-search", "");
  await page.focus('#user-table a:text-is("alice")');
  await page.keyboard.press("Enter");
  await page.waitForSelector("#user-page:not([hidden])");
  assert.equal(await page.textContent("#user-name"), "User alice");
  await until("only her requests", async () => {
    const users = await page.$$eval("#request-table tbody tr", (rows) => rows.map((row) => row.cells[2].textContent));
    return users.length === 2 && users.every((user) => user === "alice");
  });
  await page.goBack();
  await page.waitForSelector("#overview:not([hidden])");
  console.log("ok   it is used by keyboard");
  // Four requests are too few to say anything from.
  await page.click("#whatif-form button");
  await page.waitForSelector('#whatif-answer [role="alert"]');
  assert.match(await page.textContent("#whatif-answer"), /4 requests of simulated-7b were served/);
  assert.deepEqual(complaints.splice(0).filter((text) => !text.includes("409")), []);

  await gateway.stop();
  await page.waitForSelector('#status[data-state="down"]');
  gateway = await start(url, ...flags);
  await until("a pod is ready", async () => (await fetch(`${url}/healthz`)).ok);
  await ask(url, "dave");
  await isLive(page);
  await until("the page agrees with the new run", async () => (await shown(page)).dave > 0 && agrees(page, url));
  const unexpected = complaints.filter((text) => !text.includes("net::ERR_"));
  assert.deepEqual(unexpected, []);
  console.log("ok   it survives a restart of the gateway");
  await close();
  await gateway.stop();
}

/** Asks what a change would do, by the form, and says what came. */
async function whatIf(page) {
  await page.selectOption('#whatif-form [name="queue"]', "fcfs");
  await page.fill('#whatif-form [name="pods"]', "-1");
  await page.click("#whatif-form button");
  await page.waitForSelector("#whatif-answer tbody tr");
  const words = await page.$$eval("#whatif-answer li", (items) => items.map((item) => item.textContent));
  assert(words.some((word) => word.startsWith("Replayed as it was")), words.join(" "));
  assert(words.some((word) => /^With the queue fcfs, with 1 pod fewer, the p99 first token of all would be .* instead of /.test(word)), words.join(" "));
  const rows = await page.$$eval("#whatif-answer tbody tr", (lines) => lines.map((line) => [...line.cells].map((cell) => cell.textContent)));
  const all = rows.find(([user]) => user === "all together");
  assert(all && all.slice(4, 10).every((time) => Number(time) > 0), `${all}`);
  return rows;
}

async function theKey() {
  const [port, nowhere] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const hash = createHash("sha256").update("open sesame").digest("hex");
  const config = join(pictures, "key.toml");
  writeFileSync(config, `[admin]\nkey_sha256 = "${hash}"\n`);
  const gateway = await start(url, "serve", "--listen", `127.0.0.1:${port}`, "--pod", `a=http://127.0.0.1:${nowhere}`, "--config", config);
  const { page, close } = await open(url);
  await page.waitForSelector("#key:not([hidden])");
  await audit(page, "the question for the key");
  await page.fill("#key-input", "wrong");
  await page.keyboard.press("Enter");
  await page.waitForSelector('#key-error:text-is("That is not the admin\'s key.")');
  await page.fill("#key-input", "open sesame");
  await page.keyboard.press("Enter");
  await isLive(page);
  await page.waitForSelector('#pod-list .health[data-health="away"]');
  await page.reload();
  await isLive(page);
  assert.equal(await page.isVisible("#key"), false);
  console.log("ok   it asks for the key once");
  await close();
  await gateway.stop();
}

async function looks() {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const gateway = await start(url, "demo", "--traffic", "--listen", `127.0.0.1:${port}`);
  const wide = { width: 1920, height: 1200 };
  const narrow = { width: 360, height: 740 };
  const views = [];
  for (const [name, viewport] of [["1920", wide], ["360", narrow]]) {
    for (const colorScheme of ["light", "dark"]) {
      views.push({ name: `${name}-${colorScheme}`, viewport, ...(await open(url, { viewport, colorScheme })) });
    }
  }
  const [{ page: first }] = views;
  await isLive(first);
  // Long enough for the charts to have something to show.
  await until("tokens flow for a while", async () => {
    const times = await first.$$eval("#request-table tbody tr", (rows) => rows.length);
    const label = await first.getAttribute("#chart-first canvas", "aria-label");
    return times >= 20 && /median [\d.]+/.test(label);
  });
  await new Promise((done) => setTimeout(done, Number(process.env.LOOKS_SECONDS ?? 4) * 1000));
  for (const { name, page, complaints, close } of views) {
    await isLive(page);
    await page.waitForFunction(() => document.querySelectorAll("#user-table tbody tr").length > 2);
    await whatIf(page);
    await hasNoSideways(page, name);
    await audit(page, name);
    // What sticks to the top is to be at the top.
    await page.evaluate(() => window.scrollTo(0, 0));
    await page.screenshot({ path: join(pictures, `overview-${name}.png`), fullPage: true });
    await page.click("#user-table tbody a");
    await page.waitForSelector("#user-page:not([hidden])");
    await page.waitForSelector("#request-table tbody tr");
    await hasNoSideways(page, `a user, ${name}`);
    await audit(page, `a user, ${name}`);
    await page.screenshot({ path: join(pictures, `user-${name}.png`), fullPage: true });
    await page.click("#request-table tbody button");
    await page.waitForSelector("#story[open] ol li");
    await hasNoSideways(page, `a story, ${name}`);
    await audit(page, `a story, ${name}`);
    await page.screenshot({ path: join(pictures, `story-${name}.png`) });
    assert.deepEqual(complaints, [], name);
    await close();
  }
  console.log("ok   it tells what a change would do");
  console.log("ok   it fits 360 px and 1920 px, light and dark");
  await gateway.stop();
}

try {
  await numbersAndRestart();
  await theKey();
  await looks();
} finally {
  await browser.close();
}
