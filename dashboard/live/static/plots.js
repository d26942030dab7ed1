/** Small plots of a run's quantities over one axis of steps: where they stand, how they look. */

import { count, number, tick } from "./format.js";
import { place } from "./history.js";
import { weightAt } from "./marks.js";
import { LINEAR, Scale, logarithmic } from "./scale.js";
import { line } from "./surface.js";

const LEFT = 38; // px for the values' axis
const RIGHT = 8;
const HEAD = 20; // px for a plot's name and values
const FOOT = 18; // px for the steps' axis
const BETWEEN = 14;
const WIDE = 400; // px from which on the total stands beside its parts instead of above them
const DASH = [4, 3];
const KEY = 14; // px of line before a value, which says whose it is
const PER = / per (image|point)$/;
const BEGINNING = 0.04; // share of the steps that may lie outside of a plot's range
const FEW = 20; // rows from which on they do

/**
 * Plots of the `shown` quantities: the total at the left, its parts at the right.
 *
 * A plot has a box, scales x and y, and the columns { split, steps, values, from, to } to draw.
 */
export function layOut(width, height, shown, { history, splits, range, log, zoomed }) {
  const beside = width >= WIDE && shown.length > 1 && shown[0].name === "total";
  const columns = beside ? [shown.slice(0, 1), shown.slice(1)] : [shown];
  const each = Math.floor((width - BETWEEN * (columns.length - 1)) / columns.length);
  return columns.flatMap((column, c) => {
    const left = c * (each + BETWEEN) + LEFT;
    const high = Math.floor((height - FOOT) / column.length);
    return column.map((quantity, r) => {
      const last = r === column.length - 1;
      const bottom = (r + 1) * high - (last ? 0 : 5);
      const box = { left, right: left + each - LEFT - RIGHT, top: r * high + HEAD, bottom };
      const lines = history ? splits.flatMap((split) => inView(history, split, quantity.name, range)) : [];
      const [low, top] = rangeOf(lines, log || zoomed ? 0 : BEGINNING);
      return {
        ...quantity,
        summed: shown.some((other) => other.weight != null),
        box,
        last,
        lines,
        x: new Scale(range, [box.left, box.right]),
        y: withMargin(low, top, [box.bottom, box.top], log ? logarithmic(low, top) : LINEAR),
      };
    });
  });
}

/** The plot at a place on the canvas, its axes included. */
export function at(plots, [x, y]) {
  return plots.find(
    ({ box }) =>
      x >= box.left - 4 && x <= box.right + 4 && y >= box.top - HEAD && y <= box.bottom + FOOT,
  );
}

/** The column of a quantity, with the part that is in view and a row more at each end. */
function inView(history, split, name, [first, last]) {
  const { steps, values } = history.columns[split];
  if (!values[name]) return [];
  const from = Math.max(0, place(steps, first));
  const to = Math.min(steps.length - 1, place(steps, last) + 1);
  return [{ split, steps, values: values[name], from, to }];
}

/**
 * The range of the values in view, but for those of the first steps, as large a `beginning` of all
 * as told: the loss of an untrained model would press what follows into a line.
 */
function rangeOf(lines, beginning) {
  let [low, high] = [Infinity, -Infinity];
  for (const { steps, values, from, to } of lines) {
    const first = to - from < FEW ? 0 : beginning * steps.at(-1);
    for (let i = from; i <= to; i++) {
      if (values[i] == null || steps[i] < first) continue;
      if (values[i] < low) low = values[i];
      if (values[i] > high) high = values[i];
    }
  }
  return low > high ? [0, 1] : [low, high];
}

function withMargin(low, high, pixels, warp) {
  const [a, b] = [warp.forward(low), warp.forward(high)];
  const margin = (b - a) * 0.06 || Math.abs(b) * 0.05 || 0.5;
  return new Scale([warp.backward(a - margin), warp.backward(b + margin)], pixels, warp);
}

/** What stands before a part of the total where the weights are known: "= D", "+ 9 × MMD²". */
function sign(name, weight, summed) {
  if (name === "distortion" && summed) return "= ";
  if (weight == null) return "";
  const size = Math.abs(weight);
  return `${weight < 0 ? "−" : "+"} ${size === 1 ? "" : `${Number(size.toPrecision(3))} × `}`;
}

