/** Several curves in one plot, with their spread, beside the lines that they are to reach. */

import { nearest, place } from "../live/history.js";
import { drawStep, drawSteps, drawValues, trace } from "../live/plots.js";
import { LINEAR, LOG, Scale } from "../live/scale.js";
import { Surface, line } from "../live/surface.js";

const LEFT = 38; // px for the values' axis
const RIGHT = 72; // px for the names of the curves
const TOP = 8;
const FOOT = 20; // px for the axis below
const APART = 13; // px between two names
const DASH = [5, 4];
const OUTLIERS = 0.02; // share of the rows that may lie outside of the picture, at either end
const ABOVE = 1.6; // times the exact value that the picture reaches at most

export class Chart {
  /** `pointed(place)` hears which row the pointer or the keys are at, null for none. */
  constructor(stage, { theme, pointed }) {
    Object.assign(this, { theme, pointed });
    this.surface = new Surface(
      stage,
      (...canvas) => this.#draw(...canvas),
      (context) => this.#drawOver(context),
    );
    this.cursor = null; // the place pointed at on the axis below
    this.#listen();
  }

  /**
   * `axis` is { title, at, low, high, log }; `lines` [{ name, short, color }] are drawn from the rows
   * `mean` and `sd` of `history`, `references` [{ name, short, color, dashed, points }] through
   * their points; `exact` is the value that must be in the picture.
   */
  show({ axis, exact, lines, references }, history) {
    Object.assign(this, { axis, exact, lines, references, history });
    this.surface.invalidate();
  }

  /** Draw again. */
  refresh() {
    this.surface.invalidate();
  }

  /** Mean and standard deviation of each curve, a row for each place. */
  numbers() {
    const names = this.lines.map(({ name }) => name);
    const of = (kind, name, i) => this.history.columns[kind].values[name]?.[i];
    const rows = this.places.map((place, i) => [
      place,
      ...names.flatMap((name) => [of("mean", name, i), of("sd", name, i)]),
      this.exact,
    ]);
    return [[this.axis.title, ...names.flatMap((name) => [name, `${name} sd`]), "exact"], ...rows];
  }

  close() {
    this.surface.close();
  }

