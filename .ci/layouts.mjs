// Compares the rules of the page's layout explorer, book/theme/layout.js, with the offsets of the compiler at hand: a thousand
// structs of random fields, each as repr(C) and repr(Rust). The seed is fixed; another one is an argument.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import vm from "node:vm";

vm.runInThisContext(readFileSync(new URL("../book/theme/layout.js", import.meta.url), "utf8"));
const rules = globalThis.structLayouts;

// A small generator of numbers with a seed, mulberry32.
let state = Number(process.argv[2] ?? 1) >>> 0;
function below(n) {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % n;
}

function type() {
  const name = rules.types[below(rules.types.length)];
  return below(6) === 0 ? `[${name}; ${below(20)}]` : name;
}

const structs = Array.from({ length: 1000 }, () =>
  Array.from({ length: 1 + below(9) }, (_, number) => [`f${number}`, type()]));

const declared = (fields) => fields.map(([name, of]) => `${name}: ${of.replaceAll("&", "&'static ")}`).join(", ");
const program = `#![allow(dead_code)]
use std::{mem::{align_of, offset_of, size_of}, num::NonZeroU32, sync::Arc};
${structs.map((fields, number) => `#[repr(C)] struct C${number} { ${declared(fields)} } struct R${number} { ${declared(fields)} }`).join("\n")}
fn main() {
${structs.map((fields, number) => ["C", "R"].map((kind) => {
    const name = `${kind}${number}`;
    const offsets = fields.map(([field]) => `offset_of!(${name}, ${field})`).join(", ");
    return `    println!("{:?}", (size_of::<${name}>(), align_of::<${name}>(), [${offsets}]));`;
  }).join("\n")).join("\n")}
}
`;

const folder = mkdtempSync(join(tmpdir(), "layouts-"));
let lines;
try {
  writeFileSync(join(folder, "main.rs"), program);
  execFileSync("rustc", ["--edition=2024", "-Awarnings", "-o", join(folder, "main"), join(folder, "main.rs")], { stdio: "inherit" });
  lines = execFileSync(join(folder, "main"), { encoding: "utf8" }).trim().split("\n");
} finally {
  rmSync(folder, { recursive: true });
}

let wrong = 0;
structs.forEach((fields, number) => {
  const { fields: parsed, error } = rules.parse(fields.map(([name, of]) => `${name}: ${of}`).join(",\n"));
  for (const [at, rule] of [[0, "c"], [1, "rust"]]) {
    const laid = error ? undefined : rules[rule](parsed);
    const offset = ([name]) => laid.fields.find((field) => field.name === name).offset;
    const ours = laid ? `(${laid.size}, ${laid.align}, [${fields.map(offset).join(", ")}])` : error;
    const theirs = lines[2 * number + at];
    if (ours === theirs) continue;
    wrong += 1;
    if (wrong <= 10) {
      console.error(`${rule} { ${declared(fields)} }\n  the compiler: ${theirs}\n  the page:     ${ours}`);
    }
  }
});
console.log(`${structs.length} structs, each as repr(C) and repr(Rust): ${wrong} differ`);
process.exit(wrong === 0 ? 0 : 1);
