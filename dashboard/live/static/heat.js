/** A function over the latent plane as a map in two hues, fading where there are no values. */

import { css, mix } from "./theme.js";

const STRONGEST = 0.5; // opacity at the ends of the range: points stay readable
const FADE = 2; // places, each way, over which the map fades at its edge

export class Heat {
  constructor() {
    this.canvas = new OffscreenCanvas(1, 1);
    this.image = new ImageData(1, 1);
  }

  /** Draw values on a grid from -reach to reach; where the code is a single number, as strips. */
  draw(context, { x, y, box, axes }, { values, places, reach, range }, theme) {
    const [across, up] = axes === 1 ? [places[0], 1] : places;
    this.#paint(values[0], across, up, range, theme);
    const half = (count) => reach + reach / (count - 1); // a place is the middle of its pixel
    const left = x.at(-half(across));
    const width = x.at(half(across)) - left;
    const [top, bottom] = axes === 1 ? [box.top, box.bottom] : [y.at(half(up)), y.at(-half(up))];
    context.save();
    context.imageSmoothingQuality = "high";
    context.drawImage(this.canvas, left, top, width, bottom - top);
    context.restore();
  }

  /** The colours of the range, from its lower end to its upper. */
  colors({ few, many, paper }) {
    return [mix(paper, few, STRONGEST), paper, mix(paper, many, STRONGEST)].map(css);
  }

  /** A pixel for each place; values[i · up + j] is the i-th from the left and j-th from below. */
  #paint(values, across, up, range, { few, many }) {
    if (this.image.width !== across || this.image.height !== up) {
      Object.assign(this.canvas, { width: across, height: up });
      this.image = new ImageData(across, up);
    }
    const { data } = this.image;
    for (let i = 0; i < across; i++) {
      for (let j = 0; j < up; j++) {
        const value = values[i * up + j] || 0; // for NaN
        const at = 4 * ((up - 1 - j) * across + i);
        data.set(value > 0 ? many : few, at);
        const strength = Math.min(Math.abs(value) / range, 1);
        data[at + 3] = 255 * STRONGEST * strength * within(values, across, up, i, j);
      }
    }
    this.canvas.getContext("2d").putImageData(this.image, 0, 0);
  }
}

/** 1 where all places around one have values, 0 where half of them have none. */
function within(values, across, up, i, j) {
  const rows = up === 1 ? 0 : FADE;
  let present = 0;
  for (let x = Math.max(i - FADE, 0); x <= Math.min(i + FADE, across - 1); x++) {
    for (let y = Math.max(j - rows, 0); y <= Math.min(j + rows, up - 1); y++) {
      present += Number.isNaN(values[x * up + y]) ? 0 : 1;
    }
  }
  return Math.max(0, (2 * present) / ((2 * FADE + 1) * (2 * rows + 1)) - 1);
}