/** Axes and curves. */
export function drawPlot(context, plot, theme) {
  drawValues(context, plot, theme);
  if (plot.last) drawSteps(context, plot, theme);
  const { box, x, y, index } = plot;
  context.save();
  context.beginPath();
  context.rect(box.left, box.top - 2, box.right - box.left + 1, box.bottom - box.top + 2);
  context.clip();
  context.strokeStyle = theme.quantity(index);
  context.lineJoin = "round";
  for (const { split, steps, values, from, to } of plot.lines) {
    context.lineWidth = split === "train" ? 1.75 : 1.5;
    context.setLineDash(split === "train" ? [] : DASH);
    context.beginPath();
    if (from === to && values[to] != null) dot(context, x.at(steps[to]), y.at(values[to]));
    else trace(context, steps, values, from, to, x, y);
    context.stroke();
  }
  context.restore();
}

/** Lines across the plot at round values, with their numbers. */
export function drawValues(context, { box, y }, theme) {
  const { left, right, top, bottom } = box;
  const { values, step } = y.ticks(Math.max(3, (bottom - top) / 32));
  context.font = theme.face(11);
  context.fillStyle = theme.muted;
  context.textBaseline = "middle";
  context.textAlign = "right";
  context.lineWidth = 1;
  let below = Infinity;
  for (const value of values) {
    const height = Math.round(y.at(value)) + 0.5;
    context.strokeStyle = value === 0 ? theme.line : theme.grid;
    line(context, left, height, right, height);
    if (height < top - 2 || below - height < 11) continue;
    context.fillText(tick(value, step), left - 6, height);
    below = height;
  }
  context.strokeStyle = theme.line;
  line(context, left, bottom + 0.5, right, bottom + 0.5);
}

/**
 * The axis below a plot: of steps, unless it has another `title`, a way to `write` its values, and
 * `ticks` of its own.
 */
export function drawSteps(context, { box, x }, theme, { title = "step", write = count, ticks } = {}) {
  const { left, right, bottom } = box;
  context.font = theme.face(11);
  context.fillStyle = theme.muted;
  context.lineWidth = 1;
  context.textBaseline = "top";
  context.textAlign = "right";
  context.fillText(title, right, bottom + 5);
  const end = right - context.measureText(title).width - 4;
  context.textAlign = "center";
  context.strokeStyle = theme.line;
  for (const value of ticks ?? x.ticks((right - left) / 48).values) {
    const text = write(value);
    const middle = x.at(value);
    line(context, Math.round(middle) + 0.5, bottom, Math.round(middle) + 0.5, bottom + 3);
    if (middle + context.measureText(text).width / 2 < end) {
      context.fillText(text, middle, bottom + 5);
    }
  }
}

/** Name, coefficient, unit and values at the step `cursor` or the last one before it. */
export function drawHead(context, plot, marks, theme, cursor) {
  const { name, label, unit, index, box, lines } = plot;
  const base = box.top - 8;
  const color = theme.quantity(index);
  const weight = weightAt(marks, name, cursor, plot.weight);
  const names = versions(sign(name, weight, plot.summed) + label);
  let left = box.left - LEFT + 2;
  let { right } = box;
  context.textBaseline = "alphabetic";
  context.textAlign = "right";
  context.font = theme.face(12, 600);
  const room = right - left - context.measureText(names[2]).width;
  context.font = theme.face(11.5, 600);
  context.fillStyle = theme.text;
  context.strokeStyle = color;
  context.lineWidth = 2;
  for (const { split, text, width } of readings(context, lines, cursor, room)) {
    context.fillText(text, right, base);
    right -= width + 5;
    context.setLineDash(split === "train" ? [] : DASH);
    line(context, right - KEY, base - 4, right, base - 4);
    context.setLineDash([]);
    right -= KEY + 8;
  }
  context.textAlign = "left";
  const texts = [
    [theme.face(12, 600), color, names],
    [theme.face(11), theme.muted, [unit, unit.replace(PER, "")]],
  ];
  for (const [font, ink, choice] of texts) {
    context.font = font;
    context.fillStyle = ink;
    const text = choice.find((text) => left + context.measureText(text).width < right) ?? "";
    context.fillText(text, left, base);
    left += context.measureText(text).width + 6;
  }
}

