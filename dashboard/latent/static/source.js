/** Gets the posteriors of a run at a step on a plane, always those that were wanted last. */

import { open } from "../live/snapshot.js";

const NO_LEVEL = 65535; // stands for a coordinate that is not finite

/** Nothing came; the message says why, where the server said it. */
export class Missing extends Error {}

export class Source {
  constructor() {
    this.run = null;
    this.took = 0; // ms that the last answer took
  }

  /** The posteriors wanted: a promise of them, of null once others are wanted, or it is `Missing`. */
  async want(api, run, step, plane, split) {
    const url = `${api}/${run}/posteriors/${step}?plane=${plane}&split=${split}`;
    this.wanted = url;
    const begun = performance.now();
    while (this.busy) await this.busy;
    if (this.wanted !== url) return null;
    this.busy = get(url).finally(() => (this.busy = null));
    const buffer = await this.busy;
    this.took = performance.now() - begun;
    return this.wanted === url ? unpack(buffer) : null;
  }

  /** Nothing is wanted any more. */
  stop() {
    this.wanted = null;
  }
}

/** The bytes at an address. */
export async function get(url) {
  let response;
  try {
    response = await fetch(url);
    if (response.ok) return await response.arrayBuffer();
  } catch (error) {
    throw new Missing("The server does not answer.", { cause: error });
  }
  const said = await response.json().catch(() => ({}));
  throw Object.assign(new Missing(said.error ?? `The server answers ${response.status}.`), {
    status: response.status,
  });
}

/** Read the bytes of posteriors; see `dashboard/posteriors.py`. */
function unpack(buffer) {
  const { header, parts } = open(buffer);
  const [count, dimensions] = parts.mean.shape;
  const table = (name) => rows(parts[name]);
  return {
    ...header,
    sent: count,
    dimensions,
    points: coordinates(parts.points, header),
    draws: coordinates(parts.draws, header),
    spread: parts.spread.data, // of each code on the plane: variance across, up, covariance
    labels: parts.label.data,
    indices: parts.index.data,
    norms: parts.norm.data,
    density: parts.density.data,
    cells: parts.density.shape[0],
    marginals: table("marginals"),
    quantiles: table("quantiles"),
    rings: parts.rings.data,
    chi: parts.chi.data,
    covariance: table("covariance"),
    basis: rows(parts.basis),
    /** μ_j of code i. */
    mean: (i, j) => header.mean[0][j] + header.mean[1][j] * parts.mean.data[i * dimensions + j],
    /** σ_j of code i. */
    std: (i, j) => header.std[0] * header.std[1] ** parts.std.data[i * dimensions + j],
  };
}

/** An array for each row of a table. */
function rows({ shape: [count, wide], data }) {
  return Array.from({ length: count }, (_, i) => data.subarray(i * wide, (i + 1) * wide));
}

/** An array for each axis. */
function coordinates({ shape: [count, axes], data }, { low, scale }) {
  return Array.from({ length: axes }, (_, axis) =>
    Float32Array.from({ length: count }, (_, i) => {
      const level = data[i * axes + axis];
      return level === NO_LEVEL ? NaN : low[axis] + scale[axis] * level;
    }),
  );
}
