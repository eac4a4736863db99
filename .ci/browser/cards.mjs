// Uses the cards and the page of every claim as readers do, with scripts and without.
//
//     node cards.mjs http://127.0.0.1:3000/
//
// Prints a line for every finding and exits with 1 if there is one.

import { launch } from "./browser.mjs";


const base = process.argv[2];
if (!base) {
  console.error("usage: node cards.mjs http://127.0.0.1:PORT/");
  process.exit(2);
}
const browser = await launch();
const findings = [];
const expect = (holds, what) => holds || findings.push(what);
const at = (path) => new URL(path, base).href;
const chapter = "zero-copy/sendfile.html";

async function open(path, { width = 1280, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, ...options });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  // A busy machine is no finding.
  context.setDefaultTimeout(90_000);
  const page = await context.newPage();
  page.on("pageerror", (error) => findings.push(`${path}: script error: ${error.message}`));
  await page.goto(at(path), { waitUntil: "load" });
  return page;
}

// Closed, half of the cards are skimmed in a few lines, and none takes a third of a screen.
for (const [width, usual, most] of [[1280, 100, 130], [390, 150, 200]]) {
  const page = await open(chapter, { width });
  const heights = await page.$$eval(".claim", (cards) => cards.map((card) => card.offsetHeight).sort((a, b) => a - b));
  expect(heights.length > 10, `only ${heights.length} cards`);
  const median = heights[heights.length >> 1];
  expect(median <= usual, `half of the cards are higher than ${median} px at ${width} px`);
  expect(heights.at(-1) <= most, `a card is ${heights.at(-1)} px high at ${width} px`);
  await page.context().close();
}

{
  const page = await open(chapter);
  const id = await page.$eval(".claim", (card) => card.id);
  expect((await page.$$(".claim details[open]")).length === 0, "a card is open without being asked for");

  // The keyboard opens the evidence, and the button copies the command and nothing else.
  const summary = page.locator(`#${id} summary`);
  await summary.focus();
  await page.keyboard.press("Enter");
  expect(await page.locator(`#${id} details`).evaluate((fold) => fold.open), "Enter does not open a card");
  await page.keyboard.press("Tab");
  const command = page.locator(`#${id} .prove code`);
  await page.locator(`#${id} .prove .copy`).focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction((id) => document.querySelector(`#${id} .prove [role=status]`).textContent !== "", id);
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied === await command.textContent(), `copied "${copied}"`);
  expect(copied.startsWith("cargo "), `a prompt in "${copied}"`);

  // An address with a claim opens its card, whether the page is new or not.
  await page.goto(at(`${chapter}#${id}`));
  await page.reload();
  expect(await page.locator(`#${id} details`).evaluate((fold) => fold.open), "an address does not open its card");
  const last = await page.$$eval(".claim", (cards) => cards.at(-1).id);
  await page.evaluate((hash) => (location.hash = hash), last);
  await page.waitForFunction((id) => document.querySelector(`#${id} details`).open, last);
  await page.context().close();
}

{
  // On the first page, the command that proves the claim is copied, and each block alone.
  const page = await open("index.html");
  await page.locator(".live .caption .copy").click();
  await page.waitForFunction(() => document.querySelector(".live [role=status]").textContent !== "");
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied === await page.textContent(".live .command") && copied.startsWith("cargo "), `the cover copies "${copied}"`);
  const blocks = await page.$$eval(".live pre code", (blocks) => blocks.map((block) => block.textContent));
  expect(blocks.length === 2 && /^cargo run .* -- --json$/.test(blocks[0]), `the cover's blocks are ${JSON.stringify(blocks)}`);
  await page.context().close();
}

{
  // Without scripts, the anchor scrolls, and the command is text.
  const page = await open(chapter, { javaScriptEnabled: false });
  expect((await page.$$(".copy")).length === 0, "a button without a script");
  const last = (await page.locator(".claim").last().getAttribute("id"));
  await page.goto(at(`${chapter}#${last}`));
  const box = await page.locator(`#${last}`).boundingBox();
  expect(box && box.y >= 0 && box.y < 900, "the anchor of a card does not scroll without scripts");
  await page.locator(`#${last} summary`).click();
  expect(await page.locator(`#${last} .prove code`).isVisible(), "a card does not open without scripts");
  await page.context().close();
}