/** The values at `cursor`, from the right, with three digits or, without the `room`, with two. */
function readings(context, lines, cursor, room) {
  const written = (digits) =>
    [...lines].reverse().map(({ split, steps, values }) => {
      const text = number(values[place(steps, cursor)], digits);
      return { split, text, width: Math.max(context.measureText(text).width, 26) };
    });
  const exact = written(3);
  const taken = exact.reduce((sum, { width }) => sum + width + KEY + 13, 0);
  return taken < room ? exact : written(2);
}

/** A label at full length, with its short name, set tightly, and cut more and more. */
function versions(label) {
  const brief = label.replace("KL(q(z) ‖ p(z))", "KLz").replace(/\(q\(z\), p\(z\)\)$/, "");
  const tight = brief.replace(/^([=+−]) /, "$1").replace(" × ", " ");
  const cuts = Array.from({ length: tight.length }, (_, i) => `${tight.slice(0, -1 - i)}…`);
  return [label, brief, tight, ...cuts];
}

/** A line through the plot at the step `cursor`, and dots where the curves are. */
export function drawCursor(context, { index, box, lines, x, y, last }, theme, cursor) {
  const middle = Math.round(x.at(cursor)) + 0.5;
  if (middle < box.left - 1 || middle > box.right + 1) return;
  context.strokeStyle = theme.muted;
  context.lineWidth = 1;
  line(context, middle, box.top, middle, box.bottom);
  const color = theme.quantity(index);
  for (const { split, steps, values } of lines) {
    const i = place(steps, cursor);
    if (values[i] == null || steps[i] < x.low || y.at(values[i]) < box.top - 4) continue;
    context.beginPath();
    context.arc(x.at(steps[i]), y.at(values[i]), 3.5, 0, 2 * Math.PI);
    context.fillStyle = split === "train" ? color : theme.background;
    context.strokeStyle = split === "train" ? theme.background : color;
    context.lineWidth = 1.5;
    context.fill();
    context.stroke();
  }
  if (last) drawStep(context, cursor, middle, box, theme);
}

/** Where in time the view stands: a thick line, with its step below it where there is `room`. */
export function drawNow(context, { box, x, last }, theme, step, room) {
  const middle = Math.round(x.at(step));
  if (middle < box.left - 1 || middle > box.right + 1) return;
  context.strokeStyle = theme.accent;
  context.lineWidth = 2;
  line(context, middle, box.top, middle, box.bottom);
  if (last && room) drawStep(context, step, middle, box, theme);
}

/** The step pointed at, below its plot. */
export function drawStep(context, step, middle, { left, right, bottom }, theme) {
  context.font = theme.face(11, 600);
  const half = context.measureText(count(step)).width / 2 + 5;
  const x = Math.min(Math.max(middle, left + half), right - half);
  context.fillStyle = theme.text;
  context.beginPath();
  context.roundRect(x - half, bottom + 2, 2 * half, 16, 3);
  context.fill();
  context.fillStyle = theme.background;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(count(step), x, bottom + 10.5);
}

/** A single value, which no line would show. */
function dot(context, x, y) {
  context.setLineDash([]);
  context.arc(x, y, 1.5, 0, 2 * Math.PI);
}

/**
 * Add a curve to the path. Where a pixel holds many points, their smallest and largest stand for
 * them: the picture is the same, and its cost does not grow with the run.
 */
export function trace(context, steps, values, from, to, x, y) {
  const crowded = to - from > 3 * (x.end - x.start);
  let pen = false;
  let [column, low, high] = [NaN, 0, 0];
  for (let i = from; i <= to; i++) {
    if (values[i] == null) {
      pen = false;
      continue;
    }
    const [px, py] = [x.at(steps[i]), y.at(values[i])];
    if (crowded && pen && Math.round(px) === column) {
      if (py >= low && py <= high) continue;
      [low, high] = [Math.min(low, py), Math.max(high, py)];
    } else {
      column = Math.round(px);
      low = high = py;
    }
    if (pen) context.lineTo(px, py);
    else context.moveTo(px, py);
    pen = true;
  }
}
