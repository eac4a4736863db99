// What the checks in a browser share: the browser, the pages, and a page that its scripts have finished.

import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

export const themes = ["light", "rust", "coal", "navy", "ayu"];
export const widths = { wide: { width: 1280, height: 900 }, phone: { width: 360, height: 740 } };

// Milliseconds for a page to load or to react. A machine may be busy.
export const PATIENCE = 120_000;

export const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
  .find((path) => path && existsSync(path));
if (!executablePath) {
  console.error("no browser: install chromium, or name one in CHROMIUM");
  process.exit(2);
}

export const launch = () => chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

// The pages that the table of contents links, and the one for those that are not there.
export async function pages(base) {
  const html = await (await fetch(new URL("toc.html", base))).text();
  const links = [...html.matchAll(/<a href="([^"#]+)"/g)].map((match) => match[1]);
  return [...new Set(links), "404.html"];
}

// Opens a page, and waits until it has settled.
export async function open(page, url) {
  page.setDefaultTimeout(PATIENCE);
  await page.goto(url, { waitUntil: "load" });
  await settled(page);
}

// Waits for the scripts that load once a page is drawn.
export const settled = (page) => page.waitForFunction(() => {
  const theme = document.querySelector(".theme-selected"); // book.js has run
  return theme && (!window.path_to_searchindex_js || window.search?.hasFocus);
});

// Says of a page what nobody should hear from it: errors and warnings, requests that fail, and requests to another site than `base`.
// Returns a function that reports anything else, and one that names the state that the page is in.
export function listen(page, base, path, findings) {
  let state = "";
  const heard = (what) => findings.add(state ? `${path} (${state})` : path, what);
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && heard(`console: ${message.text()}`));
  page.on("pageerror", (error) => heard(`script error: ${error.message}`));
  page.on("response", (answer) => answer.status() >= 400 && heard(`${answer.status()} for ${answer.url()}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(base) && !request.url().startsWith("data:")) heard(`asks another site: ${request.url()}`);
  });
  page.on("requestfailed", (request) => {
    if (!request.url().includes("/.changes")) heard(`failed: ${request.url()} ${request.failure()?.errorText}`);
  });
  return { heard, in: (now) => (state = now) };
}

// Collects findings, prints them, and ends the process.
export class Findings {
  #found = new Set();
  add(where, what) {
    this.#found.add(`${where}: ${what}`);
  }
  get size() {
    return this.#found.size;
  }
  end(what) {
    for (const line of this.#found) console.error(line);
    console.log(`${what}: ${this.size === 0 ? "nothing found" : `${this.size} findings`}`);
    process.exit(this.size === 0 ? 0 : 1);
  }
}