// The page of every claim.
const shown = (page) => page.$$eval("table.claims tbody tr", (rows) => rows.filter((row) => row.offsetHeight > 0).length);
const said = (page) => page.textContent(".claims-filter [role=status]");
{
  const page = await open("claims.html");
  const all = await shown(page);
  expect(all > 100, `only ${all} claims`);
  expect(await said(page) === `All ${all} claims`, await said(page));

  // By keyboard alone: the first letter chooses an option.
  await page.focus(".claims-filter select[name=kind]");
  await page.keyboard.type("explored");
  const kind = page.locator("table.claims tbody tr:not([hidden])");
  await page.waitForFunction(() => location.hash === "#kind=explored");
  const explored = await shown(page);
  expect(explored > 0 && explored < all, `${explored} explored claims`);
  expect((await kind.evaluateAll((rows) => rows.every((row) => row.dataset.kind === "explored"))), "another kind");
  expect(await said(page) === `${explored} of ${all} claims`, await said(page));
  const heads = await page.$$eval("main h2", (heads) => heads.filter((head) => head.offsetHeight > 0).length);
  const tables = await page.$$eval("table.claims", (all) => all.filter((table) => table.offsetHeight > 0).length);
  expect(heads === tables, `${heads} headings over ${tables} tables`);

  // The choices narrow each other, and the address brings them back.
  await page.selectOption(".claims-filter select[name=chapter]", { index: 1 });
  expect(await shown(page) <= explored, "a second choice does not narrow");
  const address = page.url();
  const narrowed = await said(page);
  await page.click(".claims-filter button");
  await page.waitForFunction(() => !location.hash);
  expect(await shown(page) === all, "Show all does not");
  await page.goto("about:blank");
  await page.goto(address);
  expect(await said(page) === narrowed, `the address brings back "${await said(page)}", not "${narrowed}"`);
  await page.context().close();
}
{
  const page = await open("claims.html#verdict=nonsense&machine=");
  expect(await shown(page) > 100, "a value that is no option hides claims");
  await page.context().close();
}
// The address of a row shows it, whatever the choices hide, on a page that is new and on one that is open.
{
  const page = await open("claims.html#kind=explored");
  const row = await page.$$eval("table.claims tr[hidden]", (rows) => rows[rows.length >> 1].id);
  expect(row.startsWith("cite-"), `a row has the id "${row}"`);
  const inSight = () => page.$eval(`#${row}`, (row) => {
    const { top, bottom } = row.getBoundingClientRect();
    return !row.hidden && top >= 0 && bottom <= innerHeight;
  });
  await page.evaluate((row) => (location.hash = row), row);
  await page.waitForFunction((row) => !document.getElementById(row).hidden, row);
  expect(await inSight(), "the address of a hidden row does not scroll to it");
  await page.goto("about:blank");
  await page.goto(at(`claims.html#${row}`));
  await page.waitForTimeout(500);
  expect(await inSight(), "the address of a row does not scroll to it");
  expect(new URL(page.url()).hash === `#${row}`, `the address becomes ${page.url()}`);
  await page.context().close();
}
{
  const page = await open("claims.html#verdict=undecided", { width: 390 });
  const visible = await shown(page);
  const undecided = await page.$$eval("table.claims tbody tr:has(td[data-verdict=undecided])", (rows) => rows.length);
  expect(visible === undecided, `on a phone, ${visible} of ${undecided} undecided claims`);
  await page.context().close();
}
{
  const page = await open("claims.html", { javaScriptEnabled: false });
  expect(await shown(page) > 100, "no list without scripts");
  expect((await page.$$(".claims-filter")).length === 0, "controls that do nothing without scripts");
  await page.context().close();
}

// A page says why it could not be printed again, and no longer once it could.
{
  const context = await browser.newContext();
  // A busy machine is no finding.
  context.setDefaultTimeout(90_000);
  const page = await context.newPage();
  const events = ['event: fault\ndata: "book/src/a.md:7: no <b>\\nmore"\n\n', "data: changed\n\n", ":\n\n"];
  // The browser asks again when a stream ends.
  await page.route("**/.changes*", (route) =>
    route.fulfill({ contentType: "text/event-stream", body: `retry: 500\n${events.length > 1 ? events.shift() : events[0]}` }));
  await page.goto(at(chapter));
  const banner = page.locator("#press-fault");
  await banner.waitFor({ timeout: 20_000 });
  expect((await banner.textContent()).endsWith("\nbook/src/a.md:7: no <b>\nmore"), await banner.textContent());
  expect(await banner.getAttribute("role") === "alert", "a screen reader does not hear of a fault");
  await banner.waitFor({ state: "detached", timeout: 20_000 }).catch(() => findings.push("a repair leaves the fault"));
  await context.close();
}

await browser.close();
findings.forEach((finding) => console.log(finding));
if (findings.length === 0) console.log("the cards and the page of every claim work as they should");
process.exitCode = findings.length > 0 ? 1 : 0;
