// Looks at the book as it goes to paper: everything is on it, nothing is cut off, what only a screen needs is gone, and the page
// loads without an error or another site.
//
//     node print.mjs http://127.0.0.1:3000/

import { Findings, PATIENCE, launch, listen, pages } from "./browser.mjs";

const base = process.argv[2];
if (!base) {
  console.error("usage: node print.mjs http://127.0.0.1:PORT/");
  process.exit(2);
}

const findings = new Findings();
const browser = await launch();
// The width of A4 between its margins.
const page = await browser.newPage({ viewport: { width: 660, height: 940 } });
await page.addInitScript(() => (window.print = () => {}));
await page.addInitScript(() => localStorage.setItem("mdbook-theme", "navy"));
await page.emulateMedia({ media: "print" });
listen(page, base, "print.html", findings);
page.setDefaultTimeout(PATIENCE);
await page.goto(new URL("print.html", base).href, { waitUntil: "load" });
await page.waitForFunction(() => document.querySelector(".theme-selected"));

const report = await page.evaluate(() => {
  const found = [];
  const name = (element) => element.outerHTML.slice(0, 100);
  const some = (what, elements) => elements.slice(0, 5).forEach((element) => found.push(`${what}: ${name(element)}`));
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (element) => element.getBoundingClientRect().width > 0;
  some("is cut off", all("main :is(pre > code, .table-wrapper, .scroll, .claim .value)").filter(shown)
    .filter((element) => element.scrollWidth > element.clientWidth + 2 && getComputedStyle(element).overflowX !== "visible"));
  some("leaves the paper", all("main *").filter(shown)
    .filter((element) => !element.closest("svg") && element.getBoundingClientRect().right > innerWidth + 2));
  some("stays folded", all("main details").filter((fold) => fold.checkVisibility())
    .filter((fold) => ![...fold.children].some((child) => child.localName !== "summary" && child.getBoundingClientRect().height > 0)));
  // Of a fold's label, a card has its value and its verdicts, and a solution its title.
  some("is not on paper", all("main :is(.claim :is(.says, .value, .chip, .prove code), .solution > summary)").filter((element) => !shown(element)));
  some("is on paper", all("#mdbook-sidebar, #mdbook-menu-bar, .skip-link, pre .buttons, .nav-wrapper").filter(shown));
  if (getComputedStyle(document.documentElement).getPropertyValue("--bg").trim() !== "#fff") found.push("the paper is not white");
  const { color } = getComputedStyle(document.body);
  if (color !== "rgb(0, 0, 0)") found.push(`the text is not black, but ${color}`);
  return { found, headings: all("main h1").length };
});
for (const what of report.found) findings.add("print.html", what);
const all = (await pages(base)).length - 1;
if (report.headings < all) findings.add("print.html", `has ${report.headings} chapters of ${all}`);
await browser.close();
findings.end(`${report.headings} chapters on paper`);
