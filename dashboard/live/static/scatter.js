/** The space of data that are points: held-out ones, what comes back of them, and samples. */

import { drawAxes } from "./codes.js";
import { Dots } from "./dots.js";
import { subscript } from "./format.js";
import { Frame } from "./frame.js";
import { haloed, line } from "./surface.js";
import { css } from "./theme.js";

const NAME = 22; // px above a lane of numbers, for the name of its group
const LINKS = 0.55; // how dark the lines from points to what comes back of them are

/** Points { shape: [n, k], data } of several kinds, from -span to span along each axis. */
export class Scatter {
  constructor(theme) {
    this.theme = theme;
    this.dots = new Dots();
  }

  /**
   * Draw `groups` of points, [{ name, points, color }], the first of all below; with `links` a line
   * joins each point of the first to that of the second. A `net` of rows of points has a line along
   * each row and each column; a single point may be `marked`.
   */
  draw(context, width, height, ratio, { groups, span, links = false, net = null, marked = null }) {
    const { theme } = this;
    const [, wide] = groups[0].points.shape;
    const frame = framed(width, height, span, wide);
    const { left, right, top, bottom } = frame.box;
    drawAxes(context, frame, axisNames(wide), theme);
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    const places = groups.map(({ points, name }, g) => placesOf(points, frame, g, groups.length, name && NAME));
    if (links && wide > 1) this.#link(context, places);
    places.forEach((xy, g) =>
      this.dots.draw(context, ratio, xy.length, [groups[g].color], (dot) => {
        for (const [x, y] of xy) if (Number.isFinite(x + y)) dot(x, y, 0);
      }),
    );
    if (net) this.#weave(context, frame, net);
    if (marked) this.#mark(context, frame, marked, groups.length);
    context.restore();
    this.#name(context, frame, groups, wide);
  }

  #link(context, [from, to]) {
    context.strokeStyle = this.theme.muted;
    context.globalAlpha = LINKS;
    context.lineWidth = 0.75;
    from.forEach(([x, y], i) => {
      if (to[i] && Number.isFinite(x + y + to[i][0] + to[i][1])) line(context, x, y, ...to[i]);
    });
    context.globalAlpha = 1;
  }

  #weave(context, { x, y }, net) {
    const columns = net[0].map((_, i) => net.map((row) => row[i]));
    context.strokeStyle = css(this.theme.few);
    context.lineWidth = 1;
    for (const thread of net.length > 1 ? [...net, ...columns] : net) {
      context.beginPath();
      thread.forEach(([across, up]) => context.lineTo(x.at(across), y.at(up)));
      context.stroke();
    }
  }

  #mark(context, { x, y, box, axes }, point, lanes) {
    context.beginPath();
    const up = axes > 1 ? y.at(point[1]) : box.top + (box.bottom - box.top) * (0.55 / lanes);
    context.arc(x.at(point[0]), up, 4.5, 0, 2 * Math.PI);
    context.fillStyle = css(this.theme.few);
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = this.theme.background;
    context.stroke();
  }

  /** Which colour is what, and what is not drawn of more than two values. */
  #name(context, { box: { left, right, top, bottom }, axes }, groups, wide) {
    const { theme } = this;
    context.textBaseline = "middle";
    context.font = theme.face(12, 600);
    if (axes === 1) {
      context.textAlign = "left";
      const each = (bottom - top) / groups.length;
      groups.forEach(({ name, color }, g) =>
        haloed(context, name, left + 4, top + g * each + 10, color, theme.background),
      );
      return;
    }
    context.textAlign = "right";
    let x = right - 4;
    for (const { name, color } of [...groups].reverse()) {
      if (!name) continue;
      haloed(context, `● ${name}`, x, top + 10, color, theme.background);
      x -= context.measureText(`● ${name}`).width + 12;
    }
    if (wide <= 2) return;
    context.font = theme.face(11);
    haloed(context, `the first 2 of ${wide} values`, right - 4, bottom - 10, theme.muted, theme.background);
  }
}

/** What of data space is in view: all of ±span, as far across as up. */
export function framed(width, height, span, wide) {
  const axes = Math.min(wide, 2);
  const { aspect } = new Frame(width, height, { x: 0, y: 0, reach: span }, axes);
  const reach = axes === 1 ? span : span / Math.min(aspect, 1);
  return new Frame(width, height, { x: 0, y: 0, reach }, axes);
}

/** x, or x₁ and x₂. */
export const axisNames = (wide) =>
  wide === 1 ? ["x"] : [`x${subscript(1)}`, `x${subscript(2)}`];

/** Pixels of points; numbers lie scattered in a lane for each group, `head` px below where it begins. */
function placesOf({ shape: [count, wide], data }, { x, y, box: { top, bottom } }, group, groups, head) {
  const each = (bottom - top) / groups;
  const room = each - head;
  const lane = (i) => top + group * each + head + (0.55 + 0.6 * (((i * 0.618034) % 1) - 0.5)) * room;
  return Array.from({ length: count }, (_, i) => [
    x.at(data[i * wide]),
    wide > 1 ? y.at(data[i * wide + 1]) : lane(i),
  ]);
}
