/** Maps between values and pixels, and the places of ticks. */

/** A map from [low, high] to [start, end] pixels, straight in `warp(value)`. */
export class Scale {
  constructor([low, high], [start, end], warp = LINEAR) {
    Object.assign(this, { low, high, start, end, warp });
    this.from = warp.forward(low);
    const span = warp.forward(high) - this.from || 1;
    this.slope = (end - start) / span;
  }

  /** Value to pixel. */
  at(value) {
    return this.start + (this.warp.forward(value) - this.from) * this.slope;
  }

  /** Pixel to value. */
  value(pixel) {
    return this.warp.backward(this.from + (pixel - this.start) / this.slope);
  }

  /** About `count` round values within the domain, and the distance between them. */
  ticks(count) {
    return this.warp.ticks(this.low, this.high, count);
  }
}

/** Round values, 1, 2 or 5 times a power of ten apart. */
export function roundTicks(low, high, count) {
  const rough = (high - low) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough * 0.8) ?? 10);
  const values = [];
  for (let i = Math.ceil(low / step - 1e-6); i * step <= high + 1e-6 * step; i++) {
    values.push(i === 0 ? 0 : i * step);
  }
  return { values, step };
}

export const LINEAR = { forward: (v) => v, backward: (v) => v, ticks: roundTicks };

export const LOG = {
  forward: (v) => Math.log10(v),
  backward: (v) => 10 ** v,
  ticks: (low, high, count) => decades(low, high, count) ?? roundTicks(low, high, count),
};

/** Logarithmic away from zero and straight within ±bend, for values of either sign. */
export function symlog(bend) {
  return {
    forward: (v) => Math.asinh(v / bend / 2),
    backward: (v) => 2 * bend * Math.sinh(v),
    ticks(low, high, count) {
      const up = high > bend ? (decades(bend, high, count / 2)?.values ?? []) : [];
      const down = low < -bend ? (decades(bend, -low, count / 2)?.values ?? []) : [];
      const values = [...down.map((v) => -v).reverse(), 0, ...up];
      if (values.length < 2) return roundTicks(low, high, count);
      return { values: values.filter((v) => v >= low && v <= high), step: bend };
    },
  };
}

/** The map for values from low to high: LOG where all are positive, else symlog. */
export function logarithmic(low, high) {
  if (low > 0) return LOG;
  const largest = Math.max(Math.abs(low), Math.abs(high)) || 1;
  return symlog(10 ** Math.floor(Math.log10(largest / 20)));
}

/** Powers of ten, between them 2 and 5 where there is room; null where fewer than two fit. */
function decades(low, high, count) {
  const first = Math.floor(Math.log10(low) - 1e-9);
  const last = Math.ceil(Math.log10(high) + 1e-9);
  for (const factors of last - first > count ? [[1]] : [[1, 2, 5], [1]]) {
    const skip = Math.max(1, Math.ceil((last - first) / (count + 1)));
    const values = [];
    for (let power = first; power <= last; power += skip) {
      values.push(...factors.map((factor) => factor * 10 ** power));
    }
    const inside = values.filter((v) => v >= low * 0.999 && v <= high * 1.001);
    if (inside.length >= 2 && inside.length <= count * 2 + 1) return { values: inside, step: inside[0] };
  }
  return null;
}
