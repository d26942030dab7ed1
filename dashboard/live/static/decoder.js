/** Decoders in the browser: from a code to its image without a question to the server. */

import { open } from "./snapshot.js";
import { TILE, tile, tiles } from "./tiles.js";

const KEPT = 24; // decoders, of all runs and steps
const ACTIVATIONS = {
  relu: (x) => (x > 0 ? x : 0),
  silu: (x) => x / (1 + Math.exp(-x)),
  tanh: Math.tanh,
};
const LINKS = {
  identity: (x) => x,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  continuous_bernoulli: (x) => (Math.abs(x) < 0.05 ? 0.5 + x / 12 : -1 / Math.expm1(-x) - 1 / x),
};

const kept = new Map(); // promises, by address

/**
 * The decoder of a run at a step: a promise of a `Decoder`, or of null where there is none. `step`
 * is to be one of those that `stepsOf` lists as decoders.
 */
export function loadDecoder(api, run, step) {
  const url = `${api}/${run}/decoder/${step}`;
  let decoder = kept.get(url);
  kept.delete(url);
  decoder ??= fetchDecoder(url);
  kept.set(url, decoder); // asked for last, forgotten last
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  return decoder;
}

async function fetchDecoder(url) {
  try {
    const response = await fetch(url);
    if (response.ok) return new Decoder(await response.arrayBuffer());
  } catch {
    // The server does not answer; it may the next time.
  }
  kept.delete(url);
  return null;
}

/** What there is of a run: { steps, decoders, bytes }, the steps drawn and decoded; or null. */
export async function stepsOf(api, run) {
  try {
    const response = await fetch(`${api}/${run}/snapshots`, { cache: "no-store" });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

/**
 * Images of codes by the server, for those that no decoder here covers: a promise of Uint8Array
 * bytes { shape: [n, h, w(, c)], data }, or of null; points come as tiles. `decoder` is that of the
 * step, `codes` a Float32Array of n × d numbers.
 */
export async function decodeRemotely(api, run, { step, span }, codes) {
  try {
    const response = await fetch(`${api}/${run}/decode/${step}`, { method: "POST", body: codes });
    if (!response.ok) return null;
    const { images } = open(await response.arrayBuffer()).parts;
    return span ? tiles(images, span) : images;
  } catch {
    return null;
  }
}

export class Decoder {
  /** `buffer` holds a decoder as the server packs it. */
  constructor(buffer) {
    const { header, parts } = open(buffer);
    this.step = header.step;
    this.dimensions = header.latent_dim;
    this.exact = header.layers !== null; // for every code, and not by pictures decoded ahead
    const item = this.exact // colour last
      ? imageShape(header.shape)
      : parts.atlas.shape.slice(Math.min(this.dimensions, 2));
    this.values = item.reduce((product, n) => product * n, 1);
    this.span = header.span ?? null; // of points, which are drawn as tiles
    this.shape = this.span ? TILE : item;
    this.size = this.shape.reduce((product, n) => product * n, 1);
    if (this.exact) this.#prepare(header, parts);
    else Object.assign(this, { reach: header.reach, atlas: parts.atlas, plane: parts.plane?.data });
  }

  /** Whether the image of a code can be had here. */
  covers(z) {
    if (this.exact) return true;
    const place = this.#place(z);
    if (place.some((value) => Math.abs(value) > this.reach)) return false;
    if (!this.plane) return true;
    const off = z.map((value, i) => value - place[0] * this.plane[2 * i] - place[1] * this.plane[2 * i + 1]);
    return Math.hypot(...off) < 0.05;
  }

  /**
   * The mean of p(x|z) for a code of d numbers: the values of its pixels row by row, colours side
   * by side, in [0, 1] but for a Gaussian's; or the point. It is written into `into` where that is given.
   */
  decode(z, into = new Float32Array(this.values)) {
    if (!this.exact) return this.#lookUp(z, into);
    let x = z;
    this.layers.forEach((layer, i) => {
      const out = i === this.layers.length - 1 ? into : layer.out;
      multiply(layer, x, out);
      x = out;
    });
    return this.channels > 1 ? this.#turn(into) : into;
  }

  /** The same as bytes, for drawing. */
  draw(z, into = new Uint8Array(this.size), at = 0) {
    this.scratch ??= new Float32Array(this.values);
    this.decode(z, this.scratch);
    if (this.span) {
      tile(this.scratch, this.span, into, at);
      return into;
    }
    for (let i = 0; i < this.size; i++) {
      const value = this.scratch[i];
      into[at + i] = value <= 0 ? 0 : value >= 1 ? 255 : value * 255 + 0.5;
    }
    return into;
  }

  #prepare({ layers, link, shape }, parts) {
    this.layers = [];
    for (const [kind, name] of layers) {
      if (kind === "linear") {
        const weight = floats(parts[`${name}.weight`]);
        const bias = floats(parts[`${name}.bias`]);
        this.layers.push({ weight, bias, out: new Float32Array(bias.length), then: [] });
      } else {
        this.layers.at(-1).then.push(ACTIVATIONS[kind]);
      }
    }
    // The means come before what a likelihood may want beside them, which is not computed.
    this.layers.at(-1).then.push(LINKS[link]);
    this.channels = shape.length === 3 ? shape[0] : 1;
  }

  /** From colour first to colour last. */
  #turn(values) {
    const { channels } = this;
    this.turned ??= new Float32Array(this.values);
    this.turned.set(values);
    const each = this.values / channels;
    for (let channel = 0; channel < channels; channel++) {
      for (let i = 0; i < each; i++) values[i * channels + channel] = this.turned[channel * each + i];
    }
    return values;
  }

  /** Where a code lies on the plane of the atlas. */
  #place(z) {
    if (!this.plane) return [...z].slice(0, 2);
    const place = [0, 0];
    z.forEach((value, i) => {
      place[0] += value * this.plane[2 * i];
      place[1] += value * this.plane[2 * i + 1];
    });
    return place;
  }

  /** Between the images around a place, or at the border nearest to it. */
  #lookUp(z, into) {
    const { shape, data, type } = this.atlas;
    const places = this.#place(z).map((value, axis) => {
      const last = shape[axis] - 1;
      const at = Math.min(Math.max(((value / this.reach + 1) / 2) * last, 0), last);
      const low = Math.min(Math.floor(at), Math.max(last - 1, 0));
      return [low, at - low];
    });
    into.fill(0);
    for (let corner = 0; corner < 2 ** places.length; corner++) {
      let [index, weight] = [0, type === "u1" ? 1 / 255 : 1];
      places.forEach(([low, share], axis) => {
        const high = (corner >> axis) & 1;
        index = index * shape[axis] + low + high;
        weight *= high ? share : 1 - share;
      });
      if (weight === 0) continue;
      const start = index * this.values;
      for (let i = 0; i < this.values; i++) into[i] += weight * data[start + i];
    }
    return into;
  }
}

/** out = then(weight · x + bias). */
function multiply({ weight, bias, then }, x, out) {
  const wide = x.length;
  for (let row = 0, at = 0; row < out.length; row++) {
    let sum = bias[row];
    for (let column = 0; column < wide; column++) sum += weight[at++] * x[column];
    for (const activation of then) sum = activation(sum);
    out[row] = sum;
  }
}

/** Colour last; of points as it is. */
function imageShape(shape) {
  return shape.length === 3 ? [shape[1], shape[2], shape[0]] : shape;
}

/** An array of floats, of which half precision travels as its bits. */
function floats({ type, data }) {
  return type === "u2" ? Float32Array.from(data, half) : data;
}

/** The number that 16 bits stand for. */
function half(bits) {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
