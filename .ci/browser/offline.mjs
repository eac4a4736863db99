// Reads the unpacked archive from a disk, as a reader without a network does: pages of the book and of the API documentation load
// without an error, links lead from one to the other, the search finds a technique, and nothing asks for the network.
//
//     node offline.mjs FOLDER
//
// Prints a line for every finding and exits with 1 if there is one.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { launch, settled } from "./browser.mjs";

const folder = process.argv[2] && resolve(process.argv[2]);
if (!folder || !existsSync(`${folder}/index.html`)) {
  console.error("usage: node offline.mjs FOLDER, with the index.html of a book in it");
  process.exit(2);
}

const findings = [];
const browser = await launch();
const page = await browser.newPage();
const where = () => decodeURI(page.url()).replace(pathToFileURL(folder).href, "");
page.on("console", (message) => message.type() === "error" && findings.push(`${where()}: console: ${message.text()}`));
page.on("pageerror", (error) => findings.push(`${where()}: script error: ${error.message}`));
page.on("requestfailed", (request) => findings.push(`${where()}: ${request.url()} failed: ${request.failure()?.errorText}`));
page.on("request", (request) => {
  if (!/^(file|data|blob):/.test(request.url())) findings.push(`${where()}: asks the network: ${request.url()}`);
});

const open = (path) => page.goto(`${pathToFileURL(folder).href}/${path}`, { waitUntil: "load" });
for (const path of ["index.html", "zero-copy/sendfile.html", "claims.html", "forms.html"]) {
  await open(path);
  const heading = await page.locator("main h1").first().textContent();
  if (!heading) findings.push(`${path}: no heading`);
  if (!(await page.locator("#mdbook-sidebar a").count())) findings.push(`${path}: no table of contents`);
}

// From a chapter to its module, and back.
await open("zero-copy/sendfile.html");
await page.locator("p.api a").click();
await page.waitForURL(/\/api\/perf_proved\/zero_copy\/sendfile\/index\.html$/);
await page.locator('a[href$="/zero-copy/sendfile.html"]').first().click();
await page.waitForURL(/\/zero-copy\/sendfile\.html$/);

// The search, whose index is a script and not a request.
await settled(page);
await page.keyboard.press("s");
await page.waitForFunction(() => !document.querySelector("#mdbook-searchbar-outer").classList.contains("searching"));
await page.locator("#mdbook-searchbar").pressSequentially("group commit");
await page.locator("#mdbook-searchresults a").first().waitFor({ timeout: 20_000 }).catch(() => {});
const results = await page.locator("#mdbook-searchresults a").allTextContents();
if (!results.some((result) => /group commit/i.test(result))) findings.push(`the search for a chapter finds ${results.length} others`);

await browser.close();
for (const finding of new Set(findings)) console.log(finding);
console.log(`offline: ${results.length} results, ${findings.length} findings`);
process.exit(findings.length ? 1 : 0);
