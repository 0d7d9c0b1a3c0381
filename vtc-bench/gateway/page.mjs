// How a browser fares with the dashboard. Arguments: the page's address, the folder with node_modules, for how many seconds.
// Prints one line of JSON; times are in milliseconds.

import { createRequire } from "node:module";
import { join } from "node:path";

const [url, modules, seconds] = process.argv.slice(2);
const { chromium } = createRequire(join(modules, "package.json"))("playwright-core");

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: { width: 1920, height: 1200 } });
  // A task of 50 ms or more keeps the user waiting.
  await page.addInitScript(() => {
    window.longTasks = [];
    const note = (list) => window.longTasks.push(...list.getEntries().map(({ duration }) => duration));
    new PerformanceObserver(note).observe({ type: "longtask", buffered: true });
  });
  const begun = performance.now();
  await page.goto(url);
  await page.waitForSelector('#status[data-state="live"]');
  await page.waitForSelector("#user-table tbody tr");
  const live = performance.now() - begun;

  const debug = await page.context().newCDPSession(page);
  await debug.send("Performance.enable");
  const metrics = async () =>
    Object.fromEntries((await debug.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
  await page.evaluate(() => { window.longTasks = []; });
  const before = await metrics();
  const clicks = [];
  for (let second = 0; second < Number(seconds); second += 1) {
    await page.waitForTimeout(1000);
    // To sort the users by another column, up to the frame that shows it.
    clicks.push(await page.evaluate((column) => new Promise((shown) => {
      const clicked = performance.now();
      document.querySelector(`#user-table th:nth-child(${column}) button`).click();
      requestAnimationFrame(() => setTimeout(() => shown(performance.now() - clicked)));
    }), 2 + second % 4));
  }
  const after = await metrics();
  const busy = (after.TaskDuration - before.TaskDuration) / (after.Timestamp - before.Timestamp);
  const longTasks = await page.evaluate(() => window.longTasks);
  const users = await page.locator("#user-table tbody tr").count();
  console.log(JSON.stringify({ live, busy, clicks, longTasks, users, heap: after.JSHeapUsedSize }));
} finally {
  await browser.close();
}
