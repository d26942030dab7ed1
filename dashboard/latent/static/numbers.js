/** The numbers beside the picture: what codes carry and how they miss the prior. */

import { count, number } from "../live/format.js";
import { write } from "../live/strip.js";

export class Numbers {
  /** `facts` are [{ name, symbol, title, unit, help }]. */
  constructor(element, facts) {
    this.facts = facts;
    element.innerHTML = facts
      .map(
        ({ name, symbol, title }) => `
          <span class="number" data-name="${name}">
            <span>${symbol}</span> <b>–</b>
            <button type="button" class="help" popovertarget="number-${name}" aria-label="Help: ${title}">?</button>
            <span id="number-${name}" class="helptext" popover></span>
          </span>`,
      )
      .join("");
    this.cells = new Map(
      facts.map(({ name }) => [name, element.querySelector(`[data-name="${name}"]`)]),
    );
  }

  /**
   * Show values, { value, from } by name: `from` says where each comes from, `of` is
   * what a count is out of, `side` "≥" or "≤" says that it is a bound.
   */
  show(values) {
    for (const { name, title, unit, help } of this.facts) {
      const cell = this.cells.get(name);
      const { value = null, of, side = "", from = "" } = values[name] ?? {};
      write(cell.querySelector("b"), of ? `${count(value)} of ${of}` : `${side} ${number(value)}`.trim());
      const said = [`${title}, in ${unit}.`, help, from].filter(Boolean);
      const text = cell.querySelector(".helptext");
      if (text.dataset.said === said.join()) continue;
      text.dataset.said = said.join();
      text.replaceChildren(
        ...said.map((sentence) => Object.assign(document.createElement("p"), { textContent: sentence })),
      );
    }
  }
}
