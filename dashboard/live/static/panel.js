/** The elements that panels are made of. */

import { bare } from "./words.js";

/** A panel with a title, a help text and tools; `stage` and `foot` are what it shows. */
export const panel = ({ name, title, help, tools = "", stage, foot = "" }) => `
  <section class="panel ${name}" aria-labelledby="${name}-title">
    <header>
      <h3 id="${name}-title">${title}</h3>
      <button type="button" class="help" popovertarget="${name}-help" aria-label="Help: ${bare(title)}">?</button>
      <div class="tools">${tools}<span class="saves"></span></div>
    </header>
    <div class="stage">${stage}</div>
    ${foot}
    <div id="${name}-help" class="helptext" popover>${help}</div>
  </section>`;

export const canvas = (label, keys = "") =>
  `<canvas role="img" aria-label="${label}" ${keys}></canvas>`;

export const RESET = `<button type="button" class="tool reset" disabled>Show all</button>`;

export const STAMP = `<span class="stamp"></span>`;
