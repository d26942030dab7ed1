/** The plane without its looks: where points are drawn, and which point a place or a key means. */

import { Scale, symlog } from "../live/scale.js";

export const WIDTH = 262; // the sidebar's room at its usual width
export const HEIGHT = 196;
export const BOX = { left: 27, right: 249, top: 14, bottom: 181 };

const REACH = 8; // px within which a landmark draws the pointer to itself
const MAGNET = 3.5; // px, of the values of α at which the rate has its full weight, and none
const LINE = 5; // px, of the β-VAE's line
const STRIDE = 6; // px that an arrow key moves
const MAGNETS = [0, 1];

export class Geometry {
  /** Straight near 0 and logarithmic away from it, so that 0, 1 and 1000 all have room. */
  constructor(limits, landmarks) {
    this.limits = limits;
    this.landmarks = landmarks;
    this.x = new Scale(limits.alpha, [BOX.left, BOX.right], symlog(0.25));
    this.y = new Scale(limits.lam, [BOX.bottom, BOX.top], symlog(0.15));
  }

  /** Pixels of a point; one that is out of range lies on the rim. */
  place([alpha, lam]) {
    return [this.x.at(clamp(alpha, this.limits.alpha)), this.y.at(clamp(lam, this.limits.lam))];
  }

  /**
   * What a click at these pixels chooses: { point, landmark or null }. It is `refused` where α + λ < 1,
   * and chooses the β-VAE above.
   */
  aim([px, py]) {
    const landmark = this.#nearest(px, py);
    if (landmark) return { point: landmark.point, landmark };
    const near = MAGNETS.find((value) => Math.abs(this.x.at(value) - px) < MAGNET);
    const alpha = near ?? this.#round(this.x.value(px), "alpha");
    const lam = this.#round(this.y.value(py), "lam");
    const lowest = this.y.at(Math.max(1 - alpha, 0));
    const point = alpha <= 1 && py > lowest - LINE ? onLine(alpha) : [alpha, lam];
    return { point, landmark: null, refused: alpha <= 1 && py > lowest + LINE };
  }

  /** The point next to another: `across` and `up` are −1, 0 or 1. */
  step([alpha, lam], across, up, fine) {
    const to = [
      this.#move(alpha, across, this.x, "alpha", fine),
      this.#move(lam, up, this.y, "lam", fine),
    ];
    return to[0] + to[1] < 1 - 1e-9 ? onLine(to[0]) : to;
  }

  #nearest(px, py) {
    const distance = ({ point }) => {
      const [x, y] = this.place(point);
      return Math.hypot(x - px, y - py);
    };
    return this.landmarks
      .filter((landmark) => distance(landmark) < REACH)
      .sort((a, b) => distance(a) - distance(b))[0];
  }

  #move(value, direction, scale, field, fine) {
    if (direction === 0) return value;
    const outwards = value * direction >= 0;
    const next = value + direction * unit(outwards ? value : value * (1 - 1e-9));
    const pixels = STRIDE * Math.sign(scale.slope) * direction;
    const far = this.#round(scale.value(scale.at(value) + pixels), field);
    const to = fine || (far - value) * direction <= 0 ? this.#round(next, field) : far;
    const passed = (stop) => (stop - value) * direction > 0 && (to - stop) * direction > 0;
    return field === "alpha" ? (MAGNETS.find(passed) ?? to) : to;
  }

  #round(value, field) {
    return clamp(rounded(value), this.limits[field]);
  }
}

/** The β-VAE's point above or below α, with a β that one would type. */
function onLine(alpha) {
  const beta = rounded(1 - alpha);
  return [Number((1 - beta).toPrecision(12)), beta];
}

/** A number that one would type: two significant digits, in steps of 0.05 below 1. */
function rounded(value) {
  const step = unit(value);
  return Number((Math.round(value / step) * step).toPrecision(2));
}

/** The distance between numbers that one would type, about this one. */
function unit(value) {
  const size = Math.abs(value);
  return size < 1 ? 0.05 : 10 ** (Math.floor(Math.log10(size)) - 1);
}

const clamp = (value, [low, high]) => Math.min(Math.max(value, low), high);
