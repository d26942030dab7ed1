/** Small pictures of a run's images, and how pixels become a picture in the theme's colours. */

import { open } from "../live/snapshot.js";
import { mix, rgb } from "../live/theme.js";
import { tiles } from "../live/tiles.js";
import { get } from "./source.js";

const LEVELS = 255;
const PAINTED = 3000; // pictures kept ready to be drawn

export class Pictures {
  /** `theme` gives the colours of grey pictures. */
  constructor(theme) {
    this.theme = theme;
    this.clear();
  }

  clear() {
    Object.assign(this, { places: new Map(), data: null, points: null, whole: false, painted: new Map() });
  }

  /** Get those of a run; `Missing` where the server has none. */
  async load(api, run) {
    this.clear();
    const { header, parts } = open(await get(`${api}/${run}/pictures`));
    const { span, whole } = header; // a span of points only
    this.points = span ? parts.pictures : null;
    const images = span ? tiles(parts.pictures, span) : { ...parts.pictures, grey: header.grey };
    const [, height, width, channels = 1] = images.shape;
    Object.assign(this, { width, height, channels, whole, grey: images.grey, span });
    this.size = width * height * channels;
    this.data = images.data;
    const { split, index } = parts;
    index.data.forEach((number, i) => this.places.set(`${split.data[i]}:${number}`, i));
  }

  has(key) {
    return this.places.has(key);
  }

  /** The values of an image that is a point, or null. */
  valuesOf(key) {
    if (!this.points) return null;
    const wide = this.points.shape[1];
    const at = this.places.get(key) * wide;
    return this.points.data.subarray(at, at + wide);
  }

  /** A canvas with the picture of an image, "1:17" for the held-out number 17; in a colour or null. */
  of(key, color = null) {
    const name = `${key} ${color} ${this.theme.text}`;
    let canvas = this.painted.get(name);
    if (canvas) return canvas;
    const at = this.places.get(key) * this.size;
    const levels = this.data.subarray(at, at + this.size).map((level) => level * this.grey);
    canvas = new OffscreenCanvas(this.width, this.height);
    paint(canvas, { levels, channels: this.channels }, this.theme, color);
    if (this.painted.size >= PAINTED) this.painted.clear();
    this.painted.set(name, canvas);
    return canvas;
  }
}

/**
 * Paint bytes on a canvas of as many pixels: grey ones between the theme's paper and ink, or, on
 * nothing, in a `color`.
 */
export function paint(canvas, { levels, channels }, theme, color = null) {
  const { width, height } = canvas;
  const image = new ImageData(width, height);
  const { data } = image;
  const ramp = channels === 1 ? rampOf(theme, color) : null;
  for (let i = 0; i < width * height; i++) {
    if (ramp) {
      data.set(ramp[levels[i]], 4 * i);
    } else {
      for (let channel = 0; channel < 3; channel++) data[4 * i + channel] = levels[channels * i + channel];
      data[4 * i + 3] = 255;
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

let known = null;

/** The colour of each level of grey. */
function rampOf({ tile, ink }, color) {
  const name = `${tile} ${ink} ${color}`;
  if (known?.name !== name) {
    const shade = (level) =>
      color ? [...rgb(color), level] : [...mix(tile, ink, level / LEVELS), 255];
    known = { name, ramp: Array.from({ length: LEVELS + 1 }, (_, level) => shade(level)) };
  }
  return known.ramp;
}
