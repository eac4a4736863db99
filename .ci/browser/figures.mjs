// Uses the figures as readers do: reads points by keyboard and pointer, switches machine, axis and clock, downloads a table; then
// without scripts and on paper. On every page, it checks that no two series of a figure look alike, that no label covers another
// or leaves its drawing, and that each point is read out with the value at which it lies.
//
//     node figures.mjs http://127.0.0.1:3000/ [PART]      PART: of the paths of the pages whose figures to look at
//
// Prints a line for every finding and exits with 1 if there is one.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { launch } from "./browser.mjs";

const [base, part = ""] = process.argv.slice(2);
if (!base) {
  console.error("usage: node figures.mjs http://127.0.0.1:PORT/ [PART]");
  process.exit(2);
}
const findings = new Set();
function find(what) {
  if (!findings.has(what)) console.error(what);
  findings.add(what);
}
const expect = (holds, what) => holds || find(what);

const browser = await launch();

async function open(path, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  if (options.theme) await context.addInitScript((name) => localStorage.setItem("mdbook-theme", name), options.theme);
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && find(`${path}: console: ${message.text()}`));
  page.on("pageerror", (error) => find(`${path}: script error: ${error.message}`));
  await page.goto(new URL(path, base).href, { waitUntil: "load" });
  return page;
}

// Returns what is wrong with the figures of the page, as a reader sees them.
function wrong() {
  const found = [];
  const units = { ns: 1, "µs": 1e3, ms: 1e6, s: 1e9, "B/s": 1, "KiB/s": 2 ** 10, "MiB/s": 2 ** 20, "GiB/s": 2 ** 30, "TiB/s": 2 ** 40,
    "/s": 1, "million/s": 1e6, "billion/s": 1e9, "×": 1 };
  const number = (text) => {
    const [, digits, unit] = text.trim().match(/^([\d.,]+)\s*(\S+)/);
    if (!(unit in units)) found.push(`unknown unit in ${text}`);
    return Number(digits.replaceAll(",", "")) * units[unit];
  };
  const overlap = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3;
  for (const figure of document.querySelectorAll("figure.measurement")) {
    const title = figure.querySelector("strong").textContent;
    const tables = [...figure.querySelectorAll(".numbers table")];
    const panels = [...figure.querySelectorAll(".panel")].filter((panel) => panel.querySelector(".chart"));
    if (tables.length !== panels.length) found.push(`${title}: ${tables.length} tables for ${panels.length} panels`);
    panels.forEach((panel, i) => {
      if (panel.hidden) return;
      for (const svg of panel.querySelectorAll(".chart")) {
        const marks = [...svg.querySelectorAll(".values .mark")];
        const values = tables[i].querySelectorAll("tbody td:not(.missing)").length;
        if (marks.length !== values) found.push(`${title}: ${marks.length} points for ${values} values`);
      }
      const svg = [...panel.querySelectorAll(".chart")].find((svg) => svg.getBoundingClientRect().width > 0);
      if (!svg) return found.push(`${title}: no drawing to see`);
      const frame = svg.getBoundingClientRect();
      const texts = [...svg.querySelectorAll("text")].map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }));
      for (const { text, box } of texts) {
        const inside = box.left >= frame.left - 2 && box.right <= frame.right + 2 && box.top >= frame.top - 2 && box.bottom <= frame.bottom + 2;
        if (box.width > 0 && !inside) found.push(`${title}: "${text}" leaves the drawing`);
        if (box.width > 0 && box.height < 9) found.push(`${title}: "${text}" is ${box.height} px high`);
      }
      texts.forEach((one, at) => texts.slice(at + 1).forEach((other) => {
        if (one.box.width > 0 && other.box.width > 0 && overlap(one.box, other.box)) found.push(`${title}: "${one.text}" covers "${other.text}"`);
      }));
      const looks = [...svg.querySelectorAll("g.end")].map((group) => {
        const mark = group.querySelector(".mark");
        const style = getComputedStyle(group);
        return [getComputedStyle(mark).stroke, style.getPropertyValue("--dash"), mark.getAttribute("d").replace(/^M\S+ [\d.]+/, ""), mark.getAttribute("class")];
      });
      // Colors, dashes and markers each differ by themselves.
      for (const part of [0, 1]) {
        if (new Set(looks.map((look) => look[part])).size < looks.length) found.push(`${title}: two series share a ${["color", "dash"][part]}`);
      }
      if (new Set(looks.map((look) => look.slice(2).join())).size < looks.length) found.push(`${title}: two series share a marker`);

      // The point that lies higher, or further to the right in a row, is read out with the larger value. On a linear axis, small
      // values share a pixel.
      const read = [...(svg.points ?? [])];
      for (const a of read) {
        for (const b of read) {
          const [one, other] = [number(a.value), number(b.value)];
          if (one > other * 1.15 && (svg.querySelector("g.end") ? a.y > b.y + 1 : a.x < b.x - 1)) {
            found.push(`${title}: ${a.text} lies on the wrong side of ${b.text}`);
          }
        }
      }
    });
  }
  return [...new Set(found)].slice(0, 20);
}

