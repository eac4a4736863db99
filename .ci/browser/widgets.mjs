// Plays with the explorer of layouts and steps through the ring, as a reader does, by keyboard.
//
//     node widgets.mjs http://127.0.0.1:3000/
//
// Prints a line for every finding and exits with 1 if there is one.

import { launch } from "./browser.mjs";


const base = process.argv[2];
if (!base) {
  console.error("usage: node widgets.mjs http://127.0.0.1:PORT/");
  process.exit(2);
}
const browser = await launch();
const findings = [];
const expect = (what, found, wanted) => {
  if (String(found) !== String(wanted)) findings.push(`${what}: ${found} instead of ${wanted}`);
};

const page = await browser.newPage();
page.on("pageerror", (error) => findings.push(`a script fails: ${error.message}`));

await page.goto(new URL("memory/layout.html", base).href);
const explorer = page.locator(".explore-layout");
const sizes = () => explorer.locator("[data-size]").evaluateAll((all) => all.map((one) => one.dataset.size).join(" "));
expect("the event's sizes", await sizes(), "24 16 24");
await page.getByLabel("Fields of a struct").focus();
await page.keyboard.press("Control+a");
// The address stays: arrow keys belong to the field.
const address = page.url();
await page.keyboard.type("struct Free { pub a: Option<Box<u64>>, b: bool, c: String, d: [char; 3] }");
await page.keyboard.press("ArrowRight");
await page.keyboard.press("ArrowLeft");
expect("the address after arrow keys", page.url(), address);
expect("the sizes of what was typed", await sizes(), "56 48 48");
await page.keyboard.type("!");
await page.keyboard.press("Control+a");
await page.keyboard.type("a: Strange");
expect("what is said of an unknown type", await explorer.locator(".said").textContent(),
  '"Strange" is not among the types that this page knows');

await page.goto(new URL("concurrency/ring-buffer.html", base).href);
const ring = page.locator(".step-ring");
const press = async (name) => {
  await ring.getByRole("button", { name, exact: true }).focus();
  await page.keyboard.press("Enter");
};
const sum = () => ring.locator(".sum").textContent();
for (let i = 0; i < 4; i += 1) {
  await press("Push");
  await press("Pop");
}
const alone = await sum();
await press("Start over");
for (let i = 0; i < 5; i += 1) await press("Push");
expect("what is said of a full ring", await ring.locator(".said").textContent(),
  "The producer reads head: the ring is full. Lines that move: head.");
for (let i = 0; i < 4; i += 1) await press("Pop");
const together = await sum();
const moved = (text) => Number(/moved: (\d+)/.exec(text)?.[1]);
if (!(moved(together) < moved(alone))) findings.push(`four items at once move as many lines: ${together} ${alone}`);
await press("Pop");
expect("what is said of an empty ring", (await ring.locator(".said").textContent()).split(".")[0],
  "The consumer reads tail: the ring is empty");

await browser.close();
findings.forEach((finding) => console.log(finding));
console.log(`the explorer of layouts and the ring: ${findings.length} findings`);
process.exit(findings.length === 0 ? 0 : 1);
