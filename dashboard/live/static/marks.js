/** What happened to a run on the way, as marks on its curves: knobs turned, estimates blown up. */

import { number } from "./format.js";
import { haloed, line } from "./surface.js";

const NEAR = 6; // px within which the pointer finds a mark
const ROOM = 6; // px between a mark and its text, and at least between two texts
const ROWS = 3; // of texts below each other, where they crowd
const ROW = 14; // px from one to the next
const TOLD = 3; // marks that the pointer reads at once
const DASH = [2, 3];

/** Marks from the `events` of a run, [{ kind, step, quantity, brief, text }], in order. */
export function marksOf(events, about) {
  const labels = about?.quantities ?? {};
  return events.flatMap(({ event, step, changes, weights, quantity, text }) => {
    if (event === "warning") return [{ kind: event, step, quantity, text }];
    if (event !== "turned") return [];
    const turned = pairs(changes).map(([name, pair]) => `${name} ${arrow(pair)}`);
    const coefficients = pairs(weights).map(
      ([name, pair]) => `coefficient of ${labels[name]?.label ?? name}: ${arrow(pair)}`,
    );
    const lines = [`Turned after step ${step}: ${turned.join(", ")}`, ...coefficients];
    const before = Object.fromEntries(pairs(weights).map(([name, [old]]) => [name, old]));
    return [{ kind: event, step, brief: turned.join(", "), text: lines.join("\n"), before }];
  });
}

/** The entries of a record that are pairs; a log may be of another version. */
function pairs(record) {
  return Object.entries(record ?? {}).filter(([, pair]) => Array.isArray(pair) && pair.length === 2);
}

function arrow([before, after]) {
  const said = (value) => (typeof value === "number" ? short(value) : String(value));
  return `${said(before)} → ${said(after)}`;
}

/** The coefficient that a quantity had at `step`, `now` being the present one. */
export function weightAt(marks, name, step, now) {
  const next = marks.find((mark) => mark.step >= step && name in (mark.before ?? {}));
  return next ? next.before[name] : now;
}

/** A number with as many of four significant digits as it needs. */
function short(value) {
  return Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6
    ? String(Number(value.toPrecision(4))).replace("-", "−")
    : number(value);
}

/** The marks that a plot shows: what was turned stands on all, a warning on its own quantity. */
const onPlot = (marks, { name, x }) =>
  marks.filter(
    ({ kind, quantity, step }) =>
      step >= x.low && step <= x.high && (kind === "turned" || quantity === name),
  );

/** Lines where knobs were turned, with what was turned on the first plot; signs at warnings. */
export function drawMarks(context, plot, marks, first, theme) {
  const { box, x } = plot;
  const texts = [];
  for (const { kind, step, brief } of onPlot(marks, plot)) {
    const at = Math.round(x.at(step)) + 0.5;
    if (kind === "warning") {
      drawSign(context, at, box.bottom - 1, theme);
      continue;
    }
    context.setLineDash(DASH);
    context.lineWidth = 1;
    context.strokeStyle = theme.muted;
    line(context, at, box.top, at, box.bottom);
    context.setLineDash([]);
    if (first && brief) texts.push([at, brief]);
  }
  drawTexts(context, box, texts, theme);
}

function drawTexts(context, box, texts, theme) {
  context.font = theme.face(11);
  context.textAlign = "left";
  context.textBaseline = "top";
  const widthOf = (text) => context.measureText(text).width;
  for (const { text, left, row } of layTexts(box, texts, widthOf)) {
    haloed(context, text, left, box.top + 2 + row * ROW, theme.text, theme.background);
  }
}

/**
 * Where texts, [[x, text]], stand beside their marks, [{ text, left, row }]: in as many rows as they
 * need and have, none over another; then how many had no room.
 */
export function layTexts({ left: start, right: end, top, bottom }, texts, widthOf) {
  const rows = Math.min(ROWS, Math.max(1, Math.floor((bottom - top) / ROW) - 1));
  const free = Array(rows).fill(start);
  const laid = [];
  for (const [x, text] of texts) {
    const width = widthOf(text);
    const left = x + ROOM + width <= end ? x + ROOM : x - ROOM - width;
    const row = free.findIndex((from) => from <= left);
    if (row < 0) continue;
    laid.push({ text, left, row });
    free[row] = left + width + ROOM;
  }
  const untold = texts.length - laid.length;
  if (untold) {
    const text = `+ ${untold} more`;
    laid.push({ text, left: Math.min(free[rows - 1], end - widthOf(text)), row: rows });
  }
  return laid;
}

/** A triangle that stands on the axis. */
function drawSign(context, x, base, theme) {
  context.beginPath();
  context.moveTo(x, base - 9);
  context.lineTo(x + 5, base);
  context.lineTo(x - 5, base);
  context.closePath();
  context.fillStyle = theme.alarm;
  context.fill();
}

/** The texts of the marks under the pointer on a plot, the nearest first, or "". */
export function markAt(plot, marks, px) {
  const near = onPlot(marks, plot)
    .map((mark) => ({ mark, distance: Math.abs(plot.x.at(mark.step) - px) }))
    .filter(({ distance }) => distance <= NEAR)
    .sort((a, b) => a.distance - b.distance);
  const told = near.slice(0, TOLD).map(({ mark }) => mark.text);
  if (near.length > TOLD) told.push(`+ ${near.length - TOLD} more`);
  return told.join("\n");
}