  #listen() {
    const { canvas } = this.surface;
    canvas.onpointermove = (event) => {
      const [x] = this.surface.locate(event);
      const inside = x >= this.box.left - 4 && x <= this.box.right + 4;
      this.#point(inside ? this.x.value(x) : null);
    };
    canvas.onpointerleave = () => this.#point(null);
    this.surface.onKeys({
      ArrowLeft: ({ shiftKey }) => this.#walk(shiftKey ? -10 : -1),
      ArrowRight: ({ shiftKey }) => this.#walk(shiftKey ? 10 : 1),
      Escape: () => this.#point(null),
    });
  }

  get places() {
    return this.history.steps("mean");
  }

  #point(at) {
    const cursor = at === null || !this.places.length ? null : nearest(this.places, at);
    if (cursor === this.cursor) return;
    this.cursor = cursor;
    this.surface.invalidateOver();
    this.pointed(cursor);
  }

  #walk(rows) {
    const { places } = this;
    if (!places.length) return;
    const now = this.cursor === null ? places.length : place(places, this.cursor);
    this.#point(places[Math.min(Math.max(now + rows, 0), places.length - 1)]);
  }

  // Drawing.

  #draw(context, width, height) {
    const box = { left: LEFT, right: width - RIGHT, top: TOP, bottom: height - FOOT };
    const { low, high, log, title } = this.axis;
    this.box = box;
    this.x = new Scale([low, high], [box.left, box.right], log ? LOG : LINEAR);
    this.y = new Scale(this.#range(), [box.bottom, box.top]);
    drawValues(context, { box, y: this.y }, this.theme);
    drawSteps(context, { box, x: this.x }, this.theme, { title });
    context.save();
    context.beginPath();
    context.rect(box.left, box.top - 2, box.right - box.left + 2, box.bottom - box.top + 2);
    context.clip();
    for (const { name, color } of this.lines) this.#drawSpread(context, name, color);
    for (const { name, color } of this.lines) this.#drawCurve(context, name, color);
    for (const reference of this.references) this.#drawReference(context, reference);
    context.restore();
    this.#drawNames(context);
    this.surface.canvas.dataset.range = [this.y.low, this.y.high].map((v) => v.toFixed(3)).join();
  }

  /**
   * The range in view: of nearly all values, but not so far from the exact one that it would be
   * pressed to the axis; with the references that are near.
   */
  #range() {
    const { exact } = this;
    const values = this.lines.flatMap(({ name }) => this.history.columns.mean.values[name] ?? []);
    const sorted = Float64Array.from(values.filter((value) => value != null)).sort();
    const at = (share) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
    let high = Math.max(exact, Math.min(at(1 - OUTLIERS), ABOVE * exact), 0.1);
    const near = this.references.map(({ points }) => points.at(-1)[1]).filter((value) => value < ABOVE * high);
    high = Math.max(high, ...near);
    const low = Math.max(Math.min(at(OUTLIERS), 0), -high / 2);
    const margin = 0.05 * (high - low);
    return [low - (low < 0 ? margin : margin / 2), high + margin];
  }

  #drawReference(context, { points, color, dashed }) {
    context.strokeStyle = color || this.theme.text;
    context.lineWidth = dashed ? 1.5 : 2;
    context.setLineDash(dashed ? DASH : []);
    context.beginPath();
    for (const [x, y] of points) context.lineTo(this.x.at(x), this.y.at(y));
    context.stroke();
    context.setLineDash([]);
  }

  /** One standard deviation to either side of the mean. */
  #drawSpread(context, name, color) {
    const mean = this.history.columns.mean.values[name] ?? [];
    const sd = this.history.columns.sd.values[name] ?? [];
    context.fillStyle = color;
    context.globalAlpha = 0.16;
    for (const [from, to] of stretches(mean, sd)) {
      const edge = (i, sign) => context.lineTo(this.x.at(this.places[i]), this.y.at(mean[i] + sign * sd[i]));
      context.beginPath();
      for (let i = from; i <= to; i++) edge(i, 1);
      for (let i = to; i >= from; i--) edge(i, -1);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  #drawCurve(context, name, color) {
    const { places } = this;
    const values = this.history.columns.mean.values[name] ?? [];
    context.strokeStyle = context.fillStyle = color;
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.beginPath();
    trace(context, places, values, 0, values.length - 1, this.x, this.y);
    context.stroke();
    if (!this.axis.log) return; // else the rows are few, and far between
    values.forEach((value, i) => {
      if (value != null) disc(context, this.x.at(places[i]), this.y.at(value), 3);
    });
  }

  /** The names of curves and references at the right, where these end, pushed apart. */
  #drawNames(context) {
    const ends = this.references.map(({ short, color, points }) => [points.at(-1)[1], short, color]);
    for (const { name, short, color } of this.lines) {
      ends.push([this.history.value("mean", name), short, color]);
    }
    const { top, bottom, right } = this.box;
    const names = ends
      .filter(([value]) => value != null && value <= this.y.high)
      .map(([value, text, color]) => ({ y: Math.min(this.y.at(value), bottom), text, color }))
      .sort((a, b) => a.y - b.y);
    spreadOut(names, top, bottom);
    context.font = this.theme.face(11.5, 600);
    context.textAlign = "left";
    context.textBaseline = "middle";
    for (const { y, text, color } of names) {
      context.fillStyle = color || this.theme.text;
      context.fillText(text, right + 6, y);
    }
  }

  #drawOver(context) {
    if (this.cursor === null || !this.x) return;
    const middle = Math.round(this.x.at(this.cursor)) + 0.5;
    context.strokeStyle = this.theme.muted;
    context.lineWidth = 1;
    line(context, middle, this.box.top, middle, this.box.bottom);
    for (const { name, color } of this.lines) {
      const value = this.history.value("mean", name, this.cursor);
      if (value == null || value < this.y.low || value > this.y.high) continue;
      context.fillStyle = color;
      disc(context, this.x.at(this.cursor), this.y.at(value), 4);
    }
    drawStep(context, this.cursor, middle, this.box, this.theme);
  }
}

/** First and last index of each stretch in which both arrays have values. */
function stretches(a, b) {
  const found = [];
  let from = null;
  for (let i = 0; i <= a.length; i++) {
    const known = a[i] != null && b[i] != null;
    if (known && from === null) from = i;
    if (!known && from !== null) {
      found.push([from, i - 1]);
      from = null;
    }
  }
  return found;
}

/** Move sorted { y } apart until there is room between them, within [top, bottom]. */
function spreadOut(names, top, bottom) {
  let above = top - APART / 2;
  for (const name of names) above = name.y = Math.max(name.y, above + APART);
  let below = bottom + APART;
  for (const name of [...names].reverse()) below = name.y = Math.min(name.y, below - APART);
}

function disc(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}
