/** How far from the origin codes lie, beside how far draws of the prior do. */

import { number } from "../live/format.js";
import { Scale } from "../live/scale.js";
import { line, Surface } from "../live/surface.js";
import { drawBase, drawDashed, drawFilled, drawTicks } from "./densities.js";

const FOOT = 18; // px for the axis
const DASH = [5, 4];

export class Rings {
  /** `shared` is the view. */
  constructor(section, shared) {
    this.shared = shared;
    this.surface = new Surface(section.querySelector(".stage"), (...canvas) => this.#draw(...canvas));
  }

  refresh() {
    this.surface.invalidate();
  }

  describe() {
    const { posteriors } = this.shared;
    if (!posteriors) return "Distances from the origin; no codes yet.";
    const [q, p] = [posteriors.distances, posteriors.typical].map(([low, middle, high]) =>
      `${number(middle)}, nine of ten from ${number(low)} to ${number(high)}`);
    return `‖z‖ under q(z): median ${q}. Under the prior: median ${p}.`;
  }

  /** Both densities as rows of numbers. */
  numbers() {
    const { rings = [], chi, farthest } = this.shared.posteriors ?? {};
    const rows = Array.from(rings, (value, k) => [
      (((k + 0.5) * farthest) / rings.length).toPrecision(6),
      value.toPrecision(6),
      chi[k].toPrecision(6),
    ]);
    return [["distance", "q(z)", "p(z)"], ...rows];
  }

  close() {
    this.surface.close();
  }

  #draw(context, width, height) {
    const { theme, posteriors, selected, focused, chosen, colorOf } = this.shared;
    if (!posteriors) return;
    const { rings, chi, farthest, distances, typical } = posteriors;
    const [left, right, top, bottom] = [4, width - 6, 4, height - FOOT];
    const x = new Scale([0, farthest], [left, right]);
    const y = new Scale([0, 1.05 * Math.max(...chi, ...rings)], [bottom, top + 16]);
    drawTicks(context, x, bottom, theme);
    const middle = (k) => x.at(((k + 0.5) * farthest) / rings.length);
    drawFilled(context, rings, middle, (value) => y.at(value), bottom, theme);
    if (!chosen.hidden.includes("prior")) {
      drawDashed(context, chi, middle, (value) => y.at(value), theme, DASH);
    }
    context.lineWidth = 1;
    for (const i of selected) {
      context.strokeStyle = colorOf(i);
      const at = x.at(posteriors.norms[i]);
      line(context, at, bottom - 8, at, bottom + 3);
    }
    if (focused !== undefined) {
      context.strokeStyle = theme.text;
      context.lineWidth = 2.25;
      const at = x.at(posteriors.norms[focused]);
      line(context, at, top + 18, at, bottom + 4);
    }
    const said = `median ${number(distances[1])}; of the prior ${number(typical[1])}`;
    drawBase(context, { left, right, bottom }, said, theme);
  }
}
