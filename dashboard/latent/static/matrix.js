/** The covariance of q(z): a map over pairs of units, and its log-determinant. */

import { unitName } from "../live/axes.js";
import { number } from "../live/format.js";
import { css, mix } from "../live/theme.js";
import { write } from "../live/strip.js";
import { Surface } from "../live/surface.js";

const NAMED = 26; // px of a cell that has room for its unit's name
const TOLD = 40; // px of one that has room for its value
const LABEL = 22; // px for the names

export class Matrix {
  /** `shared` is the view; it hears `choose({ plane })`. */
  constructor(section, shared) {
    this.shared = shared;
    this.said = section.querySelector(".note");
    this.tip = section.querySelector(".tip");
    this.pointed = null;
    this.surface = new Surface(
      section.querySelector(".stage"),
      (...canvas) => this.#draw(...canvas),
      (context) => this.#drawOver(context),
    );
    const { canvas } = this.surface;
    canvas.onpointermove = (event) => this.#point(this.#at(this.surface.locate(event)));
    canvas.onpointerleave = () => this.#point(null);
    canvas.onclick = (event) => this.#choose(this.#at(this.surface.locate(event)));
    const go = (dx, dy) => () => this.#move(dx, dy);
    this.surface.onKeys({
      ArrowLeft: go(-1, 0),
      ArrowRight: go(1, 0),
      ArrowUp: go(0, -1),
      ArrowDown: go(0, 1),
      Enter: () => this.#choose(this.pointed),
    });
  }

  refresh() {
    const { posteriors } = this.shared;
    write(this.said, posteriors ? `log det ${number(posteriors.log_det)}` : "");
    this.surface.invalidate();
  }

  describe() {
    const { posteriors } = this.shared;
    if (!posteriors) return "Covariance of q(z); no codes yet.";
    return `Covariance of q(z), log det ${number(posteriors.log_det)} nats; that of the prior is 0. Arrow keys go through pairs of units, Enter shows one on the plane.`;
  }

  /** The matrix as rows of numbers. */
  numbers() {
    if (!this.shared.posteriors) return [];
    const names = this.#units.map((unit) => `z${unit + 1}`);
    const { covariance } = this.shared.posteriors;
    return [["", ...names], ...covariance.map((row, k) => [names[k], ...Array.from(row, (v) => v.toPrecision(6))])];
  }

  close() {
    this.surface.close();
  }

  get #units() {
    return this.shared.posteriors.order.slice(0, this.shared.posteriors.covariance.length);
  }

  /** The cell at a place, [row, column], or null. */
  #at([px, py]) {
    if (!this.grid || !this.shared.posteriors) return null;
    const { left, top, size } = this.grid;
    const [column, row] = [Math.floor((px - left) / size), Math.floor((py - top) / size)];
    const inside = (k) => k >= 0 && k < this.#units.length;
    return inside(row) && inside(column) ? [row, column] : null;
  }

  #point(cell) {
    if (String(cell) === String(this.pointed)) return;
    this.pointed = cell;
    this.surface.canvas.style.cursor = cell && cell[0] !== cell[1] ? "pointer" : "";
    this.surface.invalidateOver();
  }

  #move(dx, dy) {
    if (!this.shared.posteriors) return;
    const last = this.#units.length - 1;
    const [row, column] = this.pointed ?? [0, -dx];
    const clamp = (k) => Math.min(Math.max(k, 0), last);
    this.#point([clamp(row + dy), clamp(column + dx)]);
  }

  #choose(cell) {
    if (!cell || cell[0] === cell[1]) return;
    const units = this.#units;
    this.shared.choose({ plane: `${units[cell[1]]},${units[cell[0]]}`, unit: units[cell[1]] });
  }

  #draw(context, width, height) {
    const { theme, posteriors } = this.shared;
    if (!posteriors) return;
    const { covariance } = posteriors;
    const units = this.#units;
    const n = units.length;
    const roomy = (Math.min(width, height) - LABEL - 1) / n;
    const label = roomy >= 13 ? LABEL : 1;
    const size = Math.min(width - label - 1, height - label - 1) / n;
    const left = label + Math.max(1, (width - label - size * n) / 2);
    this.grid = { left, top: label, size };
    const { few, many, paper } = theme;
    const range = Math.max(1, ...covariance.map((row, k) => Math.min(row[k], 2)));
    covariance.forEach((row, i) =>
      row.forEach((value, j) => {
        const share = Math.min(Math.abs(value) / range, 1);
        context.fillStyle = css(mix(paper, value < 0 ? few : many, 0.75 * share));
        const [x, y] = [left + j * size, label + i * size];
        context.fillRect(x, y, size + 0.5, size + 0.5);
        if (size < TOLD) return;
        context.font = theme.face(13);
        context.textAlign = "center";
        context.textBaseline = "middle";
        context.fillStyle = theme.text;
        context.fillText(number(value, 2), x + size / 2, y + size / 2);
      }),
    );
    context.strokeStyle = theme.line;
    context.lineWidth = 1;
    context.strokeRect(left - 0.5, label - 0.5, size * n + 1, size * n + 1);
    if (label < LABEL) return;
    context.font = theme.face(11);
    context.fillStyle = theme.muted;
    context.textBaseline = "middle";
    const every = Math.ceil(NAMED / size / 1.4);
    units.forEach((unit, k) => {
      if (k % every) return;
      const name = unitName(unit);
      context.textAlign = "center";
      context.fillText(name, left + (k + 0.5) * size, label / 2);
      context.textAlign = "right";
      context.fillText(name, left - 4, label + (k + 0.5) * size);
    });
  }

  #drawOver(context) {
    const { theme, posteriors } = this.shared;
    this.tip.hidden = !this.pointed || !posteriors;
    if (this.tip.hidden) return;
    const { left, top, size } = this.grid;
    const [row, column] = this.pointed;
    const [x, y] = [left + column * size, top + row * size];
    context.strokeStyle = theme.text;
    context.lineWidth = 2;
    context.strokeRect(x, y, size, size);
    const [a, b] = [row, column].map((k) => unitName(this.#units[k]));
    const name = row === column ? `Var ${a}` : `Cov(${a}, ${b})`;
    write(this.tip, `${name} = ${number(posteriors.covariance[row][column])}`);
    const { offsetWidth: w, offsetHeight: h } = this.tip;
    const { width } = this.surface;
    const at = [Math.min(Math.max(x + size / 2 - w / 2, 0), width - w), y > h + 6 ? y - h - 4 : y + size + 4];
    this.tip.style.transform = `translate(${at[0]}px, ${at[1]}px)`;
  }
}
