/** What can be chosen on the page of a run, and how the address says it. */

import { FLAG, plane, RANGE, VIEW, WHOLE, WORDS } from "./address.js";

/** The panel and the name there of each; `step` is the slider's. */
const PLACES = {
  plane: ["plane", "axes"],
  view: ["plane", "view"],
  hidden: ["plane", "hidden"],
  sees: ["plane", "sees"],
  range: ["curves", "range"],
  log: ["curves", "log"],
  without: ["curves", "hidden"],
};

export const CHOICES = {
  step: WHOLE,
  plane: plane("pca"),
  view: VIEW,
  hidden: WORDS,
  sees: FLAG,
  range: RANGE,
  log: FLAG,
  without: WORDS,
};

/** What the panels' settings come to in the address. */
export const said = (settings) =>
  Object.fromEntries(Object.entries(PLACES).map(([name, [panel, key]]) => [name, settings[panel][key]]));

/** Put what the address says into the settings; where it says what is usual, only without `usual`. */
export function put(settings, chosen, usual = {}) {
  for (const [name, [panel, key]] of Object.entries(PLACES)) {
    if (!(name in usual) || String(chosen[name]) !== String(usual[name])) settings[panel][key] = chosen[name];
  }
}
