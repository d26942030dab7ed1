/** The images that a snapshot holds, as buttons. */

import { sheetOf } from "../live/gallery.js";
import { oneOf } from "../live/words.js";

export class Picker {
  /** `picked(image)` hears which one was pressed; null is the origin. */
  constructor(element, theme, picked) {
    Object.assign(this, { element, theme, picked, key: "" });
    element.onclick = ({ target }) => {
      const button = target.closest("button");
      if (button) picked(button.dataset.image === "" ? null : Number(button.dataset.image));
    };
  }

  /** Offer the images of a subject, with `origin` also none of them. */
  offer(subject, origin) {
    const { originals, label, shown } = subject.codes;
    const key = [subject.run.id, originals.shape, shown.data, origin, this.theme.dark].join();
    if (key === this.key) return;
    this.key = key;
    const sheet = sheetOf({ ...originals, grey: 1 }, this.theme);
    const [count, h, w] = originals.shape;
    const buttons = Array.from({ length: count }, (_, i) => {
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width: w, height: h });
      canvas.getContext("2d").drawImage(sheet, 0, i * h, w, h, 0, 0, w, h);
      const name = subject.run.classes[label.data[i]] ?? "no class";
      return this.#button(i, canvas, `Held-out ${oneOf(subject.run)} ${shown.data[i]}: ${name}`);
    });
    const none = document.createElement("span");
    none.textContent = "0";
    if (origin) buttons.unshift(this.#button("", none, "The origin, z = 0"));
    this.element.replaceChildren(...buttons);
  }

  /** Mark the chosen one; null is the origin, undefined none. */
  mark(image) {
    for (const button of this.element.children) {
      button.setAttribute("aria-pressed", image !== undefined && button.dataset.image === String(image ?? ""));
    }
  }

  #button(image, face, title) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", title });
    button.setAttribute("aria-label", title);
    button.dataset.image = image;
    button.append(face);
    return button;
  }
}
