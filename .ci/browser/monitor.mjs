// Looks at the page that the example `monitor` serves: in light and dark, on a wide screen and on two phones. It finds script
// errors, requests that leave the site, lines that are not drawn, pages wider than the phone, and what low vision or a screen
// reader cannot use; and it tries the button, and a server that has gone.
//
//     node monitor.mjs http://127.0.0.1:9464/ [--shots FOLDER]
//
// Prints a line for every finding and exits with 1 if there is one.

import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { HtmlValidate } from "html-validate";
import { launch } from "./browser.mjs";

const [base, flag, shots] = process.argv.slice(2);
if (!base || (flag && flag !== "--shots")) {
  console.error("usage: node monitor.mjs http://127.0.0.1:PORT/ [--shots FOLDER]");
  process.exit(2);
}
const widths = [1280, 390, 360];
const findings = new Set();
const browser = await launch();
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
if (shots) mkdirSync(shots, { recursive: true });

// The points of the line that has the most.
const points = () =>
  Math.max(0, ...[...document.querySelectorAll("polyline")].map((line) => (line.getAttribute("points") ?? "").split(" ").length));

// Waits for 20 s until a line has that number of points. `waitForFunction` would need what the page's policy forbids.
async function drawn(page, count) {
  for (let tries = 0; tries < 100; tries++) {
    if ((await page.evaluate(points)) >= count) return true;
    await page.waitForTimeout(200);
  }
  return false;
}

async function look(colorScheme, width) {
  const where = `${colorScheme}, ${width} px`;
  const find = (what) => findings.add(`${where}: ${what}`);
  // The page's own policy keeps scripts out, axe included.
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 800 }, bypassCSP: true });
  const page = await context.newPage();
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && find(`console: ${message.text()}`));
  page.on("pageerror", (error) => find(`script error: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(base) && !request.url().startsWith("data:")) find(`asks another site: ${request.url()}`);
  });
  await page.goto(base, { waitUntil: "load" });
  if (!(await drawn(page, 4))) find("no line has four points");
  const seen = await page.evaluate(() => ({
    state: document.querySelector("#state").textContent,
    names: [...document.querySelectorAll("h2")].map((heading) => heading.textContent),
    labels: [...document.querySelectorAll("figure svg[role=img]")].map((plot) => plot.getAttribute("aria-label")),
    isWide: document.documentElement.scrollWidth > document.documentElement.clientWidth + 1,
  }));
  if (seen.state !== "live") find(`the state is "${seen.state}"`);
  if (seen.isWide) find("scrolls sideways");
  for (const name of ["ring_items_total", "ring_inside", "ring_gap_seconds", "process_resident_memory_bytes"]) {
    if (!seen.names.includes(name)) find(`no card for ${name}`);
  }
  const items = seen.labels.find((label) => label.startsWith("ring_items_total"));
  if (!/pushed: [\d.]+k?\/s/.test(items ?? "")) find(`the words of a plot: ${items}`);
  if (shots) await page.screenshot({ path: `${shots}/monitor-${colorScheme}-${width}.png`, fullPage: true });
  await page.evaluate(axe);
  const result = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  for (const violation of result.violations) {
    for (const node of violation.nodes) find(`axe ${violation.id}: ${node.html.slice(0, 110)}`);
  }
  await context.close();
}

// Two at once, since each of them waits for seconds to pass.
for (const width of widths) await Promise.all(["light", "dark"].map((colorScheme) => look(colorScheme, width)));

// The button, and a server that has gone.
const context = await browser.newContext();
const page = await context.newPage();
page.on("console", (message) => message.text().includes("Content Security Policy") && findings.add(message.text()));
await page.goto(base, { waitUntil: "load" });
if (!(await drawn(page, 2))) findings.add("no lines under the policy");
await page.click("#pause");
await page.waitForTimeout(1500); // for a reading that had begun
const before = await page.evaluate(points);
await page.waitForTimeout(2500);
if ((await page.evaluate(points)) !== before) findings.add("a paused page goes on");
await page.route("**/metrics", (route) => route.abort());
await page.click("#pause");
await page.waitForSelector("#state.is-bad", { timeout: 10000 }).catch(() => findings.add("a server that has gone is not told of"));
await context.close();
await browser.close();

const answer = await fetch(base);
const policy = answer.headers.get("content-security-policy") ?? "";
if (!policy.startsWith("default-src 'none'") || policy.includes("unsafe")) findings.add(`the policy is "${policy}"`);
const validator = new HtmlValidate({ extends: ["html-validate:standard"], rules: { "void-style": "off", "prefer-native-element": "off" } });
const report = await validator.validateString(await answer.text(), "page.html");
for (const message of report.results.flatMap((result) => result.messages)) {
  findings.add(`page.html:${message.line}: ${message.ruleId}: ${message.message}`);
}

for (const line of findings) console.error(line);
console.log(`the monitor's page, ${2 * widths.length} times: ${findings.size === 0 ? "nothing found" : `${findings.size} findings`}`);
process.exit(findings.size === 0 ? 0 : 1);
