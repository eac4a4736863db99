// Draws book/src/social.png, the picture that other sites show of a link to the book, from social.html. The fonts are those of
// the printed book.
//
//     cargo book build && node .ci/browser/social.mjs

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { launch } from "./browser.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const fonts = here("../../book/book/fonts/");
const face = (weight, part) => {
  const file = readdirSync(fonts).find((name) => name.startsWith(`open-sans-v17-all-charsets-${part}-`) && name.endsWith(".woff2"));
  const data = readFileSync(fonts + file).toString("base64");
  return `@font-face { font-family: "Open Sans"; font-weight: ${weight}; src: url(data:font/woff2;base64,${data}); }`;
};

const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1200, height: 630 } });
await page.setContent(readFileSync(here("social.html"), "utf8"));
await page.addStyleTag({ content: [face(400, "regular"), face(600, "600"), face(700, "700")].join("\n") });
await page.evaluate(() => document.fonts.ready);
await page.screenshot({ path: here("../../book/src/social.png") });
await browser.close();
