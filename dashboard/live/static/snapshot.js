/** Snapshots as they travel: a header of JSON, then arrays that lie side by side. */

const TYPES = { u1: Uint8Array, u2: Uint16Array, i2: Int16Array, i4: Int32Array, f4: Float32Array };
const NO_POINT = 65535; // stands for a coordinate that is not finite
const SIDE = 127; // levels of a signed value on each side of zero
const NO_VALUE = 255; // stands for one that is not finite

/** Header and arrays, { shape, data }, of what travels so; the arrays lie on its bytes. */
export function open(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const parts = {};
  for (const [name, [type, shape, offset]] of Object.entries(header.arrays)) {
    const size = shape.reduce((product, n) => product * n, 1);
    parts[name] = { shape, type, data: new TYPES[type](buffer, 4 + length + offset, size) };
  }
  return { header, parts };
}

/** Read the bytes of a snapshot. */
export function unpack(buffer) {
  const { header, parts } = open(buffer);
  const { step, axes, grey, span, width } = header;
  return {
    step,
    axes,
    width, // of the density: it reaches from -width to width
    plane: parts.plane, // [d, 2], where the axes are the principal ones
    points: coordinates(parts.points, header),
    labels: parts.label.data,
    splits: parts.split.data,
    indices: parts.index?.data, // of the points within their split; as the originals, sent once
    shown: parts.shown?.data, // of the originals among the held-out images
    density: parts.density?.data,
    sight: header.sees ? sight(header.sees, parts) : null,
    images: Object.fromEntries(
      ["originals", "reconstructions", "samples"]
        .filter((name) => name in parts)
        .map((name) => [name, { ...parts[name], grey, span }]), // the span of points [n, k]
    ),
  };
}

/** Coordinates of the points, an array for each axis; NaN where there was no number. */
function coordinates({ shape: [count, axes], data }, { low, scale }) {
  return Array.from({ length: axes }, (_, axis) =>
    Float32Array.from({ length: count }, (_, i) => {
      const level = data[i * axes + axis];
      return level === NO_POINT ? NaN : low[axis] + scale[axis] * level;
    }),
  );
}

/** What the run's divergence sees: said in the header, with its values as arrays of numbers. */
function sight(sees, { field, flow, pushed, shares }) {
  if (field) {
    const kind = sees.reach ? "field" : "points";
    return { ...sees, kind, places: field.shape, values: [signed(field.data, sees.scale)] };
  }
  if (flow) {
    const [, axes] = flow.shape;
    const values = Array.from({ length: axes }, (_, axis) =>
      signed(flow.data.filter((_, i) => i % axes === axis), sees.scale),
    );
    return { ...sees, kind: "flow", pushed: pushed.data, values };
  }
  const bins = shares.shape[1];
  const values = [0, 1].map((row) => shares.data.subarray(row * bins, (row + 1) * bins));
  return { ...sees, kind: "scores", values };
}

/** Values between -scale and scale; NaN where there was no number. */
function signed(levels, scale) {
  return Float32Array.from(levels, (level) =>
    level === NO_VALUE ? NaN : (scale * (level - SIDE)) / SIDE,
  );
}
