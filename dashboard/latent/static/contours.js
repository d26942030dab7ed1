/** Where a function on a grid is above a level, and where it crosses it. */

const BASE = 1 / (2 * Math.PI); // of N(0, I) at the origin of a plane
const WITHIN = [2.5, 2, 1.5, 1, 0.5]; // σ at which N(0, I) has the lower levels
const ABOVE = 12; // doublings of its highest density

/** The densities that the prior has at ½σ, 1σ … 2½σ, and beyond them doublings of its highest. */
export const LEVELS = [
  ...WITHIN.map((sigma) => BASE * Math.exp((-sigma * sigma) / 2)),
  ...Array.from({ length: ABOVE }, (_, i) => BASE * 2 ** (i + 1)),
];

/** The density of the prior where it is highest on a plane. */
export const HIGHEST = BASE;

/** Radii in σ at which the prior has the levels that it has. */
export const RADII = WITHIN;

/**
 * The area above `level` of values[i · n + j], i across and j up from below, in units of the grid: as
 * polygons, and the lines [from, to] around it; null where all is below.
 */
export function contour(values, n, level) {
  const [areas, edges] = [[], []];
  for (let j = 0; j < n - 1; j++) {
    let from = null; // where a run of cells began that lie above as a whole
    for (let i = 0; i < n; i++) {
      if (i < n - 1 && isFull(values, n, i, j, level)) {
        from ??= i;
        continue;
      }
      if (from !== null) areas.push([[from, j], [i, j], [i, j + 1], [from, j + 1]]);
      from = null;
      if (i < n - 1) cell(values, n, i, j, level, areas, edges);
    }
  }
  return areas.length ? { areas, edges } : null;
}

/** Fill a contour's area and draw the line around it, where (x(i), y(j)) is a place's pixel. */
export function drawContour(context, { areas, edges }, x, y, { fill, stroke }) {
  context.beginPath();
  for (const [first, ...others] of areas) {
    context.moveTo(x(first[0]), y(first[1]));
    for (const place of others) context.lineTo(x(place[0]), y(place[1]));
    context.closePath();
  }
  context.globalAlpha = fill;
  context.fill();
  context.beginPath();
  for (const [from, to] of edges) {
    context.moveTo(x(from[0]), y(from[1]));
    context.lineTo(x(to[0]), y(to[1]));
  }
  context.globalAlpha = stroke;
  context.stroke();
}

function isFull(values, n, i, j, level) {
  const at = i * n + j;
  return values[at] >= level && values[at + n] >= level && values[at + n + 1] >= level && values[at + 1] >= level;
}

/** Add what of a cell lies above the level, and where it ends. */
function cell(values, n, i, j, level, areas, edges) {
  const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]];
  const heights = corners.map(([x, y]) => values[x * n + y] - level);
  if (!heights.some((height) => height >= 0)) return;
  const [border, crossings] = [[], []];
  corners.forEach(([x, y], k) => {
    const [height, next] = [heights[k], heights[(k + 1) % 4]];
    const [nx, ny] = corners[(k + 1) % 4];
    if (height >= 0) border.push([x, y]);
    if (height >= 0 === next >= 0) return;
    const share = height / (height - next);
    const place = [x + (nx - x) * share, y + (ny - y) * share];
    border.push(place);
    crossings.push({ place, leaves: height >= 0 });
  });
  areas.push(border);
  crossings.forEach(({ place, leaves }, k) => {
    if (leaves) edges.push([place, crossings[(k + 1) % crossings.length].place]);
  });
}
