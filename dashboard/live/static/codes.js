/** What the latent plane shows: axes, prior, codes and the names of the classes. */

import { tick } from "./format.js";
import { Scale, roundTicks } from "./scale.js";
import { haloed, line } from "./surface.js";

const DASH = [5, 4];
const DENSITY = 0.42; // share of the height for q(z), where the code is a single number
const APART = 15; // px between the names of two classes
const ROOM = [30, 60]; // px: names fade in while the cloud of codes grows from one to the other

const normal = (z) => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);

export function drawAxes(context, { x, y, box, axes }, [across, up], theme) {
  const { left, right, top, bottom } = box;
  context.lineWidth = 1;
  context.fillStyle = theme.muted;
  context.font = theme.face(12);
  context.textBaseline = "top";
  context.textAlign = "right";
  context.fillText(across, right, bottom + 4);
  const room = right - context.measureText(across).width - 14;
  context.font = theme.face(11);
  context.textAlign = "center";
  const columns = roundTicks(x.low, x.high, (right - left) / 70);
  for (const value of columns.values) {
    const middle = Math.round(x.at(value)) + 0.5;
    context.strokeStyle = theme.grid;
    line(context, middle, top, middle, bottom);
    if (middle < room) context.fillText(tick(value, columns.step), middle, bottom + 5);
  }
  context.strokeStyle = theme.line;
  line(context, left, bottom + 0.5, right, bottom + 0.5);
  if (axes === 1) return;
  context.textBaseline = "middle";
  context.textAlign = "right";
  const rows = roundTicks(y.low, y.high, (bottom - top) / 45);
  for (const value of rows.values) {
    const middle = Math.round(y.at(value)) + 0.5;
    context.strokeStyle = theme.grid;
    line(context, left, middle, right, middle);
    if (middle > top + 16) context.fillText(tick(value, rows.step), left - 6, middle);
  }
  context.font = theme.face(12);
  context.fillText(up, left - 6, top + 4);
  context.strokeStyle = theme.line;
  line(context, left - 0.5, top, left - 0.5, bottom);
}

/** The prior N(0, I) at 1σ and 2σ. */
export function drawCircles(context, { x, y }, theme) {
  const [x0, y0, unit] = [x.at(0), y.at(0), x.at(1) - x.at(0)];
  for (const sigma of [1, 2]) {
    context.beginPath();
    context.arc(x0, y0, sigma * unit, 0, 2 * Math.PI);
    context.setLineDash([]);
    context.globalAlpha = 0.6;
    context.lineWidth = 3.5; // a lane through the dots
    context.strokeStyle = theme.background;
    context.stroke();
    context.setLineDash(DASH);
    context.globalAlpha = 1;
    context.lineWidth = 1.25;
    context.strokeStyle = theme.muted;
    context.stroke();
  }
  context.setLineDash([]);
  nameCircles(context, { x, y }, theme);
}

/** "1σ" and "2σ", each on its circle. */
export function nameCircles(context, { x, y }, theme) {
  context.font = theme.face(11, 600);
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const sigma of [1, 2]) {
    haloed(context, `${sigma}σ`, x.at(0), y.at(0) - sigma * (x.at(1) - x.at(0)), theme.muted, theme.background);
  }
}

/** The name of each class at its median; `names` has null for those that are hidden. */
export function drawNames(context, frame, { centers, spread }, names, theme) {
  const shown = Math.min((spread * frame.unit - ROOM[0]) / (ROOM[1] - ROOM[0]), 1);
  if (!centers || shown <= 0) return;
  const lane = frame.axes === 1 ? lanes(frame, names.length) : null;
  const places = names.flatMap((name, i) => {
    const [zx, zy] = centers.map((axis) => axis[i]);
    if (name === null || !Number.isFinite(zx)) return [];
    return [{ name, x: frame.x.at(zx), y: lane ? lane(i, null) : frame.y.at(zy) }];
  });
  if (!lane) separate(places);
  context.font = theme.face(14, 700);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.globalAlpha = shown;
  for (const { name, x, y } of places) {
    haloed(context, name, x, y, theme.text, theme.background);
  }
  context.globalAlpha = 1;
}

/** Push names apart that would cover each other, a little each way. */
function separate(places) {
  for (let round = 0; round < 6; round++) {
    places.forEach((a, i) => {
      for (const b of places.slice(i + 1)) {
        const [dx, dy] = [b.x - a.x, b.y - a.y];
        const distance = Math.hypot(dx, dy);
        if (distance >= APART || distance === 0) continue;
        const push = (APART - distance) / 2 / distance;
        a.x -= dx * push;
        a.y -= dy * push;
        b.x += dx * push;
        b.y += dy * push;
      }
    });
  }
}

/** Heights of the codes where each is a single number: a lane for each class, scattered in it. */
export function lanes({ box: { top, bottom } }, classes) {
  const start = top + (bottom - top) * DENSITY + 6;
  const each = (bottom - start) / Math.max(classes, 1);
  const scatter = (i) => (i === null ? 0 : 0.7 * (((i * 0.618034) % 1) - 0.5));
  return (label, i) => start + (Math.max(label, 0) + 0.5 + scatter(i)) * each;
}

/** q(z), filled, and the prior's density, dashed, where the code is a single number. */
export function drawDensity(context, { box, x }, { density, width }, prior, theme) {
  const { left, right, top, bottom } = box;
  const base = Math.round(top + (bottom - top) * DENSITY) + 0.5;
  const highest = Math.max(normal(0), ...(density ?? []));
  const y = new Scale([0, highest * 1.05], [base, top + 10]);
  context.font = theme.face(11);
  context.fillStyle = theme.muted;
  context.textAlign = "left";
  context.textBaseline = "middle";
  if (density) {
    context.fillText("filled: q(z)", left + 4, top + 22);
    const at = (i) => x.at(-width + (2 * width * i) / (density.length - 1));
    context.beginPath();
    context.moveTo(at(0), base);
    density.forEach((value, i) => context.lineTo(at(i), y.at(value)));
    context.lineTo(at(density.length - 1), base);
    context.globalAlpha = 0.3;
    context.fill();
    context.globalAlpha = 1;
  }
  context.strokeStyle = theme.line;
  line(context, left, base, right, base);
  if (!prior) return;
  context.fillText("dashed: prior p(z)", left + 4, top + 8);
  context.beginPath();
  for (let px = left; px <= right; px += 2) context.lineTo(px, y.at(normal(x.value(px))));
  context.setLineDash(DASH);
  context.lineWidth = 1.25;
  context.strokeStyle = theme.muted;
  context.stroke();
  context.setLineDash([]);
}
