/** A small menu that saves what a panel shows: as a picture, as a drawing, as numbers. */

import { placeHelp } from "./help.js";

const ICON = `<svg viewBox="0 0 14 14" aria-hidden="true"><path d="M7 1V9M3.5 5.5L7 9L10.5 5.5M2 12.5H12" /></svg>`;
const SCALE = 3; // px of a picture for one of the page

let menus = 0; // so that each has an id of its own

export class SaveMenu {
  /**
   * Below a button put into `element`: an entry for each of `offers`, { label: make }; `make(told)`
   * gives [name, blob] or null, and may tell how far it is. `what` it is of, for screen readers.
   */
  constructor(element, what, offers) {
    const id = `saves-${menus++}`;
    element.innerHTML = `<button type="button" class="tool save" popovertarget="${id}"
        aria-label="Save ${what}" title="Save ${what}">${ICON}</button>
      <div id="${id}" class="helptext savelist" popover></div>`;
    this.list = element.querySelector(".savelist");
    this.list.append(...Object.entries(offers).map(([label, make]) => this.#entry(label, make)));
    placeHelp(element);
  }

  #entry(label, make) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: label });
    button.onclick = async () => {
      if (button.disabled) return;
      button.disabled = true;
      const told = (text) => (button.textContent = `${label} ${text}`);
      try {
        const made = await make(told);
        if (made) download(...made);
        button.textContent = label;
        if (made) this.list.hidePopover();
      } catch (error) {
        button.textContent = `${label}: ${error.message}`;
      } finally {
        button.disabled = false;
      }
    };
    return button;
  }
}

/** What every canvas can be saved as: `name()` is the file's, `numbers()` the rows of its CSV. */
export function offersOf(surface, theme, name, numbers) {
  return {
    PNG: async () => [`${name()}.png`, await surface.png(theme.background, SCALE)],
    SVG: async () => [`${name()}.svg`, new Blob([surface.svg(theme.background)], { type: "image/svg+xml" })],
    CSV: async () => [`${name()}.csv`, csv(numbers())],
  };
}

/** Rows of texts and numbers as CSV, the first row being the head. */
export function csv(rows) {
  const cell = (value) => {
    if (value == null || Number.isNaN(value)) return "";
    const text = String(value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return new Blob([rows.map((row) => `${row.map(cell).join()}\n`).join("")], { type: "text/csv" });
}

/** Give a file to the reader. */
export function download(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
