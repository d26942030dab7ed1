/** Ways through latent space: lists of codes. Pure functions on arrays of d numbers. */

const PARALLEL = 1e-4; // radians below which two directions count as one

/** A code with some of its numbers set: `changes` is [[dimension, value], …]. */
export function changed(code, changes) {
  const copy = Float32Array.from(code);
  for (const [dimension, value] of changes) copy[dimension] = value;
  return copy;
}

/** Rows from top to bottom of the codes over `values` of the dimensions `across` and `up`. */
export function manifold(base, [across, up], values) {
  const rows = up === undefined ? [null] : [...values].reverse();
  return rows.map((high) =>
    values.map((wide) => changed(base, high === null ? [[across, wide]] : [[up, high], [across, wide]])),
  );
}

/** The codes that differ from `base` in one dimension only. */
export const along = (base, dimension, values) =>
  values.map((value) => changed(base, [[dimension, value]]));

/** (1 − t) a + t b. */
export const straight = (a, b, t) => Float32Array.from(a, (value, i) => (1 - t) * value + t * b[i]);

/**
 * sin((1 − t)Ω)/sin Ω · a + sin(tΩ)/sin Ω · b, Ω the angle between a and b: along a sphere, where
 * the prior has its mass. Straight where they point the same way or opposite ways.
 *
 * Source: Shoemake 1985; White 2016.
 */
export function spherical(a, b, t) {
  const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  const angle = Math.acos(Math.min(Math.max(dot(a, b) / lengths, -1), 1));
  if (!(angle > PARALLEL && angle < Math.PI - PARALLEL)) return straight(a, b, t);
  const [from, to] = [Math.sin((1 - t) * angle), Math.sin(t * angle)].map((s) => s / Math.sin(angle));
  return Float32Array.from(a, (value, i) => from * value + to * b[i]);
}

/** The dimensions, those with the highest rate first. */
export const ranked = (kl) =>
  Array.from(kl, (_, i) => i).sort((a, b) => (kl[b] ?? -1) - (kl[a] ?? -1) || a - b);

/** So many values from low to high. */
export const evenly = (low, high, count) =>
  Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));

/** ‖z‖. */
export const norm = (code) => Math.hypot(...code);
