/** The part of latent space that is in view, and where on the canvas it lies. */

import { Scale } from "./scale.js";

const LEFT = 30; // px for the axes
const RIGHT = 6;
const TOP = 6;
const BOTTOM = 18;
const LADDER = [1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15];

export class Frame {
  /**
   * `view` is the center x, y and the reach: what lies between the center and the top, or, where
   * the code is a single number and the `axes` but one, the right.
   */
  constructor(width, height, view, axes) {
    const [left, top] = [LEFT, TOP];
    const [right, bottom] = [Math.max(width - RIGHT, left + 1), Math.max(height - BOTTOM, top + 1)];
    this.box = { left, top, right, bottom };
    this.view = view;
    this.axes = axes;
    this.unit = (axes === 1 ? right - left : bottom - top) / 2 / view.reach; // px, on both axes
    const [wide, high] = [(right - left) / 2 / this.unit, (bottom - top) / 2 / this.unit];
    this.x = new Scale([view.x - wide, view.x + wide], [left, right]);
    this.y = new Scale([view.y - high, view.y + high], [bottom, top]);
  }

  /** Width over height. */
  get aspect() {
    const { left, top, right, bottom } = this.box;
    return (right - left) / (bottom - top);
  }

  /** The view after a zoom that leaves the place under a pixel where it is. */
  zoomed(factor, [px, py]) {
    const { x, y, reach } = this.view;
    const smaller = Math.min(Math.max(reach / factor, 0.01), 1000);
    const share = smaller / reach;
    const [zx, zy] = [this.x.value(px), this.y.value(py)];
    return { x: zx + (x - zx) * share, y: zy + (y - zy) * share, reach: smaller };
  }

  /** The view after the picture was moved by so many pixels. */
  moved(dx, dy) {
    const { x, y, reach } = this.view;
    return { x: x - dx / this.unit, y: y + dy / this.unit, reach };
  }

  /**
   * A reach with which nearly all points and the prior to 2σ are in view. It stays what it was
   * `before` while that will do, so that the picture does not jump with every snapshot.
   */
  suitableReach(points, before) {
    const wanted = points.map((axis, i) => extent(axis) / (i === 0 && this.axes > 1 ? this.aspect : 1));
    const needed = 1.04 * Math.max(2.4, ...wanted);
    if (before && needed <= before && needed > before * 0.55) return before;
    return roundUp(needed);
  }
}

/** The next round number. */
export function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return LADDER.map((factor) => factor * power).find((round) => round >= value);
}

/** The distance from the origin within which 99.5 % of the values lie. */
function extent(values) {
  const sizes = values.filter(Number.isFinite).map(Math.abs).sort();
  return sizes.length ? sizes[Math.floor((sizes.length - 1) * 0.995)] : 0;
}
