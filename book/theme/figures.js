// Makes the figures answer: reads out a point under the pointer or by arrow keys, shows one machine at a time, turns a logarithmic axis
// into a linear one, and puts wall time in the place of CPU time where both are recorded. It reads the values from the tables below the
// charts. Without this script, every panel, value and download is there as well.

"use strict";

(() => {
  const HINT = "Point at a chart, or focus it and press an arrow key, to read a value.";
  const roomy = matchMedia("(min-width: 780px)");

  // Creates an element of a page.
  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  // The cells of a table that hold a value, in the order of the markers in its chart: row by row, or for lines column by column.
  function cells(table, byColumn) {
    const rows = [...table.tBodies[0].rows];
    const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    const all = rows.flatMap((row) => [...row.cells].slice(1).map((cell, column) => ({ row, cell, column })));
    if (byColumn) all.sort((a, b) => a.column - b.column);
    return all.filter(({ cell }) => !cell.classList.contains("missing")).map(({ row, cell, column }) => {
      const head = row.cells[0];
      const named = head.querySelector("code") !== null;
      const series = named ? head.textContent : heads[column + 1];
      const parameter = named ? "" : `, ${heads[0].toLowerCase()} ${head.textContent}`;
      return { series, parameter: head.textContent, text: `${series}${parameter}: ${cell.textContent.trim().replace(/\s+/g, " ")}` };
    });
  }

  // One drawing of a panel, whose points can be read.
  class Chart {
    constructor(svg, table, machine, say) {
      this.svg = svg;
      this.say = say;
      this.machine = machine;
      this.drawing = new Drawing(svg);
      this.lines = svg.querySelector("g.end") !== null;
      const values = cells(table, this.lines);
      this.points = [...svg.querySelectorAll(".values .mark")].map((mark, i) => ({ mark, ...values[i] }));
      svg.setAttribute("tabindex", "0");
      svg.setAttribute("role", "application");
      svg.setAttribute("aria-roledescription", "chart");
      svg.setAttribute("aria-label", `${svg.getAttribute("aria-label")} Arrow keys read its points.`);
      svg.addEventListener("keydown", (event) => this.key(event));
      svg.addEventListener("focus", () => this.show(this.at ?? 0));
      svg.addEventListener("blur", () => this.clear());
      for (const type of ["pointermove", "pointerdown"]) svg.addEventListener(type, (event) => this.point(event));
      svg.addEventListener("pointerleave", () => document.activeElement !== svg && this.clear());
    }

    place(i) {
      return this.points[i].mark.getAttribute("d").match(/M(\S+) ([-\d.]+)/).slice(1).map(Number);
    }

    show(i) {
      this.at = i;
      const [cx, cy] = this.place(i);
      this.cursor ??= Drawing.element("circle", { class: "cursor", r: 8 });
      this.cursor.setAttribute("cx", cx);
      this.cursor.setAttribute("cy", cy);
      this.svg.append(this.cursor);
      this.say(`${this.points[i].text}, ${this.machine}`);
    }

    clear() {
      this.cursor?.remove();
      this.say(HINT);
    }

    // Shows the point nearest to the pointer.
    point(event) {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
      const distance = (i) => {
        const [x, y] = this.place(i);
        // A row of bars is a target along its whole length.
        return this.lines ? Math.hypot(at.x - x, at.y - y) : Math.abs(at.y - y);
      };
      const nearest = this.points.map((_, i) => i).reduce((best, i) => (distance(i) < distance(best) ? i : best), 0);
      if (distance(nearest) < 40 && nearest !== this.shown()) this.show(nearest);
    }

    shown() {
      return this.cursor?.isConnected ? this.at : undefined;
    }

    key(event) {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.key === "Escape") this.svg.blur();
      else {
        const to = this.lines ? this.alongLines(event.key) : this.alongRows(event.key);
        if (to === undefined) return;
        this.show(to);
      }
      event.preventDefault();
      event.stopPropagation(); // or mdBook turns the page
    }

    // The point that a key leads to from the present one; the same at an edge.
    alongRows(key) {
      const last = this.points.length - 1;
      switch (key) {
        case "ArrowLeft": case "ArrowUp": return Math.max(this.at - 1, 0);
        case "ArrowRight": case "ArrowDown": return Math.min(this.at + 1, last);
        case "Home": return 0;
        case "End": return last;
      }
    }

    alongLines(key) {
      const now = this.points[this.at];
      const all = this.points.map((point, i) => ({ ...point, i, place: this.place(i) }));
      const own = all.filter((point) => point.series === now.series);
      const column = all.filter((point) => point.parameter === now.parameter).sort((a, b) => a.place[1] - b.place[1]);
      const step = (list, by) => {
        const here = list.findIndex((point) => point.i === this.at);
        return list[Math.min(Math.max(here + by, 0), list.length - 1)].i;
      };
      switch (key) {
        case "ArrowLeft": return step(own, -1);
        case "ArrowRight": return step(own, 1);
        case "ArrowUp": return step(column, -1);
        case "ArrowDown": return step(column, 1);
        case "Home": return own[0].i;
        case "End": return own.at(-1).i;
      }
    }
  }

  // A row of buttons of which one is pressed.
  function choice(label, names, chosen, choose) {
    const group = element("div", { class: "switch", role: "group", "aria-label": label });
    names.forEach((name, i) => {
      const button = element("button", { type: "button", "aria-pressed": String(i === chosen) }, name);
      button.addEventListener("click", () => {
        for (const other of group.children) other.setAttribute("aria-pressed", String(other === button));
        choose(i);
      });
      group.append(button);
    });
    return group;
  }

  // Adds reading and switches to a figure as the press printed it.
  function enliven(figure) {
    const tables = [...figure.querySelectorAll(".numbers table")];
    const panels = [...figure.querySelectorAll(".panel")];
    const drawn = panels.filter((panel) => panel.querySelector(".chart"));
    if (drawn.length === 0) return;
    const reading = element("p", { class: "reading", "aria-live": "polite" }, HINT);
    const say = (text) => text === reading.textContent || (reading.textContent = text);
    const charts = drawn.flatMap((panel, i) =>
      [...panel.querySelectorAll(".chart")].map((svg) => new Chart(svg, tables[i], panel.dataset.machine, say)));
    figure.querySelector(".panels").after(reading);

    let only = -1;
    let linear = false;
    const several = panels.length > 1;
    const apply = () => {
      figure.querySelector(".panels").classList.toggle("one", only >= 0);
      panels.forEach((panel, i) => (panel.hidden = only >= 0 && only !== i));
      for (const { drawing } of charts) drawing.redraw(several && only >= 0 && roomy.matches, linear && drawing.hasLinear());
    };
    const bar = element("div", { class: "switches" });
    if (several) {
      const names = ["All machines", ...panels.map((panel) => panel.dataset.machine)];
      bar.append(choice("Machine", names, 0, (i) => { only = i - 1; apply(); }));
    }
    if (charts.some(({ drawing }) => drawing.hasLinear())) {
      bar.append(choice("Value axis", ["Logarithmic", "Linear"], 0, (i) => { linear = i === 1; apply(); }));
    }
    roomy.addEventListener("change", () => figure.contains(bar) && apply());
    figure.querySelector("figcaption").after(bar);
  }

  const figures = [...document.querySelectorAll("figure.measurement")].filter((figure) => figure.closest(".other-clock") === null);
  const printed = new Map(figures.toReversed().map((figure) => [figure.dataset.group, figure.innerHTML]));
  for (const figure of figures) {
    const own = figure.innerHTML;
    const cpu = figure.dataset.group.endsWith("_cpu");
    // Printed behind the figure where no figure of the page shows it.
    const behind = figure.nextElementSibling;
    const aside = behind?.matches(".other-clock") ? behind.firstElementChild.innerHTML : undefined;
    if (aside !== undefined) behind.remove();
    const other = aside ?? printed.get(cpu ? figure.dataset.group.slice(0, -4) : `${figure.dataset.group}_cpu`);
    const clocks = cpu ? [own, other] : [other, own];
    const show = (i) => {
      figure.innerHTML = clocks[i];
      enliven(figure);
      figure.querySelector(".switches").prepend(choice("Clock", ["CPU time", "Wall time"], i, (i) => {
        show(i);
        figure.querySelectorAll(".switches button")[i].focus();
      }));
    };
    if (other === undefined || !figure.querySelector(".chart")) enliven(figure);
    else show(cpu ? 0 : 1);
  }
})();
