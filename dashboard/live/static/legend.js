/** Buttons that show and hide what they name. */

export class Legend {
  /** `toggled(name)` hears which entry was pressed. */
  constructor(element, toggled) {
    this.element = element;
    element.onclick = (event) => {
      const button = event.target.closest("button");
      if (button) toggled(button.dataset.name);
    };
  }

  /** Have these entries, [{ name, label, kind }]; the kind is for the style sheet. */
  set(entries) {
    const key = JSON.stringify(entries);
    if (key === this.key) return;
    this.key = key;
    this.element.replaceChildren(
      ...entries.map(({ name, label, kind }) => {
        const button = document.createElement("button");
        Object.assign(button, { type: "button", title: label });
        Object.assign(button.dataset, { name, kind });
        const text = document.createElement("span");
        text.textContent = label;
        button.append(document.createElement("i"), text);
        return button;
      }),
    );
  }

  /** Mark the `hidden` entries, and give each entry that has one its colour. */
  show(hidden, colors) {
    for (const button of this.element.children) {
      const { name } = button.dataset;
      button.setAttribute("aria-pressed", !hidden.includes(name));
      if (colors[name]) button.style.setProperty("--color", colors[name]);
    }
  }
}

/** A list of hidden names with `name` put in, or taken out. */
export function toggle(hidden, name) {
  return hidden.includes(name) ? hidden.filter((other) => other !== name) : [...hidden, name];
}
