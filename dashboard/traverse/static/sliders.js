/** A slider for each number of a code, those that carry most first. */

import { unitName } from "../live/axes.js";
import { coordinate, number } from "../live/format.js";
import { write } from "../live/strip.js";

const FARTHEST = 4; // that a slider reaches, unless a code lies beyond
const STEP = 0.05;

export class Sliders {
  /** `moved(dimension, value)` hears of a change. */
  constructor(element, moved) {
    Object.assign(this, { element, moved, key: "", rows: new Map() });
  }

  /** Have a slider for each dimension in `order`, with its rate of `kl` nats. */
  offer(order, kl) {
    const key = order.join();
    if (key !== this.key && !this.element.matches(":has(:active)")) {
      this.key = key;
      this.rows = new Map(order.map((dimension) => [dimension, this.#row(dimension)]));
      this.element.replaceChildren(...Array.from(this.rows.values(), ({ line }) => line));
    }
    const most = Math.max(...kl.map((nats) => nats ?? 0), 1e-9);
    for (const [dimension, { bar, rate }] of this.rows) {
      write(rate, number(kl[dimension], 2));
      bar.style.transform = `scaleX(${Math.max(0, kl[dimension] ?? 0) / most})`;
    }
  }

  /** Stand at a code. */
  show(code) {
    for (const [dimension, { input, said }] of this.rows) {
      const value = code[dimension] ?? 0;
      const farthest = Math.max(FARTHEST, Math.ceil(Math.abs(value)));
      Object.assign(input, { min: -farthest, max: farthest });
      if (Math.abs(input.value - value) > STEP / 2 || document.activeElement !== input) input.value = value;
      write(said, coordinate(value));
      input.setAttribute("aria-valuetext", coordinate(value));
    }
  }

  #row(dimension) {
    const line = document.createElement("label");
    line.innerHTML = `<b>${unitName(dimension)}</b>
      <input type="range" min="${-FARTHEST}" max="${FARTHEST}" step="${STEP}"
        aria-label="z${dimension + 1}" data-dimension="${dimension}">
      <output></output><span class="rate" title="Rate of this dimension, nats"><i></i><em></em></span>`;
    const [input, said] = [line.querySelector("input"), line.querySelector("output")];
    input.oninput = () => this.moved(dimension, Number(input.value));
    return { line, input, said, bar: line.querySelector("i"), rate: line.querySelector("em") };
  }
}
