/** A choice of what a plane's axes are: two units of the code, or its principal components. */

import { subscript } from "./format.js";

/** The name of unit j, which counts from 0. */
export const unitName = (j) => `z${subscript(j + 1)}`;

/** The units of a code of so many numbers, in their order, as `Axes.offer` takes them. */
export const unitsOf = (dimensions) => Array.from({ length: dimensions }, (_, j) => [j, unitName(j)]);

/** The names of axes as the server says them: "pca", or units. */
export const namesOf = (axes) => (axes === "pca" ? ["PC 1", "PC 2"] : axes.map(unitName));

export class Axes {
  /** `element` holds two selects and maybe a button .pca; `chosen(plane)` hears "3,1" or "pca". */
  constructor(element, chosen) {
    this.element = element;
    this.pca = element.querySelector(".pca");
    this.selects = [...element.querySelectorAll("select")];
    if (this.pca) this.pca.onclick = () => chosen("pca");
    for (const select of this.selects) {
      select.onchange = () => {
        const other = this.selects.find((each) => each !== select);
        // Of one unit alone there is no plane: the other axis gives way to its neighbour.
        if (other.value === select.value) other.selectedIndex = (select.selectedIndex + 1) % select.length;
        chosen(this.selects.map(({ value }) => value).join());
      };
    }
  }

  /** Offer units, [[unit, name], …]; where there are no more than two there is nothing to choose. */
  offer(units) {
    this.element.hidden = units.length <= 2;
    for (const select of this.selects) {
      if (select.length !== units.length) select.replaceChildren(...units.map(() => new Option()));
      units.forEach(([value, text], k) => {
        const option = select.options[k];
        if (option.value !== String(value) || option.text !== text) Object.assign(option, { value, text });
      });
    }
  }

  /** Show which units are on the axes; those of "pca" are called `otherwise`. */
  show(plane, otherwise = [0, 1]) {
    this.pca?.setAttribute("aria-pressed", plane === "pca");
    const shown = plane === "pca" ? otherwise : plane.split(",");
    this.selects.forEach((select, k) => (select.value = shown[k]));
  }
}
