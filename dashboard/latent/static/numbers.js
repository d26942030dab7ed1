/** The numbers beside the picture: what codes carry and how they miss the prior. */

import { count, number } from "../live/format.js";
import { place } from "../live/history.js";
import { write } from "../live/strip.js";
import { nounOf } from "../live/words.js";

const CAPPED = 0.98; // share of log N from which an estimate of I is a bound only

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

/** The values at the step in view, and where they come from; see `Numbers.show`. */
export function valuesOf({ posteriors, history, measured, about }) {
  if (!posteriors) return {};
  const { step, split, count: codes } = posteriors;
  const exact = `Of the posteriors of ${count(codes)} ${split} ${nounOf(about)} at step ${count(step)}, nothing drawn.`;
  const logged = (name, side) => {
    const value = history.value("codes", name, step);
    const steps = history.steps("codes");
    const at = steps[place(steps, step)];
    if (value === undefined || value === null) return { from: "This run did not log it before this step." };
    const many = about?.codes ?? codes;
    const capped = history.value("codes", "mutual_information", step) > CAPPED * Math.log(many);
    return {
      value,
      side: capped ? side : "",
      from: `From ${count(many)} held-out codes at step ${count(at)}; more than log N = ${Math.log(many).toFixed(2)} cannot be seen.`,
    };
  };
  const values = {
    mutual_information: logged("mutual_information", "≥"),
    marginal_kl: logged("marginal_kl", "≤"),
    rate: { value: posteriors.rate, from: exact },
    mmd2_rbf: { value: posteriors.mmd2, from: exact },
    active_units: { value: posteriors.active_units, of: posteriors.dimensions, from: exact },
    log_det_cov_test: { value: posteriors.log_det, from: exact },
  };
  for (const [name, { value, low, high, step: at, n }] of Object.entries(measured)) {
    if (!(name in values) || value === null || at !== step) continue;
    const range = low === null ? "" : `, ${low.toPrecision(3)} to ${high.toPrecision(3)}`;
    values[name].value ??= value;
    values[name].from += ` Evaluated at this step: ${value.toPrecision(3)}${range}, on ${count(n ?? 0)} held-out ${nounOf(about)}.`;
  }
  return values;
}
