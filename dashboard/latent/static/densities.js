/** Densities as every panel draws them: q(z) filled, the prior dashed, on an axis with ticks. */

import { tick } from "../live/format.js";
import { roundTicks } from "../live/scale.js";
import { haloed, line } from "../live/surface.js";

const PLACES = 100; // at which N(0, 1) is drawn

/** N(0, 1) at z. */
export const normal = (z) => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);

/** Its values from -reach to reach, and where the i-th of them stands. */
export const bell = (reach) => Array.from({ length: PLACES + 1 }, (_, i) => normal(bellAt(i, reach)));
export const bellAt = (i, reach) => ((2 * i) / PLACES - 1) * reach;

/** A density, filled, as q(z) is everywhere. */
export function drawFilled(context, values, x, y, base, theme) {
  context.beginPath();
  context.moveTo(x(0), base);
  values.forEach((value, i) => context.lineTo(x(i), y(value)));
  context.lineTo(x(values.length - 1), base);
  context.closePath();
  context.fillStyle = theme.text;
  context.globalAlpha = 0.3;
  context.fill();
  context.globalAlpha = 1;
}

/** The prior's density, dashed; the i-th value at x(i). */
export function drawDashed(context, values, x, y, theme, dash) {
  context.beginPath();
  values.forEach((value, i) => context.lineTo(x(i), y(value)));
  context.setLineDash(dash);
  context.lineWidth = 1.25;
  context.strokeStyle = theme.muted;
  context.stroke();
  context.setLineDash([]);
}

/** The line that densities stand on, and what is said above them. */
export function drawBase(context, { left, right, bottom }, said, theme) {
  context.strokeStyle = theme.line;
  context.lineWidth = 1;
  line(context, left, bottom + 0.5, right, bottom + 0.5);
  context.font = theme.face(12);
  context.textAlign = "left";
  context.textBaseline = "top";
  haloed(context, said, left, 0, theme.muted, theme.background);
}

/** Ticks and their numbers below a plot. */
export function drawTicks(context, x, bottom, theme, many = 6) {
  context.font = theme.face(11);
  context.textAlign = "center";
  context.textBaseline = "top";
  const { values, step } = roundTicks(x.low, x.high, many);
  for (const value of values) {
    const at = Math.round(x.at(value)) + 0.5;
    context.strokeStyle = theme.line;
    context.lineWidth = 1;
    line(context, at, bottom, at, bottom + 3);
    context.fillStyle = theme.muted;
    context.fillText(tick(value, step), at, bottom + 5);
  }
}
