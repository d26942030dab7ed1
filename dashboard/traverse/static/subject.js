/** One run at one step: its decoder, and the codes of the images that its snapshot holds. */

import { decodeRemotely, loadDecoder, stepsOf } from "../live/decoder.js";
import { place } from "../live/history.js";
import { open } from "../live/snapshot.js";
import { tiles } from "../live/tiles.js";
import { ranked } from "./paths.js";

const BATCH = 64; // codes that the server is asked for at once
const KEPT = 64; // steps whose codes are kept, of all runs

const kept = new Map(); // promises, by address

/**
 * { mean, std, label, shown, originals, reconstructions, kl } of a run at a step, or null. Points
 * have tiles for originals, and are themselves the `points`.
 */
function loadCodes(api, run, step) {
  const url = `${api}/${run}/codes/${step}`;
  if (!kept.has(url)) {
    kept.set(url, fetchCodes(url));
    if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  }
  return kept.get(url);
}

async function fetchCodes(url) {
  try {
    const response = await fetch(url);
    if (response.ok) {
      const { header, parts } = open(await response.arrayBuffer());
      const { kl, span } = header;
      const { originals, reconstructions } = parts;
      if (!span) return { ...parts, kl };
      return { ...parts, kl, points: originals, originals: tiles(originals, span), reconstructions: tiles(reconstructions, span) };
    }
  } catch {
    // The server does not answer; it may the next time.
  }
  kept.delete(url);
  return null;
}

/** The last of the rising `steps` at or before a step, or the first. */
const before = (steps, step) => steps[Math.max(0, place(steps, step))];

export class Subject {
  /** `run` is { id, name, glyph, color, objective, active, classes }. */
  constructor(api, run) {
    Object.assign(this, { api, run, steps: [], drawn: [], bytes: 0, step: null });
  }

  /** Look which steps there are by now. */
  async look() {
    const found = await stepsOf(this.api, this.run.id);
    if (!found) return;
    Object.assign(this, { steps: found.decoders, drawn: found.steps, bytes: found.bytes });
  }

  /** Be as the run was at a step, or is now; whether that is so by the time it could be. */
  async go(step) {
    if (!this.steps.length || !this.drawn.length) return false;
    const wanted = before(this.steps, step ?? Infinity);
    if (wanted === this.step) return true;
    this.wanted = wanted;
    const { api, run } = this;
    const [decoder, codes] = await Promise.all([
      loadDecoder(api, run.id, wanted),
      loadCodes(api, run.id, before(this.drawn, wanted)),
    ]);
    if (this.wanted !== wanted || !decoder || !codes) return false;
    Object.assign(this, { step: wanted, decoder, codes });
    this.order = ranked(codes.kl);
    return true;
  }

  /** Whether there is something to be drawn. */
  get ready() {
    return this.step !== null;
  }

  get dimensions() {
    return this.decoder.dimensions;
  }

  get images() {
    return this.codes.shown.data.length;
  }

  /** The code of a base: the origin, the mean code of an image, or one that was set. */
  codeOf({ image, z }) {
    const d = this.dimensions;
    if (z?.length === d) return z;
    if (image == null || image >= this.images) return new Float32Array(d);
    return this.codes.mean.data.slice(image * d, (image + 1) * d);
  }

  /** The class of an image, in words. */
  nameOf(image) {
    return this.run.classes[this.codes.label.data[image]] ?? "no class";
  }

  /** What was encoded, as one tile. */
  original(image) {
    const { shape: [, ...size], data } = this.codes.originals;
    const each = size.reduce((product, n) => product * n, 1);
    return { shape: [1, ...size], data: data.subarray(image * each, (image + 1) * each) };
  }

  /** Whether codes decode to points of a space that can be drawn. */
  get plane() {
    return this.decoder.exact && this.decoder.span !== null && this.decoder.values > 1;
  }

  /**
   * The images of codes, { shape: [n, h, w(, c)], data }; null where they cannot be had now. `told`
   * hears of the share that is there.
   */
  async paint(codes, told = () => {}) {
    const { decoder } = this;
    if (!codes.every((z) => decoder.covers(z))) return this.#askFor(codes, told);
    const data = new Uint8Array(codes.length * decoder.size);
    codes.forEach((z, i) => decoder.draw(z, data, i * decoder.size));
    return { shape: [codes.length, ...decoder.shape], data };
  }

  async #askFor(codes, told) {
    const parts = [];
    for (let from = 0; from < codes.length; from += BATCH) {
      const batch = codes.slice(from, from + BATCH);
      const flat = new Float32Array(batch.length * this.dimensions);
      batch.forEach((z, i) => flat.set(z, i * this.dimensions));
      parts.push(await decodeRemotely(this.api, this.run.id, this.decoder, flat));
      told((from + batch.length) / codes.length);
    }
    return parts.every(Boolean) ? together(parts) : null;
  }
}

/** Images of one size in one piece. */
export function together(parts) {
  const [, ...size] = parts[0].shape;
  const data = new Uint8Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  const each = size.reduce((product, n) => product * n, 1);
  return { shape: [data.length / each, ...size], data };
}
