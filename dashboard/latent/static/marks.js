/** What stands on the plane beside the codes: posteriors, rings around codes, the place decoded. */

import { line } from "../live/surface.js";

const CORNERS = 40; // of an ellipse
const CIRCLE = Array.from({ length: CORNERS }, (_, k) => (2 * Math.PI * k) / CORNERS).map((angle) => [
  Math.cos(angle),
  Math.sin(angle),
]);

/** Each posterior at 1σ about its mean, which is where it lies also beside draws. */
export function drawEllipses(context, frame, { spread, points }, indices, colorOf, alpha) {
  context.lineWidth = 1.25;
  context.globalAlpha = alpha * Math.min(1, Math.max(0.25, 60 / indices.length));
  for (const i of indices) {
    const [a, c, b] = spread.subarray(3 * i, 3 * i + 3);
    const [mean, half] = [(a + c) / 2, Math.hypot((a - c) / 2, b)];
    const [long, short] = [mean + half, mean - half].map((v) => Math.sqrt(Math.max(v, 0)) * frame.unit);
    const turn = Math.atan2(2 * b, a - c) / 2;
    const [x, y] = [frame.x.at(points[0][i]), frame.y.at(points[1][i])];
    const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
    context.beginPath();
    for (const [u, v] of CIRCLE) {
      const [across, up] = [long * u, short * v];
      context.lineTo(x + across * cos - up * sin, y - across * sin - up * cos);
    }
    context.closePath();
    context.strokeStyle = colorOf(i);
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** A ring that is seen on whatever lies below it. */
export function drawRing(context, [x, y], radius, width, theme) {
  for (const [wide, color] of [[width + 2.5, theme.background], [width, theme.text]]) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.lineWidth = wide;
    context.strokeStyle = color;
    context.stroke();
  }
}

/** The place that is decoded. */
export function drawProbe(context, frame, at, theme) {
  const { left, right, top, bottom } = frame.box;
  const x = frame.x.at(at[0]);
  const y = frame.axes > 1 ? frame.y.at(at[1]) : (top + bottom) / 2;
  if (x < left || x > right || y < top || y > bottom) return;
  context.lineCap = "round";
  for (const [width, color] of [[5, theme.background], [2, theme.text]]) {
    context.lineWidth = width;
    context.strokeStyle = color;
    for (const [dx, dy] of [[1, 0], [0, 1], [-1, 0], [0, -1]]) {
      line(context, x + 4 * dx, y + 4 * dy, x + 10 * dx, y + 10 * dy);
    }
  }
  context.lineCap = "butt";
}
