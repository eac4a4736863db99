// Takes the README's picture, book/chapter.png: the first page of the printed book, without the sidebar.
//
//     node picture.mjs http://127.0.0.1:3000/ book/chapter.png

import { launch } from "./browser.mjs";

const [base, file] = process.argv.slice(2);
if (!file) {
  console.error("usage: node picture.mjs http://127.0.0.1:PORT/ FILE");
  process.exit(2);
}
const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
// A font that comes late is used from the second visit on.
for (let visit = 0; visit < 3; visit += 1) {
  await page.goto(new URL("index.html", base).href);
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(500);
}
await page.screenshot({ path: file, clip: { x: 340, y: 50, width: 900, height: 850 } });
await browser.close();
