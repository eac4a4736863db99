// Reads /metrics once a second, and draws each metric: counters as rates, gauges as they are, histograms as two
// percentiles of the last second. No library, and nothing from elsewhere.
"use strict";

const INTERVAL = 1000;
const KEPT = 60;
const MOST_LINES = 6;
const DASHES = ["", "6 3", "2 3", "8 3 2 3", "4 2", "1 2"];

// Parses the text format into metrics by name: {help, type, series: label text -> number}, where a histogram's series are
// {buckets: [[bound, count]...], count}.
function parse(text) {
  const metrics = new Map();
  const about = (name) => {
    if (!metrics.has(name)) metrics.set(name, { help: "", type: "untyped", series: new Map() });
    return metrics.get(name);
  };
  const owner = (name) => {
    for (const suffix of ["_bucket", "_sum", "_count"]) {
      const family = name.endsWith(suffix) && metrics.get(name.slice(0, -suffix.length));
      if (family && family.type === "histogram") return [family, suffix];
    }
    return [about(name), ""];
  };
  for (const line of text.split("\n")) {
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (comment) {
      about(comment[2])[comment[1].toLowerCase()] = comment[3];
      continue;
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)/.exec(line);
    if (!sample) continue;
    const [, name, labelText = "", number] = sample;
    const labels = [...labelText.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
      .map(([, label, value]) => [label, value.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c))]);
    const key = labels.filter(([label]) => label !== "le").map(([label, value]) => `${label}=${value}`).join(", ");
    const value = number === "+Inf" ? Infinity : number === "-Inf" ? -Infinity : Number(number);
    const [family, suffix] = owner(name);
    if (family.type !== "histogram") {
      family.series.set(key, value);
      continue;
    }
    if (!family.series.has(key)) family.series.set(key, { buckets: [], count: 0 });
    const series = family.series.get(key);
    if (suffix === "_bucket") {
      const bound = labels.find(([label]) => label === "le")[1];
      series.buckets.push([bound === "+Inf" ? Infinity : Number(bound), value]);
    } else if (suffix === "_count") series.count = value;
  }
  return metrics;
}

// Returns the value below which the share of the observations between two readings lies: linear inside a bucket, and the
// largest bound for those above all bounds.
function quantile(before, now, share) {
  const counts = now.buckets.map(([bound, count], i) => [bound, count - (before?.buckets[i]?.[1] ?? 0)]);
  const all = counts.length ? counts[counts.length - 1][1] : 0;
  if (all <= 0) return NaN;
  let [low, below] = [0, 0];
  for (const [bound, count] of counts) {
    if (count >= share * all) {
      if (bound === Infinity) return low;
      return low + (bound - low) * ((share * all - below) / (count - below));
    }
    [low, below] = [bound, count];
  }
  return low;
}

const UNITS = {
  seconds: [[1, " s"], [1e-3, " ms"], [1e-6, " µs"], [1e-9, " ns"]],
  bytes: [[2 ** 30, " GiB"], [2 ** 20, " MiB"], [2 ** 10, " KiB"], [1, " B"]],
  share: [[0.01, " %"]],
  "": [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]],
};

// Returns the size and the name of the unit that suits a number.
const scale = (value, unit) => UNITS[unit].find(([size]) => Math.abs(value) >= size) ?? UNITS[unit].at(-1);

// Formats a number with three digits and its unit.
function format(value, unit) {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const [size, name] = scale(value, unit);
  const number = value / size;
  return (Math.abs(number) >= 100 ? number.toFixed(0) : String(Number(number.toPrecision(3)))) + name;
}

// Returns the next 1, 2 or 5 above a number, in its unit.
function ceiling(value, unit) {
  if (!(value > 0)) return 1;
  const [size] = scale(value, unit);
  const power = size * 10 ** Math.floor(Math.log10(value / size));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? value;
}

const svg = (name, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};
const html = (name, text = "", attributes = {}) => Object.assign(document.createElement(name), { textContent: text }, attributes);

// The card of a metric: its heading, its plot, and a line of the legend for each series.
class Card {
  constructor(name, { help, type }) {
    const unit = /_(seconds|bytes)(_total)?$/.exec(name)?.[1] ?? "";
    // Seconds each second are a share of the time, or cores.
    const [rate, suffix] = unit !== "seconds" ? [unit, "/s"] : /_cpu_/.test(name) ? ["", " cores"] : ["share", ""];
    [this.unit, this.suffix] = type === "counter" ? [rate, suffix] : [unit, ""];
    this.lines = new Map();
    this.name = name;
    this.figure = html("figure");
    const caption = html("figcaption");
    caption.append(html("h2", name), html("p", help));
    this.top = html("span", "", { className: "top" });
    this.plot = svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img" });
    const box = html("div", "", { className: "plot" });
    box.append(this.top, this.plot);
    this.legend = html("ul");
    this.figure.append(caption, box, this.legend);
  }

