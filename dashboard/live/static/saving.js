/** A small menu that saves what a panel shows: as a picture, as a drawing, as numbers. */

import { placeHelp } from "./help.js";

const ICON = `<svg viewBox="0 0 14 14" aria-hidden="true"><path d="M7 1V9M3.5 5.5L7 9L10.5 5.5M2 12.5H12" /></svg>`;
const SCALE = 3; // px of a picture for one of the page
const DARK = ", dark";

let menus = 0; // so that each has an id of its own

export class SaveMenu {
  /**
   * Below a button put into `element`: an entry for each of `offers`, { label: make }; `make(told)`
   * gives [name, blob] or null, and may tell how far it is. `what` it is of, for screen readers.
   * Dark pictures are offered only where the `theme` is dark.
   */
  constructor(element, what, offers, theme = null) {
    const id = `saves-${menus++}`;
    element.innerHTML = `<button type="button" class="tool save" popovertarget="${id}"
        aria-label="Save ${what}" title="Save ${what}">${ICON}</button>
      <div id="${id}" class="helptext savelist" popover></div>`;
    this.list = element.querySelector(".savelist");
    this.list.append(...Object.entries(offers).map(([label, make]) => this.#entry(label, make)));
    placeHelp(element);
    this.list.addEventListener("beforetoggle", () => {
      for (const button of this.list.children) button.hidden = button.dataset.label.endsWith(DARK) && !theme?.dark;
    });
  }

  #entry(label, make) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: label });
    button.dataset.label = label;
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

/**
 * What every panel { surface or figure, refresh(), numbers() } can be saved as: pictures as they are printed, or as
 * on a dark screen, and numbers. `name()` is the file's.
 */
export function offersOf(panel, theme, name) {
  const png = async () => {
    const canvas = await figureOf(panel)?.canvas(theme.background, SCALE);
    return canvas ? [`${name()}.png`, await canvas.convertToBlob({ type: "image/png" })] : null;
  };
  const svg = async () => {
    const text = figureOf(panel)?.svg(theme.background);
    return text ? [`${name()}.svg`, new Blob([text], { type: "image/svg+xml" })] : null;
  };
  return {
    PNG: () => printed(panel, theme, png),
    SVG: () => printed(panel, theme, svg),
    [`PNG${DARK}`]: png,
    [`SVG${DARK}`]: svg,
    CSV: async () => [`${name()}.csv`, csv(panel.numbers())],
  };
}

const figureOf = ({ surface, figure }) => (surface ? surface.figure : figure);

/** What `make()` draws of a panel in the colours of a printed page. */
export function printed(panel, theme, make) {
  if (!theme.dark) return make();
  try {
    return theme.onPaper(() => {
      panel.refresh(); // what was painted ahead, in other colours
      return make();
    });
  } finally {
    panel.refresh();
  }
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