// Reads every point of the visible charts by pointer, and leaves place and text where `wrong` finds them.
function readAll() {
  for (const svg of document.querySelectorAll(".chart")) {
    if (svg.getBoundingClientRect().width === 0) continue;
    const reading = svg.closest("figure").querySelector(".reading");
    svg.points = [...svg.querySelectorAll(".values .mark")].map((mark) => {
      const box = mark.getBoundingClientRect();
      const [clientX, clientY] = [box.left + box.width / 2, box.top + box.height / 2];
      svg.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY, bubbles: true }));
      const [cursor, frame] = [svg.querySelector(".cursor"), svg].map((element) => element.getBoundingClientRect());
      const text = reading.textContent;
      return { text, value: text.split(": ").at(-1), x: cursor.left - frame.left, y: cursor.top - frame.top };
    });
    svg.dispatchEvent(new PointerEvent("pointerleave"));
  }
}

async function pages() {
  const html = await (await fetch(new URL("toc.html", base))).text();
  const links = new Set([...html.matchAll(/<a href="([^"#]+)"/g)].map((match) => match[1]));
  const texts = await Promise.all([...links].map(async (path) => [path, await (await fetch(new URL(path, base))).text()]));
  return texts.filter(([path, text]) => path.includes(part) && text.includes('<figure class="measurement"')).map(([path]) => path);
}

const all = await pages();
let figures = 0;
for (const path of all) {
  for (const width of [1280, 360]) {
    const page = await open(path, { viewport: { width, height: 800 } });
    await page.evaluate(readAll);
    for (const what of await page.evaluate(wrong)) find(`${path} (${width} px): ${what}`);
    // On a linear axis, every point still lies at its value.
    await page.evaluate(() => document.querySelectorAll(".switch button").forEach((button) => button.textContent === "Linear" && button.click()));
    await page.evaluate(readAll);
    for (const what of await page.evaluate(wrong)) find(`${path} (${width} px, linear): ${what}`);
    figures += width === 360 ? 0 : await page.locator("figure.measurement").count();
    await page.context().close();
  }
}
expect(figures > 50 || part, `only ${figures} figures`);

// By keyboard.
const sendfile = "zero-copy/sendfile.html";
{
  const page = await open(sendfile);
  const figure = page.locator("figure.measurement").first();
  const chart = figure.locator(".chart:visible").first();
  const reading = figure.locator(".reading");
  const hint = await reading.textContent();
  const address = page.url();
  await figure.locator(".switch button").last().focus();
  await page.keyboard.press("Tab");
  expect(await chart.evaluate((svg) => svg === document.activeElement), "Tab does not lead from the switches to the first chart");
  const heard = [await reading.textContent()];
  for (const key of ["ArrowRight", "ArrowRight", "ArrowDown", "End", "ArrowRight"]) {
    await page.keyboard.press(key);
    heard.push(await reading.textContent());
  }
  expect(/^\S+, size of the file 4.KiB: [\d.]+ \S+ \([\d.]+ to [\d.]+\), emerald-rapids/.test(heard[0]), `the first point reads "${heard[0]}"`);
  expect(/64.KiB: /.test(heard[2]), `two steps to the right read "${heard[2]}"`);
  expect(/64.KiB: /.test(heard[3]) && heard[3].split(",")[0] !== heard[2].split(",")[0], `the next series reads "${heard[3]}"`);
  expect(/64.MiB: /.test(heard[4]) && heard[5] === heard[4], `the end reads "${heard[4]}", and beyond it "${heard[5]}"`);
  expect(page.url() === address, "an arrow key turned the page");
  expect(await reading.getAttribute("aria-live") === "polite", "the read-out is not announced");
  expect(await chart.locator(".cursor").count() === 1, "the point is not marked");
  await page.keyboard.press("Escape");
  expect(!(await chart.evaluate((svg) => svg === document.activeElement)), "Escape does not leave the chart");
  expect(await reading.textContent() === hint && await chart.locator(".cursor").count() === 0, "the read-out stays");

  // The switches.
  await figure.getByRole("button", { name: "zen5" }).click();
  expect(await figure.locator(".panel:visible").count() === 1, "a chosen machine is not alone");
  expect(/^0 0 720 /.test(await figure.locator(".chart:visible").getAttribute("viewBox")), "a machine alone is not drawn wider");
  for (const what of await page.evaluate(wrong)) find(`${sendfile} (one machine): ${what}`);
  await figure.getByRole("button", { name: "All machines" }).click();
  expect(await figure.locator(".panel:visible").count() === 3, "the other machines do not come back");
  const before = await chart.innerHTML();
  await figure.getByRole("button", { name: "Linear" }).click();
  expect(await chart.locator(".scale:visible .tick").first().textContent() === "0", "a linear axis does not start at zero");
  await figure.getByRole("button", { name: "Logarithmic" }).click();
  expect(await chart.innerHTML() === before, "the logarithmic axis does not come back as it was");
  const title = await figure.locator("strong").textContent();
  await figure.getByRole("button", { name: "Wall time" }).click();
  expect(await figure.locator("strong").textContent() !== title, "wall time shows the same figure");
  expect(await figure.getByRole("button", { name: "Wall time" }).evaluate((b) => b === document.activeElement && b.ariaPressed === "true"),
    "the pressed switch loses the focus");
  await figure.getByRole("button", { name: "CPU time" }).click();
  expect(await figure.locator("strong").textContent() === title, "CPU time does not come back");

  // The table as a file.
  await figure.locator("summary").click();
  const [download] = await Promise.all([page.waitForEvent("download", { timeout: 10_000 }), figure.locator(".download a").click()]);
  expect(download.suggestedFilename() === "sendfile_cpu.csv", `the download is called ${download.suggestedFilename()}`);
  const lines = readFileSync(await download.path(), "utf8").trim().split("\n");
  expect(lines[0].startsWith("machine,function,parameter,regime,median (ns per iteration),") && lines.length > 100, `the table begins "${lines[0]}"`);
  expect(lines.every((line) => line.split(",").length === lines[0].split(",").length), "a row of the table has other columns");
  await page.context().close();
}

// The other clock of a figure whose page shows one clock alone.
{
  const page = await open("io/batching.html");
  const figure = page.locator("figure.measurement").first();
  const title = await figure.locator("strong").textContent();
  const count = await page.locator("figure.measurement").count();
  expect(await page.locator(".other-clock").count() === 0, "the other clock stays behind its figure");
  await figure.getByRole("button", { name: "Wall time" }).click();
  expect(/wall time/i.test(await figure.locator("strong").textContent()), "the other clock is not shown");
  expect(await figure.locator(".reading").count() === 1, "the other clock cannot be read");
  await figure.getByRole("button", { name: "CPU time" }).click();
  expect(await figure.locator("strong").textContent() === title, "the figure's own clock does not come back");
  expect(await page.locator("figure.measurement").count() === count, "a switch changes the number of figures");
  await page.context().close();
}

// The small figure on the cover has no switches, and is read all the same, without moving what is below it.
for (const width of [1280, 360]) {
  const page = await open("index.html", { viewport: { width, height: 900 } });
  const figure = page.locator(".cover figure.measurement");
  const chart = figure.locator(".chart:visible");
  const reading = figure.locator(".reading");
  const height = async () => (await reading.isVisible() ? (await reading.boundingBox()).height : 0);
  const [hint, room] = [await reading.textContent(), await height()];
  expect(await figure.locator(".switches:visible").count() === 0, `cover (${width} px): switches beside a small figure`);
  await figure.locator("figcaption a").last().focus();
  await page.keyboard.press("Tab");
  expect(await chart.evaluate((svg) => svg === document.activeElement), `cover (${width} px): Tab does not lead from the caption to the chart`);
  for (const key of ["ArrowRight", "ArrowDown", "End"]) {
    const before = await reading.textContent();
    await page.keyboard.press(key);
    const now = await reading.textContent();
    expect(/^\S+, size of the file \S+\s\S+: [\d.]+.\S+ \(/.test(now) && now !== before, `cover (${width} px): ${key} reads "${now}" after "${before}"`);
    expect(await height() === room && room > 0, `cover (${width} px): the read-out is ${await height()} px high, and was ${room}`);
  }
  await page.keyboard.press("Escape");
  expect(await reading.textContent() === hint, `cover (${width} px): the read-out stays`);
  await chart.locator(".values .mark").first().hover({ force: true });
  expect(/: [\d.]+.\S+ \(/.test(await reading.textContent()), `cover (${width} px): a pointer reads nothing`);
  expect(await height() === room, `cover (${width} px): the read-out moves what is below it under a pointer`);
  await page.context().close();
}

// For other eyes and ears.
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
for (const theme of ["light", "navy"]) {
  const page = await open(sendfile, { theme });
  await page.evaluate(axe);
  await page.locator(".chart:visible").first().focus();
  const { violations } = await page.evaluate(() => axe.run("figure.measurement", { resultTypes: ["violations"] }));
  for (const { id, nodes } of violations) find(`${sendfile} (${theme}): axe ${id}: ${nodes[0].html.slice(0, 110)}`);
  await page.context().close();
}

// Without scripts, and on paper.
for (const mode of ["no scripts", "print"]) {
  const page = await open("io/event-loop.html", { javaScriptEnabled: mode === "print" });
  if (mode === "print") await page.emulateMedia({ media: "print" });
  const seen = (selector) => page.locator(`figure.measurement ${selector}:visible`).count();
  expect(await seen(".chart.wide") > 5, `${mode}: no wide drawing`);
  expect(await seen(".switches") + await seen(".reading") === 0, `${mode}: switches without a use`);
  if (mode === "print") expect(await seen("table") === await page.locator("figure.measurement table").count(), "print: a table is folded");
  else expect(await page.locator("figure.measurement .download a[href$='.csv']").count() > 5, "no scripts: no download");
  expect(await page.locator(".other-clock:visible").count() === 0, `${mode}: the other clock is in sight`);
  await page.context().close();
}
await browser.close();

console.log(`${figures} figures: ${findings.size === 0 ? "nothing found" : `${findings.size} findings`}`);
process.exit(findings.size === 0 ? 0 : 1);