  add(label, value) {
    if (!this.lines.has(label)) {
      if (this.lines.size >= MOST_LINES) return;
      const index = this.lines.size;
      const style = { class: "line", "stroke-dasharray": DASHES[index] };
      const key = svg("svg", { viewBox: "0 0 26 8", "aria-hidden": "true" });
      const item = html("li");
      const value = html("b");
      item.append(key, html("span", label || "all"), value);
      this.legend.append(item);
      const line = svg("polyline", style);
      const sample = svg("path", { ...style, d: "M0 4H26" });
      for (const element of [line, sample]) element.style.stroke = `var(--line-${index})`;
      key.append(sample);
      this.lines.set(label, { line, value, values: [] });
    }
    const { values } = this.lines.get(label);
    values.push(value);
    if (values.length > KEPT) values.shift();
  }

  draw() {
    const all = [...this.lines.values()].flatMap(({ values }) => values).filter(Number.isFinite);
    const top = ceiling(Math.max(...all, 0), this.unit);
    this.top.textContent = format(top, this.unit) + this.suffix;
    this.plot.replaceChildren(...[0, 50, 100].map((y) => svg("path", { class: "grid", d: `M0 ${y}H100` })));
    const words = [];
    for (const [label, { line, value, values }] of this.lines) {
      const points = values.map((v, i) => [100 - (values.length - 1 - i) * (100 / (KEPT - 1)), 100 - (100 * v) / top]);
      line.setAttribute("points", points.filter(([, y]) => Number.isFinite(y)).map((p) => p.map((n) => n.toFixed(2)).join()).join(" "));
      this.plot.append(line);
      const last = values[values.length - 1];
      value.textContent = format(last, this.unit) + (Number.isNaN(last) ? "" : this.suffix);
      words.push(`${label || "now"}: ${value.textContent}`);
    }
    this.plot.setAttribute("aria-label", `${this.name} over the last minute. ${words.join("; ")}.`);
  }
}

const cards = new Map();
let before = null;

function show(metrics, time) {
  const seconds = before ? (time - before.time) / 1000 : NaN;
  for (const [name, metric] of metrics) {
    if (metric.series.size === 0) continue;
    if (!cards.has(name)) cards.set(name, new Card(name, metric));
    const card = cards.get(name);
    for (const [label, now] of metric.series) {
      const last = before?.metrics.get(name)?.series.get(label);
      if (metric.type === "histogram") {
        for (const [share, percentile] of [[0.5, "p50"], [0.99, "p99"]]) {
          card.add([label, percentile].filter(Boolean).join(", "), quantile(last, now, share));
        }
      } else if (metric.type === "counter") {
        // A series that was not there has counted from 0; a smaller number is that of a new process.
        if (before) card.add(label, Math.max(0, now - (last ?? 0)) / seconds);
      } else card.add(label, now);
    }
    card.draw();
  }
  const rank = (name) => (name.startsWith("monitor_") ? 2 : /^(process|pressure)_/.test(name) ? 1 : 0);
  const order = [...cards.values()].filter((card) => card.lines.size > 0).sort((a, b) => rank(a.name) - rank(b.name));
  const main = document.querySelector("#cards");
  order.forEach((card, i) => main.children[i] !== card.figure && main.insertBefore(card.figure, main.children[i] ?? null));
  before = { metrics, time };
}

const state = document.querySelector("#state");
const pause = document.querySelector("#pause");
let isPaused = false;

async function poll() {
  if (isPaused) return;
  try {
    const answer = await fetch("metrics", { headers: { accept: "text/plain; version=0.0.4" }, signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
    const metrics = parse(await answer.text());
    show(metrics, performance.now());
    state.classList.remove("is-bad");
    state.textContent = "live";
  } catch (error) {
    state.classList.add("is-bad");
    state.textContent = `no numbers: ${error.message}`;
  }
}

pause.addEventListener("click", () => {
  isPaused = !isPaused;
  pause.setAttribute("aria-pressed", String(isPaused));
  pause.textContent = isPaused ? "Go on" : "Pause";
  state.textContent = isPaused ? "paused" : "live";
  if (isPaused) before = null;
});

// The next reading begins when the last one has ended: a slow server has one at a time.
(async () => {
  for (;;) {
    await poll();
    await new Promise((done) => setTimeout(done, INTERVAL));
  }
})();
