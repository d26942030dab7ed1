/** All units of the code, each density beside N(0, 1), those that say most first. */

import { unitName } from "../live/axes.js";
import { number } from "../live/format.js";
import { haloed, line, Surface } from "../live/surface.js";
import { bell, bellAt, drawDashed, drawFilled, normal } from "./densities.js";

const MOST = 24; // units on a page
const GAP = 6; // px between cells
const WIDEST = 170; // px of a cell
const LABEL = 14; // px for a unit's name
const TICKS = 400; // selected codes of which each unit shows the mean, at most
const DASH = [3, 2.5];

export class Units {
  /** `shared` is the view; it hears `choose({ unit })`. */
  constructor(section, shared) {
    this.shared = shared;
    this.note = section.querySelector(".note");
    this.surface = new Surface(section.querySelector(".stage"), (...canvas) => this.#draw(...canvas));
    const { canvas } = this.surface;
    canvas.onclick = (event) => {
      const unit = this.#at(this.surface.locate(event));
      if (unit !== null) shared.choose({ unit });
    };
    canvas.onpointermove = (event) => {
      canvas.style.cursor = this.#at(this.surface.locate(event)) === null ? "" : "pointer";
    };
    const step = (by) => () => this.#step(by);
    this.surface.onKeys({
      ArrowRight: step(1),
      ArrowLeft: step(-1),
      ArrowDown: () => this.#step(this.columns),
      ArrowUp: () => this.#step(-this.columns),
      Home: () => this.#step(-Infinity),
      End: () => this.#step(Infinity),
    });
  }

  refresh() {
    this.surface.invalidate();
  }

  describe() {
    const { posteriors } = this.shared;
    if (!posteriors) return "Units of the code; none yet.";
    const { order, kl } = posteriors;
    const said = order.slice(0, 6).map((j) => `z${j + 1} ${number(kl[j])}`);
    return `Units by their rate in nats: ${said.join(", ")}${order.length > 6 ? " …" : ""}. Arrow keys choose one.`;
  }

  /** Rates and densities as rows of numbers. */
  numbers() {
    const { posteriors } = this.shared;
    const rows = (posteriors?.order ?? []).flatMap((j) => {
      const [reach, cells] = [posteriors.width[j], posteriors.marginals[j].length];
      return Array.from(posteriors.marginals[j], (density, k) => [
        `z${j + 1}`,
        posteriors.kl[j],
        (reach * ((2 * k + 1) / cells - 1)).toPrecision(6),
        density.toPrecision(6),
      ]);
    });
    return [["unit", "rate", "z", "density"], ...rows];
  }

  close() {
    this.surface.close();
  }

  /** The units on the page of the one chosen. */
  get #page() {
    const { posteriors, unit } = this.shared;
    const page = Math.floor(posteriors.order.indexOf(unit) / MOST);
    return posteriors.order.slice(page * MOST, (page + 1) * MOST);
  }

  /** The unit at a place on the canvas, or null. */
  #at([px, py]) {
    if (!this.shared.posteriors || !this.grid) return null;
    const { wide, high } = this.grid;
    const [column, row] = [Math.floor(px / wide), Math.floor(py / high)];
    return column < this.columns ? (this.#page[row * this.columns + column] ?? null) : null;
  }

  #step(by) {
    const { posteriors, unit } = this.shared;
    if (!posteriors) return;
    const { order } = posteriors;
    const to = Math.min(Math.max(order.indexOf(unit) + by, 0), order.length - 1);
    this.shared.choose({ unit: order[to] });
  }

  #draw(context, width, height) {
    const { posteriors } = this.shared;
    if (!posteriors) return;
    const units = this.#page;
    this.columns = columnsFor(units.length, width, height);
    const rows = Math.ceil(units.length / this.columns);
    const wide = Math.min(width / this.columns, WIDEST);
    const high = Math.min(height / rows, 0.9 * wide);
    this.grid = { wide, high };
    units.forEach((unit, i) => {
      const [left, top] = [(i % this.columns) * wide, Math.floor(i / this.columns) * high];
      this.#drawUnit(context, unit, { left, top, wide: wide - GAP, high: high - GAP });
    });
    const { order } = posteriors;
    const first = order.indexOf(units[0]);
    this.note.textContent =
      order.length > MOST ? `${first + 1}–${first + units.length} of ${order.length}` : "";
    Object.assign(this.surface.canvas.dataset, { units: units.join(), unit: this.shared.unit });
  }

  #drawUnit(context, unit, { left, top, wide, high }) {
    const { theme, posteriors, chosen } = this.shared;
    const values = posteriors.marginals[unit];
    const reach = posteriors.width[unit];
    const base = Math.round(top + high) - 4.5;
    const tall = high - (high > 60 ? LABEL + 8 : 8); // where there is little room, between the labels
    const highest = Math.min(Math.max(normal(0), ...values), 4 * normal(0)); // else the prior is flat
    const x = (z) => left + 3 + ((z / reach + 1) / 2) * (wide - 6);
    const y = (density) => base - (Math.min(density / highest, 1) * tall);
    const small = wide < 80;
    const onPlane = posteriors.axes !== "pca" && posteriors.axes.includes(unit);
    if (unit === this.shared.unit) {
      context.fillStyle = theme.grid;
      context.beginPath();
      context.roundRect(left, top, wide, high, 3);
      context.fill();
    }
    drawFilled(context, values, (i) => x(-reach + ((2 * i + 1) * reach) / values.length), y, base, theme);
    if (!chosen.hidden.includes("prior")) {
      drawDashed(context, bell(reach), (i) => x(bellAt(i, reach)), y, theme, DASH);
    }
    context.lineWidth = 1;
    context.strokeStyle = theme.line;
    line(context, left + 3, base, left + wide - 3, base);
    context.font = theme.face(small ? 11 : 12, onPlane ? 700 : 400);
    context.textBaseline = "top";
    context.textAlign = "left";
    const halo = unit === this.shared.unit ? theme.grid : theme.background;
    haloed(context, unitName(unit), left + 3, top + 1, theme.text, halo);
    context.textAlign = "right";
    context.font = theme.face(11);
    const kl = posteriors.kl[unit];
    const rate = small ? kl.toFixed(kl < 10 ? 2 : 0) : number(kl);
    haloed(context, rate, left + wide - 3, top + 2, theme.muted, halo);
    context.lineWidth = 1;
    for (const i of this.shared.selected.slice(0, TICKS)) {
      context.strokeStyle = this.shared.colorOf(i);
      const at = x(Math.min(Math.max(posteriors.mean(i, unit), -reach), reach));
      line(context, at, base - 5, at, base + 3);
    }
    const focus = this.shared.focused;
    if (focus === undefined) return;
    context.strokeStyle = theme.text;
    context.lineWidth = small ? 1.5 : 2;
    const at = x(Math.min(Math.max(posteriors.mean(focus, unit), -reach), reach));
    line(context, at, top + LABEL, at, base + 4);
  }
}

/** As many columns as make the cells largest. */
function columnsFor(count, width, height) {
  const size = (columns) => {
    const wide = Math.min(width / columns, WIDEST);
    return Math.min(wide, height / Math.ceil(count / columns) / 0.62);
  };
  let best = 1;
  for (let columns = 2; columns <= count; columns++) if (size(columns) > size(best)) best = columns;
  return best;
}
