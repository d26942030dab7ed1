/** A histogram of how much each unit's mean says of the images, with a threshold to move. */

import { Address } from "../live/address.js";
import { unitName } from "../live/axes.js";
import { number, tick } from "../live/format.js";
import { drawSteps } from "../live/plots.js";
import { offersOf, SaveMenu } from "../live/saving.js";
import { LOG, Scale } from "../live/scale.js";
import { write } from "../live/strip.js";
import { Surface, line } from "../live/surface.js";
import { Theme } from "../live/theme.js";

const LEFT = 16; // px, as in the style sheet
const RIGHT = 16;
const TOP = 34; // px for the names of the marked thresholds
const FOOT = 20;
const LOWEST = -6; // decades; what is smaller stands at the left end
const PER_DECADE = 5;
const TALLEST = 30; // px of a unit's box
const GRIP = 0.026; // decades within which the threshold takes a marked value
const LISTED = 40; // units whose values are told to screen readers

/** What can be chosen, and how the address says it; null is the first of the marked thresholds. */
const CHOICES = {
  threshold: {
    usual: null,
    passing: true,
    read: (text) => (Number(text) > 0 && Number.isFinite(Number(text)) ? Number(text) : null),
    write: brief,
  },
};

const SKELETON = `
  <section class="panel">
    <header>
      <h3>Var<sub>x</sub> E[z<sub>j</sub> | x] of each unit</h3>
      <output class="verdict" for="threshold"></output>
      <span class="stamp"></span>
      <span class="saves"></span>
    </header>
    <div class="stage"><canvas role="img"></canvas></div>
    <div class="grip">
      <input type="range" id="threshold" aria-label="Threshold" step="0.05">
    </div>
  </section>`;

export class Units {
  constructor(root) {
    root.innerHTML = SKELETON;
    root.classList.add("units");
    this.root = root;
    this.theme = new Theme(root);
    const find = (selector) => root.querySelector(selector);
    [this.verdict, this.stamp, this.input] = [".verdict", ".stamp", "input"].map(find);
    this.surface = new Surface(find(".stage"), (...canvas) => this.#draw(...canvas));
    const name = () => [Address.says("run") ?? "run", "units"].join("-");
    new SaveMenu(find(".saves"), "the units", offersOf(this, this.theme, name), this.theme);
    this.address = new Address(CHOICES, (chosen) => this.#takeUp(chosen));
    this.input.oninput = () => {
      this.#move();
      this.#write();
    };
  }

  /** Called for new data from Python and for a new theme. */
  update({ units }) {
    const data = JSON.parse(units);
    const first = !this.data;
    this.data = data;
    this.theme.read();
    this.root.style.setProperty("--height", `${data.height}px`);
    this.highest = Math.max(1, Math.ceil(Math.log10(Math.max(...data.values, 1))));
    Object.assign(this.input, { min: LOWEST, max: this.highest });
    write(this.stamp, data.stamp);
    if (first) this.#takeUp(this.address.read());
    else this.#move();
    this.#write(); // the page may have put another address in its place
  }

  /** Draw again. */
  refresh() {
    this.surface.invalidate();
  }

  /** The variance of each unit. */
  numbers() {
    const { values } = this.data;
    return [["unit", "variance of its mean", "active"], ...values.map((v, j) => [j + 1, v, Number(v >= this.threshold)])];
  }

  close() {
    this.address.close();
    this.surface.close();
  }

  /** Be as the address says: at first, and after Back and Forward. */
  #takeUp({ threshold }) {
    this.input.value = Math.log10(threshold ?? this.data.marks[0].value);
    this.#move();
  }

  #write() {
    const { threshold } = this;
    this.address.write({ threshold: threshold === this.data.marks[0].value ? null : threshold });
  }

  get threshold() {
    const at = Number(this.input.value);
    const near = this.data.marks.find(({ value }) => Math.abs(Math.log10(value) - at) < GRIP);
    return near ? near.value : 10 ** at;
  }

