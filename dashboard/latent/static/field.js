/** What lies behind the codes: q(z) as contours, or how it differs from the prior, and the prior. */

import { nameCircles } from "../live/codes.js";
import { Heat } from "../live/heat.js";
import { contour, drawContour, HIGHEST, LEVELS, RADII } from "./contours.js";

const DASH = [5, 4];

export class Field {
  constructor() {
    this.heat = new Heat();
    this.paths = null;
  }

  /** The colours of the difference, from too few to too many. */
  colors(theme) {
    return this.heat.colors(theme);
  }

  /**
   * A `density` on cells × cells places from -width to width, filled, or for the kind "difference"
   * what it has more or less of than the prior.
   */
  draw(context, frame, { kind, density, width, cells: n }, theme) {
    if (kind === "difference") {
      const values = density.map((value, at) => {
        const [x, y] = [Math.floor(at / n), at % n].map((i) => (2 * i * width) / (n - 1) - width);
        const share = value / HIGHEST - Math.exp(-(x * x + y * y) / 2);
        return Math.sign(share) * Math.sqrt(Math.abs(share)); // so that little is seen, too
      });
      this.heat.draw(context, frame, { values: [values], places: [n, n], reach: width, range: 1 }, theme);
    }
    if (kind !== "contours") return;
    if (this.paths?.density !== density) {
      this.paths = { density, contours: LEVELS.map((level) => contour(density, n, level)) };
    }
    const at = (scale) => (i) => scale.at((2 * width * i) / (n - 1) - width);
    context.fillStyle = context.strokeStyle = theme.text;
    context.lineWidth = 0.75;
    for (const found of this.paths.contours) {
      if (found === null) break;
      drawContour(context, found, at(frame.x), at(frame.y), { fill: 0.07, stroke: 0.4 });
    }
    context.globalAlpha = 1;
  }
}

/** The prior's contours at the same densities. */
export function drawPrior(context, { x, y }, theme) {
  const [x0, y0, unit] = [x.at(0), y.at(0), x.at(1) - x.at(0)];
  context.setLineDash(DASH);
  context.lineWidth = 1.25;
  context.strokeStyle = theme.muted;
  for (const sigma of RADII) {
    context.beginPath();
    context.arc(x0, y0, sigma * unit, 0, 2 * Math.PI);
    context.stroke();
  }
  context.setLineDash([]);
  nameCircles(context, { x, y }, theme);
}
