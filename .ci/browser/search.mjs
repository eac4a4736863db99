// Searches the printed book as readers do: each technique by its name, and by a question that it answers, must be among the
// first results.
//
//     node search.mjs http://127.0.0.1:3000/

import { Findings, launch, open, pages, widths } from "./browser.mjs";

const base = process.argv[2];
if (!base) {
  console.error("usage: node search.mjs http://127.0.0.1:PORT/");
  process.exit(2);
}
// A reader looks no further than this many results.
const FIRST = 10;
// The pages of parts that are chapters, but of no technique.
const prose = ["index", "figures"];

// What a reader would type who does not know the technique's name, for each chapter.
const questions = {
  "measuring/limits": "how fast is memory on this machine",
  "measuring/benchmarking": "is my benchmark wrong",
  "measuring/monitor": "metrics of a running server",
  "measuring/tools": "which profiler shows where time goes",
  "zero-copy/copies": "how much does copying memory cost",
  "zero-copy/sendfile": "fastest way to send a file to a socket",
  "zero-copy/splice": "forward data between two sockets",
  "zero-copy/copy-file-range": "copy a file inside the kernel",
  "zero-copy/mmap": "is reading a mapped file faster than read",
  "zero-copy/msg-zerocopy": "send from memory without a copy",
  "zero-copy/which-one": "which one when from a file to a socket",
  "memory/layout": "why is my struct so large",
  "memory/cache-lines": "false sharing",
  "memory/allocation": "cost of malloc and free",
  "memory/object-pool": "is a pool faster than the allocator",
  "memory/which-one": "which memory technique when",
  "concurrency/sharing": "is an atomic counter faster than a mutex",
  "concurrency/ring-buffer": "lock-free queue between two threads",
  "concurrency/worker-pool": "how many threads in a pool",
  "concurrency/which-one": "concurrency which one when",
  "io/event-loop": "epoll many connections",
  "io/async-io": "is io_uring faster than epoll",
  "io/power-loss": "does fsync survive power loss",
  "io/batching": "fewer system calls for many writes",
  "io/group-commit": "how to make fsync cheaper",
  "io/which-one": "which I/O interface when",
};

const findings = new Findings();
const browser = await launch();
const page = await browser.newPage({ viewport: widths.wide });

async function results(words) {
  await page.fill("#mdbook-searchbar", words);
  await page.press("#mdbook-searchbar", "End");
  await page.waitForFunction((term) => document.getElementById("mdbook-searchresults-header").textContent.includes(`'${term}'`), words);
  return page.evaluate(() => [...document.querySelectorAll("#mdbook-searchresults a")].map((a) => new URL(a.href).pathname.slice(1)));
}

async function search(chapters) {
  await open(page, base);
  await page.keyboard.press("/");
  await page.waitForFunction(() => !document.querySelector("#mdbook-searchbar-outer").classList.contains("searching"));
  for (const path of chapters) {
    const question = questions[path.replace(".html", "")];
    if (!question) findings.add("search.mjs", `has no question for ${path}`);
    const name = path.replace(/.*\/|\.html$/g, "").replaceAll("-", " ");
    // The pages that compare techniques share a name.
    for (const words of [name === "which one" ? null : name, question].filter(Boolean)) {
      const found = (await results(words)).slice(0, FIRST);
      if (!found.includes(path)) findings.add(`searching for “${words}”`, `${path} is not among the first: ${found.join(", ") || "nothing"}`);
    }
  }
}

const all = await pages(base);
const chapters = all.filter((path) => /^[a-z-]+\/[a-z-]+\.html$/.test(path) && !path.startsWith("machines/"))
  .filter((path) => !prose.some((name) => path.endsWith(`/${name}.html`)));
if (chapters.length < 10) findings.add("toc.html", `lists only ${chapters.length} chapters`);
await search(chapters);
await browser.close();
findings.end(`${chapters.length} chapters searched`);