  #move() {
    const { values } = this.data;
    const active = values.filter((value) => value >= this.threshold).length;
    const text = `${active} of ${values.length} active at ${brief(this.threshold)}`;
    write(this.verdict, text);
    this.input.setAttribute("aria-valuetext", text);
    Object.assign(this.root.dataset, { active, units: values.length });
    const listed = values.slice(0, LISTED).map((value, j) => `${unitName(j)} ${number(value)}`);
    this.surface.canvas.setAttribute("aria-label", `${text}. Variances: ${listed.join(", ")}`);
    this.surface.invalidate();
  }

  #draw(context, width, height) {
    if (!this.data) return;
    const box = { left: LEFT, right: width - RIGHT, top: TOP, bottom: height - FOOT };
    const x = new Scale([10 ** LOWEST, 10 ** this.highest], [box.left, box.right], LOG);
    const write = (value) => tick(value, value);
    const decades = Array.from({ length: this.highest - LOWEST + 1 }, (_, i) => 10 ** (LOWEST + i));
    drawSteps(context, { box, x }, this.theme, { title: "", write, ticks: decades });
    context.strokeStyle = this.theme.line;
    context.lineWidth = 1;
    line(context, box.left, box.bottom + 0.5, box.right, box.bottom + 0.5);
    this.#drawMarks(context, box, x);
    context.strokeStyle = this.theme.text;
    context.lineWidth = 2;
    const at = x.at(this.threshold);
    line(context, at, box.top - 6, at, height);
    this.#drawUnits(context, box);
  }

  /** One box for each unit, stacked where the variances are alike. */
  #drawUnits(context, box) {
    const { values, color } = this.data;
    const bins = (this.highest - LOWEST) * PER_DECADE;
    const wide = (box.right - box.left) / bins;
    const stacks = Array.from({ length: bins }, () => []);
    values.forEach((value, unit) => {
      const bin = Math.floor((Math.log10(value) - LOWEST) * PER_DECADE);
      stacks[Math.min(Math.max(bin, 0), bins - 1)].push({ value, unit });
    });
    const tallest = Math.max(...stacks.map((stack) => stack.length), 1);
    const tall = Math.min(TALLEST, (box.bottom - box.top) / tallest);
    const gap = tall > 5 ? 1.5 : 0;
    context.font = this.theme.face(11, 600);
    context.textAlign = "center";
    context.textBaseline = "middle";
    stacks.forEach((stack, bin) => {
      stack.sort((a, b) => a.value - b.value);
      stack.forEach(({ value, unit }, row) => {
        const [left, top] = [box.left + bin * wide + 1, box.bottom - (row + 1) * tall];
        const [w, h] = [wide - 2, tall - gap];
        const active = value >= this.threshold;
        context.fillStyle = active ? color : this.theme.background;
        context.strokeStyle = active ? color : this.theme.muted;
        context.lineWidth = 1;
        context.fillRect(left, top, w, h);
        context.strokeRect(left + 0.5, top + 0.5, w - 1, Math.max(h - 1, 0));
        if (tall < 15) return;
        context.fillStyle = active ? "#fff" : this.theme.text;
        context.fillText(unitName(unit), left + w / 2, top + h / 2 + 0.5);
      });
    });
  }

  #drawMarks(context, box, x) {
    context.font = this.theme.face(11.5);
    context.textBaseline = "alphabetic";
    context.lineWidth = 1;
    this.data.marks.forEach(({ value, name }, i) => {
      const at = Math.round(x.at(value)) + 0.5;
      context.strokeStyle = this.theme.muted;
      context.setLineDash([3, 3]);
      line(context, at, box.top - 16, at, box.bottom);
      context.setLineDash([]);
      context.fillStyle = this.theme.muted;
      context.textAlign = i === 0 ? "right" : "left";
      context.fillText(`${brief(value)} ${name}`, at + (i === 0 ? 4 : -4), box.top - 20);
    });
  }
}

/** A threshold with as many of two digits as it needs. */
function brief(value) {
  return String(Number(value.toPrecision(2)));
}
