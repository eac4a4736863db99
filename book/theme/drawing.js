// Redraws the press's charts: wider, where one machine has the whole column, and on a linear axis instead of a logarithmic one. The
// press writes where both axes lie into the drawing, so that only places move and nothing is drawn anew but the linear axis.

"use strict";

class Drawing {
  // The widths of the press's drawings, and the space between a drawing's lines and their names.
  static WIDE = 720;
  static ROW = 13;

  constructor(svg) {
    this.svg = svg;
    this.width = svg.viewBox.baseVal.width;
    this.height = svg.viewBox.baseVal.height;
    [this.left, this.right] = svg.dataset.sides.split(" ").map(Number);
    const [direction, ...numbers] = (svg.dataset.axes ?? "").split(" ");
    [this.from, this.to, this.start, this.end, this.low, this.high, this.last] = numbers.map(Number);
    this.direction = direction;
    // Everything with a place, as it was printed.
    this.pieces = [...svg.querySelectorAll("path, text")].map((element) => ({
      element,
      d: element.getAttribute("d"),
      x: element.getAttribute("x"),
      y: element.getAttribute("y"),
      carriesValue: element.closest("g[class^=s], g.values") !== null,
    }));
    this.scale = svg.querySelector(".scale");
  }

  hasLinear() {
    return this.direction !== "";
  }

  // Moves everything to its place.
  redraw(wide, linear) {
    const width = wide ? Math.max(this.width, Drawing.WIDE) : this.width;
    const [, , , height] = this.svg.getAttribute("viewBox").split(" ");
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const extra = width - this.width;
    const stretched = (x) => {
      if (x <= this.left) return x;
      if (x >= this.right) return x + extra;
      return this.left + ((x - this.left) * (this.right - this.left + extra)) / (this.right - this.left);
    };
    // The place of a value on the linear axis, from its place on the logarithmic one.
    const moved = (place) => {
      const share = (place - this.from) / (this.to - this.from);
      const value = this.low * Math.pow(this.high / this.low, share);
      return this.start + (value / this.last) * (this.end - this.start);
    };
    const upright = (y) => (linear && this.direction === "y" ? moved(y) : y);
    const lying = (x) => stretched(linear && this.direction === "x" && x > this.left ? moved(x) : x);

    for (const { element, d, x, y } of this.pieces) {
      if (d === null) {
        element.setAttribute("x", x);
        element.setAttribute("y", y);
      } else element.setAttribute("d", d);
    }
    this.axis(linear, stretched);
    if (extra === 0 && !linear) return;
    for (const { element, d, x, carriesValue } of this.pieces) {
      const [across, down] = carriesValue ? [lying, upright] : [stretched, (y) => y];
      if (d === null) element.setAttribute("x", across(Number(x)).toFixed(1));
      else element.setAttribute("d", Drawing.mapped(d, across, down));
    }
    if (linear) this.labels(upright);
  }

  // Maps the absolute coordinates of a path; the relative ones are shapes and keep theirs.
  static mapped(d, across, down) {
    return d.replace(/([MLHV])([-\d.]+)(?: ([-\d.]+))?/g, (_, command, first, second) => {
      const [one, two] = [Number(first), Number(second)];
      if (command === "H") return `H${across(one).toFixed(1)}`;
      if (command === "V") return `V${down(one).toFixed(1)}`;
      return `${command}${across(one).toFixed(1)} ${down(two).toFixed(1)}`;
    });
  }

  // Moves the names at the ends of lines along with the lines, apart from each other.
  labels(upright) {
    const piece = (element) => this.pieces.find((piece) => piece.element === element);
    const ends = [...this.svg.querySelectorAll("g.end")].map((group) => {
      const [, y, at] = piece(group.querySelector(".leader")).d.match(/M\S+ ([-\d.]+)L\S+ ([-\d.]+)/);
      const rows = group.querySelectorAll("text").length;
      return { group, at: Number(at), y: upright(Number(y)), half: (rows * Drawing.ROW + 2) / 2 };
    });
    ends.sort((a, b) => a.y - b.y || a.at - b.at);
    ends.forEach((end, i) => {
      const above = ends[i - 1];
      end.place = above ? Math.max(end.y, above.place + above.half + end.half) : end.y;
    });
    let limit = this.height - 38;
    for (const end of ends.reverse()) {
      end.place = Math.min(end.place, limit - end.half);
      limit = end.place - end.half;
      const shift = end.place - end.at;
      for (const element of end.group.children) {
        const isLeader = element.classList.contains("leader");
        if (element.tagName === "text") element.setAttribute("y", (Number(piece(element).y) + shift).toFixed(1));
        else if (!isLeader) element.setAttribute("d", element.getAttribute("d").replace(/^(M\S+ )([-\d.]+)/, `$1${end.place.toFixed(1)}`));
        else element.setAttribute("d", element.getAttribute("d").replace(/ ([-\d.]+)L(\S+) .*/, ` ${end.y.toFixed(1)}L$2 ${end.place.toFixed(1)}`));
      }
    }
  }

  // Shows the printed labels of the value axis, or those of the linear one.
  axis(linear, stretched) {
    this.svg.querySelector(".scale.linear")?.remove();
    this.svg.classList.toggle("linear", linear);
    if (!linear) return;
    const group = this.scale.cloneNode(false);
    group.classList.add("linear");
    const [, left, top, , end] = this.scale.querySelector(".grid").getAttribute("d").match(/M(\S+) ([\d.]+)([HV])(\S+)/);
    for (const tick of this.svg.dataset.linear.split("|")) {
      const [, place, label] = tick.match(/(\S+) (.*)/);
      const at = this.direction === "x" ? stretched(Number(place)) : Number(place);
      const [d, x, y, kind] = this.direction === "y"
        ? [`M${left} ${at}H${end}`, left - 8, at + 4, "tick end"]
        : [`M${at} ${top}V${end}`, at, Number(end) + 17, at < 22 ? "tick" : at > stretched(this.right) - 24 ? "tick end" : "tick middle"];
      group.append(Drawing.element("path", { class: "grid", d }), Drawing.element("text", { class: kind, x, y }, label));
    }
    this.scale.after(group);
  }

  // Creates an element of a drawing.
  static element(name, attributes, text = "") {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    return element;
  }
}
