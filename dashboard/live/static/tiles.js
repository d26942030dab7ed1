/** Points as small pictures, to stand where images do. */

const SIDE = 32; // px
const AXIS = 46; // level, of 255
const RADIUS = 2.6; // px of a dot
const GAP = 0.2; // share of a bar's room that is left free

/** Grey pictures u8 [n, SIDE, SIDE] of points f32 [n, k]; a tile reaches from -span to span. */
export function tiles({ shape: [count, wide], data }, span) {
  const made = new Uint8Array(count * SIDE * SIDE);
  for (let i = 0; i < count; i++) {
    tile(data.subarray(i * wide, (i + 1) * wide), span, made, i * SIDE * SIDE);
  }
  return { shape: [count, SIDE, SIDE], data: made, grey: 1 };
}

/** The shape of a tile. */
export const TILE = [SIDE, SIDE];

/** One point as a dot between axes, a number as a dot on one, more values as bars. */
export function tile(point, span, into, at = 0) {
  const middle = (SIDE - 1) / 2;
  const place = (value) => middle + (Math.min(Math.max(value / span, -1), 1) || 0) * (middle - RADIUS);
  into.fill(0, at, at + SIDE * SIDE);
  for (let i = 0; i < SIDE; i++) {
    into[at + (SIDE >> 1) * SIDE + i] = AXIS;
    if (point.length <= 2) into[at + i * SIDE + (SIDE >> 1)] = AXIS;
  }
  if (point.length > 2) drawBars(point, place, into, at);
  else drawDot(place(point[0]), SIDE - 1 - place(point[1] ?? 0), into, at);
}

function drawDot(x, y, into, at) {
  for (let row = 0; row < SIDE; row++) {
    for (let column = 0; column < SIDE; column++) {
      const cover = Math.min(Math.max(RADIUS + 0.5 - Math.hypot(column - x, row - y), 0), 1);
      const i = at + row * SIDE + column;
      into[i] += (255 - into[i]) * cover;
    }
  }
}

function drawBars(values, place, into, at) {
  const room = SIDE / values.length;
  values.forEach((value, k) => {
    const [first, last] = [Math.round((k + GAP / 2) * room), Math.round((k + 1 - GAP / 2) * room)];
    const ends = [SIDE - 1 - place(value), SIDE >> 1].map(Math.round).sort((a, b) => a - b);
    for (let row = ends[0]; row <= ends[1]; row++) {
      into.fill(255, at + row * SIDE + first, at + row * SIDE + Math.max(last, first + 1));
    }
  });
}
