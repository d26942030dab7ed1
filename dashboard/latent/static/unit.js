/** One unit of the code: its density beside N(0, 1), and its quantiles against those of N(0, 1). */

import { unitName } from "../live/axes.js";
import { number, tick } from "../live/format.js";
import { roundTicks, Scale } from "../live/scale.js";
import { write } from "../live/strip.js";
import { haloed, line, Surface } from "../live/surface.js";
import { bell, bellAt, drawBase, drawDashed, drawFilled, drawTicks, normal } from "./densities.js";

const CURVES = 16; // posteriors of selected images drawn at most
const DASH = [5, 4];
const FOOT = 18; // px for the axes
const LEFT = 26;
const LEAST = 3; // σ to which the quantiles' picture reaches

export class Unit {
  /** `shared` is the view; it hears `choose({ plane })`. */
  constructor(section, shared) {
    this.shared = shared;
    const find = (selector) => section.querySelector(selector);
    this.title = find("h3");
    this.buttons = [...section.querySelectorAll("[data-axis]")];
    this.surface = new Surface(find(".stage"), (...canvas) => this.#draw(...canvas));
    this.buttons.forEach((button, axis) => (button.onclick = () => this.#put(axis)));
  }

  refresh() {
    const { posteriors, unit, dimensions } = this.shared;
    const symbol = unitName(unit);
    write(this.title, `${symbol} beside N(0, 1)`);
    const axes = posteriors?.axes;
    this.buttons.forEach((button, axis) => {
      button.hidden = dimensions <= 2;
      button.setAttribute("aria-pressed", axes !== "pca" && axes?.[axis] === unit);
      button.setAttribute("aria-label", `Put ${symbol} on the axis ${axis ? "up" : "across"}`);
    });
    this.surface.invalidate();
  }

  describe() {
    const { posteriors, unit } = this.shared;
    if (!posteriors) return "One unit; no codes yet.";
    return `z${unit + 1}: rate ${number(posteriors.kl[unit])} nats, divergence of its density from N(0, 1) ${number(posteriors.gap[unit])} nats.`;
  }

  /** Quantiles as rows of numbers. */
  numbers() {
    const { posteriors, unit } = this.shared;
    const found = [...(posteriors?.quantiles[unit] ?? [])];
    const at = (k) => ((2 * k) / (found.length - 1) - 1) * posteriors.tail;
    const rows = found.map((value, k) => [at(k).toPrecision(6), value.toPrecision(6)]);
    return [["quantile of N(0, 1)", `quantile of z${unit + 1}`], ...rows];
  }

  close() {
    this.surface.close();
  }

  /** Show this unit on one axis of the plane, and another on the other. */
  #put(axis) {
    const { posteriors, unit } = this.shared;
    if (!posteriors) return;
    const axes = posteriors.axes === "pca" ? posteriors.order.slice(0, 2) : [...posteriors.axes];
    if (axes[1 - axis] === unit) axes[1 - axis] = axes[axis];
    axes[axis] = unit;
    if (axes[0] === axes[1]) axes[1 - axis] = posteriors.order.find((other) => other !== unit);
    this.shared.choose({ plane: axes.join() });
  }

  #draw(context, width, height) {
    if (!this.shared.posteriors) return;
    const half = Math.min(height, width / 2 - 8);
    this.#drawDensity(context, { left: 4, right: width - half - 16, top: 4, bottom: height - FOOT });
    this.#drawQuantiles(context, {
      left: width - half + LEFT - 8,
      right: width - 4,
      top: 4,
      bottom: height - FOOT,
    });
  }

  #drawDensity(context, { left, right, top, bottom }) {
    const { theme, posteriors, unit, selected, focused, chosen } = this.shared;
    const values = posteriors.marginals[unit];
    const reach = posteriors.width[unit];
    const x = new Scale([-reach, reach], [left, right]);
    const highest = 1.05 * Math.max(normal(0), ...values);
    const y = new Scale([0, highest], [bottom, top + 14]);
    drawTicks(context, x, bottom, theme);
    drawFilled(
      context,
      values,
      (i) => x.at(-reach + ((2 * i + 1) * reach) / values.length),
      (value) => y.at(value),
      bottom,
      theme,
    );
    if (!chosen.hidden.includes("prior")) {
      drawDashed(context, bell(reach), (i) => x.at(bellAt(i, reach)), (v) => y.at(v), theme, DASH);
    }
    this.#drawPosteriors(context, x, { left, right, top, bottom }, selected, focused);
    drawBase(context, { left, right, bottom }, `KL ${number(posteriors.gap[unit], 2)} nats`, theme);
  }

  /** The posteriors of selected images, as high as there is room: their widths are to be seen. */
  #drawPosteriors(context, x, { left, right, top, bottom }, selected, focused) {
    const { theme, posteriors, unit, colorOf } = this.shared;
    const shown = selected.length > CURVES ? [] : [...selected];
    if (focused !== undefined && !shown.includes(focused)) shown.push(focused);
    const ticks = selected.length > CURVES ? selected : [];
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top + 4);
    context.clip();
    const tallest = Math.max(...shown.map((i) => 1 / posteriors.std(i, unit)), 1);
    for (const i of shown) {
      const [mean, std] = [posteriors.mean(i, unit), posteriors.std(i, unit)];
      const peak = ((bottom - top - 18) * Math.sqrt(1 / std / tallest)) / normal(0);
      context.beginPath();
      for (let k = -40; k <= 40; k++) {
        const z = mean + (k / 10) * std;
        context.lineTo(x.at(z), bottom - peak * normal(k / 10));
      }
      context.strokeStyle = i === focused ? theme.text : colorOf(i);
      context.lineWidth = i === focused ? 2.25 : 1.5;
      context.stroke();
    }
    context.lineWidth = 1;
    for (const i of ticks) {
      const at = x.at(posteriors.mean(i, unit));
      context.strokeStyle = colorOf(i);
      line(context, at, bottom - 6, at, bottom + 3);
    }
    context.restore();
  }

  #drawQuantiles(context, { left, right, top, bottom }) {
    const { theme, posteriors, unit, selected, focused } = this.shared;
    const found = posteriors.quantiles[unit];
    const { tail } = posteriors;
    const reach = Math.max(LEAST, ...found.map(Math.abs));
    const x = new Scale([-LEAST, LEAST], [left, right]);
    const y = new Scale([-reach, reach], [bottom, top]);
    drawTicks(context, x, bottom, theme, 4);
    context.font = theme.face(11);
    context.textAlign = "right";
    context.textBaseline = "middle";
    const rows = roundTicks(-reach, reach, 4);
    for (const value of rows.values) {
      const at = Math.round(y.at(value)) + 0.5;
      context.strokeStyle = theme.grid;
      line(context, left, at, right, at);
      context.fillStyle = theme.muted;
      context.fillText(tick(value, rows.step), left - 4, at);
    }
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    context.setLineDash(DASH);
    context.strokeStyle = theme.muted;
    context.lineWidth = 1.25;
    line(context, x.at(-LEAST), y.at(-LEAST), x.at(LEAST), y.at(LEAST));
    context.setLineDash([]);
    context.beginPath();
    const at = (k) => -tail + (2 * tail * k) / (found.length - 1);
    found.forEach((value, k) => context.lineTo(x.at(at(k)), y.at(value)));
    context.strokeStyle = theme.text;
    context.lineWidth = 2;
    context.stroke();
    for (const i of focused === undefined ? selected : [...selected, focused]) {
      this.#drawPlace(context, x, y, i, found, at, i === focused);
    }
    context.restore();
    context.font = theme.face(12);
    context.textAlign = "left";
    context.textBaseline = "top";
    haloed(context, "Q–Q", left + 4, top, theme.muted, theme.background);
  }

  /** Where a code's mean lies on the curve of quantiles. */
  #drawPlace(context, x, y, i, found, at, large) {
    const { theme, posteriors, unit, colorOf } = this.shared;
    const mean = posteriors.mean(i, unit);
    let k = found.findIndex((value) => value >= mean);
    if (k < 0) k = found.length - 1;
    const [low, high] = [found[k - 1] ?? found[0], found[k]];
    const share = high > low ? Math.min(1, (mean - low) / (high - low)) : 0;
    const across = k === 0 ? at(0) : at(k - 1) + (at(k) - at(k - 1)) * share;
    context.beginPath();
    context.arc(x.at(across), y.at(mean), large ? 4.5 : 2.5, 0, 2 * Math.PI);
    context.fillStyle = large ? theme.text : colorOf(i);
    context.fill();
  }
}
