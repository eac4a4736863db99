// Uses the printed book without a mouse: the skip link, the table of contents, the arrow keys, and a walk by Tab through a page of
// each kind, which must stop at everything that can be pressed or scrolled, show where it is, and come out at the end.
//
//     node keyboard.mjs http://127.0.0.1:3000/

import { Findings, launch, open, pages, widths } from "./browser.mjs";

const base = process.argv[2];
if (!base) {
  console.error("usage: node keyboard.mjs http://127.0.0.1:PORT/");
  process.exit(2);
}
const CHAPTER = "zero-copy/sendfile.html";

const findings = new Findings();
const browser = await launch();

async function fresh(size, path = CHAPTER) {
  const page = await browser.newPage({ viewport: widths[size], reducedMotion: "reduce" });
  await open(page, new URL(path, base).href);
  return page;
}

// The element in focus, as a person would name it.
const focused = (page) => page.evaluate(() => {
  const element = document.activeElement;
  return element === document.body ? "the page" : element.id || element.className || element.textContent.trim();
});

async function skipLink(size, path) {
  const page = await fresh(size, path);
  const where = `${path} (${size})`;
  await page.keyboard.press("Tab");
  const first = await focused(page);
  if (first !== "skip-link") findings.add(where, `the first tab stop is ${first}, not the skip link`);
  const box = await page.locator(".skip-link").boundingBox();
  if (!box || box.y < 0 || box.x < 0) findings.add(where, "the skip link is not visible in focus");
  await page.keyboard.press("Enter");
  if (!(await page.evaluate(() => document.activeElement.matches("main")))) findings.add(where, "the skip link does not lead to the text");
  await page.keyboard.press("Tab");
  const inText = await page.evaluate(() => Boolean(document.activeElement.closest("#mdbook-content")));
  if (!inText) findings.add(where, "after the skip link, Tab does not go on in the text");
  await page.close();
}

// On a phone, the contents are hidden, and hide the text when they show.
async function contents() {
  const page = await fresh("phone");
  const state = () => page.evaluate(() => {
    const sidebar = document.getElementById("mdbook-sidebar");
    return {
      told: document.getElementById("mdbook-sidebar-toggle").getAttribute("aria-expanded"),
      shown: sidebar.checkVisibility() && sidebar.getBoundingClientRect().right > 0,
      inside: sidebar.contains(document.activeElement),
    };
  });
  const expect = async (step, expected) => {
    const now = await state();
    for (const [what, value] of Object.entries(expected)) {
      if (now[what] !== value) findings.add(`${CHAPTER} (phone)`, `contents, ${step}: ${what} is ${now[what]}, not ${value}`);
    }
  };
  await expect("at first", { told: "false", shown: false });
  for (let i = 0; i < 5 && (await focused(page)) !== "mdbook-sidebar-toggle"; i += 1) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect("opened", { told: "true", shown: true, inside: true });
  await page.keyboard.press("Escape");
  await expect("closed by Escape", { told: "false", inside: false });
  if ((await focused(page)) !== "mdbook-sidebar-toggle") findings.add(`${CHAPTER} (phone)`, "Escape does not return to the button of the contents");
  await page.keyboard.press("Space");
  await expect("opened again", { told: "true", shown: true, inside: true });
  await page.keyboard.press("Enter");
  await page.waitForLoadState("load");
  await page.close();
}

// An arrow key turns the page, unless something in the page needs it.
async function arrows() {
  const page = await fresh("phone");
  const press = async (what, turns) => {
    const before = page.url();
    await page.keyboard.press("ArrowRight");
    await page.waitForTimeout(300);
    const turned = page.url() !== before;
    if (turned !== turns) findings.add(`${CHAPTER} (phone)`, `an arrow key ${turned ? "turns" : "does not turn"} the page ${what}`);
    if (turned) await open(page, new URL(CHAPTER, base).href);
  };
  const kinds = {
    "in focused code": "main pre > code[tabindex]",
    "in a focused table": "main :is(.table-wrapper, .scroll)[tabindex]",
    "on a fold": "main summary",
    "on a button": "#mdbook-theme-toggle",
    "on a button in code": "main pre .clip-button",
  };
  for (const [what, selector] of Object.entries(kinds)) {
    const found = page.locator(selector).filter({ visible: true }).first();
    if ((await found.count()) === 0) {
      await page.evaluate(() => document.querySelectorAll("details").forEach((fold) => (fold.open = true)));
      await page.waitForTimeout(100);
    }
    await found.focus();
    await press(what, false);
  }
  // A click leaves a caret and no focus.
  const code = page.locator("main pre > code:not([tabindex])").filter({ visible: true }).first();
  if (await code.count()) {
    await code.click({ position: { x: 20, y: 15 } });
    await press("after a click into code", false);
  }
  await page.locator("main p").first().click({ position: { x: 5, y: 5 } });
  await press("in the text", true);
  await page.locator("main p a").first().focus();
  await press("on a link of the text", true);
  await page.close();
}

// Presses Tab through the whole page.
async function walk(size, path) {
  const page = await fresh(size, path);
  const where = `${path} (${size})`;
  const expected = await page.evaluate(() => {
    const stops = [...document.querySelectorAll("a[href], button, summary, input, select, textarea, [tabindex='0']")]
      .filter((element) => element.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: false }) && element.tabIndex >= 0);
    stops.forEach((element, i) => (element.dataset.stop = i));
    return stops.length;
  });
  const seen = new Set();
  let last = null;
  for (let i = 0; i < expected + 50; i += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const element = document.activeElement;
      if (element === document.body) return null;
      const style = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      return {
        id: element.dataset.stop ?? element.outerHTML.slice(0, 80),
        html: element.outerHTML.slice(0, 80),
        marked: (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none",
        there: box.width > 0 && box.bottom > 0 && box.top < innerHeight && Number(style.opacity) > 0
          && (!element.closest(".buttons") || Number(getComputedStyle(element.closest(".buttons")).opacity) > 0.1),
      };
    });
    if (!stop) break;
    if (stop.id === last) {
      findings.add(where, `Tab does not leave ${stop.html}`);
      break;
    }
    last = stop.id;
    seen.add(stop.id);
    if (!stop.marked) findings.add(where, `nothing marks the focus on ${stop.html}`);
    if (!stop.there) findings.add(where, `the focus is out of sight on ${stop.html}`);
  }
  const missed = await page.evaluate((ids) =>
    [...document.querySelectorAll("[data-stop]")].filter((element) => !ids.includes(element.dataset.stop)).map((e) => e.outerHTML.slice(0, 80)), [...seen]);
  for (const html of missed.slice(0, 10)) findings.add(where, `Tab does not reach ${html}`);
  await page.close();
  return expected;
}

const all = await pages(base);
for (const path of [CHAPTER, all[0], "claims.html", "404.html"]) await skipLink("wide", path);
await skipLink("phone", CHAPTER);
await contents();
await arrows();
const kinds = [CHAPTER, "index.html", "folklore.html", "claims.html", "memory/layout.html", all.find((path) => path.startsWith("machines/"))];
let stops = await walk("phone", CHAPTER);
for (const path of kinds) {
  if (path) stops += await walk("wide", path);
  else findings.add("toc.html", "lists no page of a machine");
}
await browser.close();
findings.end(`keyboard, ${kinds.length} kinds of pages, ${stops} tab stops`);
