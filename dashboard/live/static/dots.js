/** Thousands of dots, painted pixel by pixel: several times faster than a canvas draws them. */

import { rgb } from "./theme.js";

const ALPHA = 0.8;
const PHASES = 4; // places within a pixel, each way, that a dot's center is rounded to

export class Dots {
  constructor() {
    this.canvas = new OffscreenCanvas(1, 1);
    this.image = new ImageData(1, 1);
  }

  /**
   * Draw the dots that `each(visit)` visits with (x, y, color) in pixels of the page; a color is an
   * index into `colors`. `count` dots at the most: the more, the smaller they are.
   */
  draw(context, ratio, count, colors, each) {
    const radius = Math.min(Math.max(3.5 - 0.55 * Math.log10(count || 1), 1.5), 2.7);
    if (context.vector) {
      each((x, y, color) => context.disc(x, y, radius, colors[color], ALPHA));
      return;
    }
    const { width, height } = context.canvas;
    if (this.image.width !== width || this.image.height !== height) {
      Object.assign(this.canvas, { width, height });
      this.image = new ImageData(width, height);
    } else {
      this.image.data.fill(0);
    }
    const stamps = this.#stampsOf(ratio * radius);
    const inks = colors.map(rgb);
    each((x, y, color) => stamp(this.image, stamps, x * ratio, y * ratio, inks[color]));
    this.canvas.getContext("2d").putImageData(this.image, 0, 0);
    context.save();
    context.resetTransform();
    context.drawImage(this.canvas, 0, 0);
    context.restore();
  }

  #stampsOf(radius) {
    if (radius !== this.radius) {
      this.radius = radius;
      this.stamps = makeStamps(radius);
    }
    return this.stamps;
  }
}

/** How much a dot covers of the pixels around its center, for every place within a pixel. */
function makeStamps(radius) {
  const reach = Math.ceil(radius + 0.5);
  const size = 2 * reach + 1;
  const covers = Array.from({ length: PHASES * PHASES }, (_, phase) => {
    const [dx, dy] = [phase % PHASES, Math.floor(phase / PHASES)].map((part) => part / PHASES);
    return Float32Array.from({ length: size * size }, (_, i) => {
      const distance = Math.hypot((i % size) - reach - dx, Math.floor(i / size) - reach - dy);
      return ALPHA * Math.min(Math.max(radius + 0.5 - distance, 0), 1);
    });
  });
  return { reach, size, covers };
}

/** Lay a dot over what is there. */
function stamp({ data, width, height }, { reach, size, covers }, x, y, [red, green, blue]) {
  const [across, down] = [Math.round(x * PHASES), Math.round(y * PHASES)];
  const [left, top] = [Math.floor(across / PHASES) - reach, Math.floor(down / PHASES) - reach];
  const cover = covers[(across % PHASES) + PHASES * (down % PHASES)];
  if (left < 0 || top < 0 || left + size > width || top + size > height) return;
  for (let row = 0, i = 0; row < size; row++) {
    let at = 4 * ((top + row) * width + left);
    for (let column = 0; column < size; column++, i++, at += 4) {
      const alpha = cover[i];
      if (alpha === 0) continue;
      const below = (data[at + 3] / 255) * (1 - alpha);
      const share = alpha / (alpha + below);
      data[at] += (red - data[at]) * share;
      data[at + 1] += (green - data[at + 1]) * share;
      data[at + 2] += (blue - data[at + 2]) * share;
      data[at + 3] = 255 * (alpha + below);
    }
  }
}
