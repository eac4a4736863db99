// Visits every page of the printed book as readers do: in each theme, on a wide screen and on a phone, in the order of the
// table of contents. It finds what breaks only in a browser: script errors, requests that fail or leave the site, pages
// wider than the phone, text that readers with low vision or screen readers cannot use, and invalid HTML of our own.
//
//     node pages.mjs http://127.0.0.1:3000/ [--shots FOLDER]
//
// Prints a line for every finding and exits with 1 if there is one. `known` lists mdBook's own faults; a fault that is no
// longer there is a finding, too, so that the list cannot outlive its reason.

import { chromium } from "playwright-core";
import { createRequire } from "node:module";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { HtmlValidate } from "html-validate";

const [base, flag, shots] = process.argv.slice(2);
if (!base || (flag && flag !== "--shots")) {
  console.error("usage: node pages.mjs http://127.0.0.1:PORT/ [--shots FOLDER]");
  process.exit(2);
}

const themes = ["light", "rust", "coal", "navy", "ayu"];
const widths = { wide: { width: 1280, height: 900 }, phone: { width: 360, height: 740 } };

// Faults of mdBook's pages that a style sheet cannot mend: axe's rule, the start of the element, and whether every book has
// the fault. The label that opens the table of contents has attributes reserved for buttons, the bar above the page is no
// landmark, and elements that scroll sideways have no tabindex, although browsers let the keyboard in.
const known = [
  ["aria-allowed-attr", '<label id="mdbook-sidebar-toggle"', true],
  ["aria-prohibited-attr", '<label id="mdbook-sidebar-toggle"', true],
  ["region", '<label id="mdbook-sidebar-toggle"', true],
  ["region", '<h1 class="menu-title">', true],
  ["region", '<div class="right-buttons">', true],
  ["scrollable-region-focusable", '<div class="table-wrapper">', false],
  ["scrollable-region-focusable", '<code class="language-', false],
];
const knownSeen = new Set();

const findings = new Set();
const find = (where, what) => findings.add(`${where}: ${what}`);

const validator = new HtmlValidate({
  extends: ["html-validate:standard"],
  rules: {
    // What stands inside <main> is a part of a page; and mdBook writes <br /> and redundant roles its own way.
    "void-style": "off",
    "no-trailing-whitespace": "off",
    "no-inline-style": "off",
    "attr-quotes": "off",
    "long-title": "off",
    // A focusable region without a heading is what a wide table needs to be scrolled by keyboard.
    "prefer-native-element": ["error", { exclude: ["region", "img"] }],
  },
});

const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
  .find((path) => path && existsSync(path));
if (!executablePath) {
  console.error("no browser: install chromium, or name one in CHROMIUM");
  process.exit(2);
}
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// The pages that the table of contents links, and the one for those that are not there.
async function pages() {
  const html = await (await fetch(new URL("toc.html", base))).text();
  const links = [...html.matchAll(/<a href="([^"#]+)"/g)].map((match) => match[1]);
  return [...new Set(links), "404.html"];
}

// Everything in the page that sticks out of the window without a scroll bar of its own.
function stickingOut() {
  const scrolls = (element) => {
    for (let at = element; at && at.id !== "mdbook-content"; at = at.parentElement) {
      if (/auto|scroll|hidden|clip/.test(getComputedStyle(at).overflowX)) return true;
    }
    return false;
  };
  return [...document.querySelectorAll("main *")]
    .filter((element) => {
      const box = element.getBoundingClientRect();
      return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1) && !scrolls(element);
    })
    .slice(0, 3)
    .map((element) => element.outerHTML.slice(0, 90));
}

async function look(page, path, theme, size) {
  const where = `${path} (${theme}, ${size})`;
  const heard = (what) => find(where, what);
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && heard(`console: ${message.text()}`));
  page.on("pageerror", (error) => heard(`script error: ${error.message}`));
  page.on("response", (answer) => answer.status() >= 400 && heard(`${answer.status()} for ${answer.url()}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(base) && !request.url().startsWith("data:")) heard(`asks another site: ${request.url()}`);
  });
  page.on("requestfailed", (request) => {
    if (!request.url().includes("/.changes")) heard(`failed: ${request.url()} ${request.failure()?.errorText}`);
  });
  await page.goto(new URL(path, base).href, { waitUntil: "load" });
  const wide = await page.evaluate(() =>
    ["html", "#mdbook-content"].map((s) => document.querySelector(s)).filter((e) => e && e.scrollWidth > e.clientWidth + 1).length);
  for (const element of await page.evaluate(stickingOut)) heard(`sticks out: ${element}`);
  if (wide) heard("scrolls sideways");
  if (shots) await page.screenshot({ path: `${shots}/${path.replaceAll("/", "-")}-${theme}-${size}.png`, fullPage: true });

  await page.evaluate(axe);
  // A fold hides what is in it from axe.
  await page.evaluate(() => document.querySelectorAll("details").forEach((fold) => (fold.open = true)));
  // Themes differ in colours only.
  const rules = ["light", "navy"].includes(theme) ? undefined : ["color-contrast"];
  const result = await page.evaluate((values) =>
    axe.run(document, { resultTypes: ["violations"], ...(values && { runOnly: { type: "rule", values } }) }), rules);
  for (const violation of result.violations) {
    for (const node of violation.nodes) {
      const i = known.findIndex(([rule, start]) => rule === violation.id && node.html.startsWith(start));
      if (i >= 0) knownSeen.add(i);
      else heard(`axe ${violation.id}: ${node.html.slice(0, 110)} — ${node.any[0]?.message ?? node.all[0]?.message ?? violation.help}`);
    }
  }
}

if (shots) mkdirSync(shots, { recursive: true });
const all = await pages();
if (all.length < 3) find("toc.html", `lists only ${all.length - 1} pages`);
for (const [size, viewport] of Object.entries(widths)) {
  for (const theme of size === "wide" ? themes : ["light"]) {
    const context = await browser.newContext({ viewport });
    await context.addInitScript((name) => localStorage.setItem("mdbook-theme", name), theme);
    for (const path of all) {
      const page = await context.newPage();
      await look(page, path, theme, size);
      await page.close();
    }
    await context.close();
  }
}

// Without scripts, everything of ours must still be there.
const context = await browser.newContext({ javaScriptEnabled: false, colorScheme: "dark", viewport: widths.phone });
for (const path of all) {
  const page = await context.newPage();
  await page.goto(new URL(path, base).href, { waitUntil: "load" });
  for (const element of await page.evaluate(stickingOut)) find(`${path} (no scripts)`, `sticks out: ${element}`);
  if (shots) await page.screenshot({ path: `${shots}/${path.replaceAll("/", "-")}-noscript.png`, fullPage: true });
  await page.close();
}
await browser.close();

for (const path of all) {
  const html = await (await fetch(new URL(path, base))).text();
  const main = html.slice(html.indexOf("<main>") + 6, html.indexOf("</main>"));
  const before = html.slice(0, html.indexOf("<main>") + 6).split("\n").length - 1;
  const report = await validator.validateString(main, path);
  for (const message of report.results.flatMap((result) => result.messages)) {
    find(`${path}:${before + message.line}`, `${message.ruleId}: ${message.message}`);
  }
}

known.forEach(([rule, start, always], i) => knownSeen.has(i) || !always || find("known", `no longer found, take it off the list: ${rule} ${start}`));
for (const line of findings) console.error(line);
console.log(`${all.length} pages, ${themes.length} themes: ${findings.size === 0 ? "nothing found" : `${findings.size} findings`}`);
process.exit(findings.size === 0 ? 0 : 1);
