// Visits every page of the printed book as readers do: in each theme, on a wide screen and on a phone, with and without scripts.
// It finds what breaks only in a browser: script errors, requests that fail or leave the site, pages wider than the phone,
// text that readers with low vision or screen readers cannot use, and invalid HTML.
//
//     node pages.mjs http://127.0.0.1:3000/ [--shots FOLDER] [--only TEXT]
//
// `--only` looks at the pages whose address contains TEXT. Prints a line for every finding and exits with 1 if there is one.

import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { HtmlValidate } from "html-validate";
import { Findings, PATIENCE, launch, listen, open, pages, themes, widths } from "./browser.mjs";

const options = { shots: { type: "string" }, only: { type: "string" } };
const { values: { shots, only }, positionals: [base] } = parseArgs({ options, allowPositionals: true });
if (!base) {
  console.error("usage: node pages.mjs http://127.0.0.1:PORT/ [--shots FOLDER] [--only TEXT]");
  process.exit(2);
}

// As many pages at once as a small machine has cores.
const HANDS = 2;

const findings = new Findings();
const validator = new HtmlValidate({
  extends: ["html-validate:recommended"],
  rules: {
    // mdBook's search has nothing to send: results appear while the reader types.
    "wcag/h32": "off",
    // mdBook writes <br />, download="", and ids that begin with a digit.
    "void-style": "off",
    "attribute-empty-style": "off",
    "attribute-boolean-style": "off",
    "no-trailing-whitespace": "off",
    "no-inline-style": "off",
    "attr-quotes": "off",
    "valid-id": ["error", { relaxed: true }],
    // The heads of a table in Markdown stand above their columns, where HTML takes them for the columns' without being told.
    "wcag/h63": "off",
    // A title is that of the chapter and of the book.
    "long-title": "off",
    // A focusable region without a heading is what a wide table needs to be scrolled by keyboard.
    "prefer-native-element": ["error", { exclude: ["region", "img"] }],
  },
});
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// Everything in the page that sticks out of the window without a scroll bar of its own, and whether the whole page scrolls.
function stickingOut() {
  const scrolls = (element) => {
    for (let at = element; at && at.id !== "mdbook-content"; at = at.parentElement) {
      if (/auto|scroll|hidden|clip/.test(getComputedStyle(at).overflowX)) return true;
    }
    return false;
  };
  const out = [...document.querySelectorAll("main *")]
    .filter((element) => {
      const box = element.getBoundingClientRect();
      return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1) && !scrolls(element);
    })
    .slice(0, 3)
    .map((element) => `sticks out: ${element.outerHTML.slice(0, 90)}`);
  const wide = ["html", "#mdbook-content"].map((s) => document.querySelector(s)).some((e) => e && e.scrollWidth > e.clientWidth + 1);
  return wide ? [...out, "scrolls sideways"] : out;
}

// Runs axe: as a whole, or only for the contrast of text, of which one of each kind will do.
async function runAxe(page, contrast) {
  const violations = await page.evaluate(async (contrast) => {
    // The colors of every background that an element lies on.
    const backgrounds = new Map();
    const background = (element) => {
      if (!element) return "";
      if (!backgrounds.has(element)) {
        const { backgroundColor, backgroundImage, opacity } = getComputedStyle(element);
        backgrounds.set(element, `${background(element.parentElement)} ${backgroundColor} ${backgroundImage} ${opacity}`);
      }
      return backgrounds.get(element);
    };
    const samples = () => {
      const kinds = new Map();
      for (const element of document.querySelectorAll("body *")) {
        const text = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
        if (!text || !element.checkVisibility()) continue;
        const { color, fontSize, fontWeight } = getComputedStyle(element);
        const kind = `${color} ${fontSize} ${fontWeight} ${background(element)}`;
        if (!kinds.has(kind)) kinds.set(kind, element);
      }
      return [...kinds.values()];
    };
    const options = { resultTypes: ["violations"], ...(contrast && { runOnly: { type: "rule", values: ["color-contrast"] } }) };
    const result = await axe.run(contrast ? { include: samples() } : document, options);
    return result.violations.map(({ id, help, nodes }) => ({
      id, help, nodes: nodes.map(({ html, any, all }) => ({ html, message: any[0]?.message ?? all[0]?.message })),
    }));
  }, contrast);
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, message }) => `axe ${id}: ${html.slice(0, 110)} — ${message ?? help}`));
}

const shoot = (page, path, state) =>
  shots && page.screenshot({ path: `${shots}/${path.replaceAll("/", "-")}-${state}.png`, fullPage: true });

// One page in one size, in the first theme as a whole, in the others, which differ in colors only, for its contrast. A theme
// is chosen in the menu, as readers do, so that the page loads once.
async function look(context, path, size) {
  const page = await context.newPage();
  const told = listen(page, base, path, findings);
  told.in(`light, ${size}`);
  await open(page, new URL(path, base).href);
  // A fold hides what is in it from axe, and so does a figure that is not drawn yet; code out of sight has no colors until
  // the page is printed.
  await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
  await page.evaluate(() => document.querySelectorAll("details").forEach((fold) => (fold.open = true)));
  await page.addStyleTag({ content: "* { content-visibility: visible !important; transition: none !important; }" });
  for (const what of await page.evaluate(stickingOut)) told.heard(what);
  await page.evaluate(axe);
  for (const theme of size === "wide" ? themes : themes.slice(0, 1)) {
    told.in(`${theme}, ${size}`);
    await page.evaluate((name) => document.getElementById(`mdbook-theme-${name}`).click(), theme);
    for (const what of await runAxe(page, theme !== "light")) told.heard(what);
    await shoot(page, path, `${theme}-${size}`);
  }
  await page.close();
}

// Without scripts, everything of ours must still be there.
async function lookWithoutScripts(context, path) {
  const page = await context.newPage();
  const told = listen(page, base, path, findings);
  told.in("no scripts");
  page.setDefaultTimeout(PATIENCE);
  await page.goto(new URL(path, base).href, { waitUntil: "load" });
  for (const what of await page.evaluate(stickingOut)) told.heard(what);
  await shoot(page, path, "noscript");
  await page.close();
}

// Validates the whole document: what is ours, and the template around it.
async function validate(path) {
  const html = await (await fetch(new URL(path, base))).text();
  const report = await validator.validateString(html, path);
  for (const { line, ruleId, message } of report.results.flatMap((result) => result.messages)) findings.add(`${path}:${line}`, `${ruleId}: ${message}`);
}

if (shots) mkdirSync(shots, { recursive: true });
const all = await pages(base);
if (all.length < 3) findings.add("toc.html", `lists only ${all.length - 1} pages`);
const chosen = all.filter((path) => !only || path.includes(only));
if (chosen.length === 0) findings.add("--only", `no page has ${only} in its address`);

const browser = await launch();
const left = [...chosen];
await Promise.all(Array.from({ length: HANDS }, async () => {
  const sized = {};
  for (const [size, viewport] of Object.entries(widths)) sized[size] = await browser.newContext({ viewport });
  const plain = await browser.newContext({ javaScriptEnabled: false, colorScheme: "dark", viewport: widths.phone });
  for (let path = left.shift(); path; path = left.shift()) {
    for (const [size, context] of Object.entries(sized)) {
      // A theme is remembered. Each page starts from the first.
      await look(context, path, size);
    }
    await lookWithoutScripts(plain, path);
    await validate(path);
  }
}));
await browser.close();
findings.end(`${chosen.length} pages, ${themes.length} themes`);
