// Drives the page of claims by machine as a reader does: the head and the first column stay in sight while the table scrolls, by
// keyboard as well, and the filter leaves only claims whose verdicts differ. It works without scripts.
//
//     node matrix.mjs http://127.0.0.1:3000/
//
// Prints a line for every finding and exits with 1 if there is one.

import { Findings, launch, widths } from "./browser.mjs";

const [base] = process.argv.slice(2);
if (!base) {
  console.error("usage: node matrix.mjs http://127.0.0.1:PORT/");
  process.exit(2);
}
const browser = await launch();
const findings = new Findings();

for (const [size, viewport] of Object.entries(widths)) {
  const context = await browser.newContext({ viewport, javaScriptEnabled: false });
  const page = await context.newPage();
  const find = (what) => findings.add(`claims-by-machine.html (${size})`, what);
  await page.goto(new URL("claims-by-machine.html", base).href, { waitUntil: "load" });
  const region = page.locator(".matrix-view .scroll");
  const box = (selector) => page.locator(selector).first().boundingBox();

  // By keyboard alone: the region takes the focus, and End moves it to the last rows.
  await region.focus();
  await page.keyboard.press("End");
  await page.waitForTimeout(400);
  const [head, frame] = [await box(".matrix thead th"), await region.boundingBox()];
  const scrolled = await page.locator(".matrix tbody tr:last-child").last().isVisible();
  const first = await box(".matrix tbody tr:nth-child(2) th");
  if (!scrolled || first.y > frame.y) find("End does not scroll the focused table");
  if (Math.abs(head.y - frame.y) > 2) find("the head of the table scrolls out of sight");
  await page.keyboard.press("ArrowRight");
  const column = await page.locator(".matrix tbody tr:nth-child(2) th").last().boundingBox();
  if (Math.abs(column.x - frame.x) > 2) find("the first column scrolls out of sight");

  const rows = () => page.locator(".matrix tbody tr:not(.chapter)").evaluateAll((all) =>
    all.filter((row) => getComputedStyle(row).display !== "none" && getComputedStyle(row.parentElement).display !== "none")
      .map((row) => new Set([...row.querySelectorAll("td .words")].map((words) => words.textContent.split(/[:,]/)[0])
        .filter((words) => words !== "not measured")).size));
  const all = await rows();
  const filter = page.locator("#only-differing");
  if (await filter.count() > 0) {
    await filter.focus();
    await page.keyboard.press("Space");
    const left = await rows();
    if (left.length === 0 || left.length >= all.length) find(`the filter leaves ${left.length} of ${all.length} rows`);
    if (left.some((different) => different < 2)) find("the filter leaves a claim whose verdicts agree");
  }
  await context.close();
}
await browser.close();
findings.end("the table of claims by machine");
