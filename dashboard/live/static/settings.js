/** What a viewer chose, remembered for each run until the browser's tab is closed. */

const blank = () => ({
  curves: { range: null, log: false, hidden: [] },
  plane: { view: null, axes: "pca", hidden: [], sees: false },
});

export class Settings {
  /** `chosen()` hears of every choice. */
  constructor(chosen) {
    this.chosen = chosen;
    Object.assign(this, blank());
    this.key = null;
  }

  /** Take up what was chosen for `run`; a new run keeps the choices, but no zoom. */
  open(run) {
    this.key = `infovae-lab:${run ?? ""}`;
    const kept = this.#stored();
    for (const [panel, values] of Object.entries(blank())) {
      const zoom = panel === "curves" ? { range: null } : { view: null };
      this[panel] = { ...values, ...this[panel], ...zoom, ...kept?.[panel] };
    }
  }

  /** Remember the present choices. */
  keep() {
    const { curves, plane } = this;
    this.chosen();
    try {
      sessionStorage.setItem(this.key, JSON.stringify({ curves, plane }));
    } catch {
      // A browser that stores nothing forgets on reload, and that is all.
    }
  }

  #stored() {
    try {
      return JSON.parse(sessionStorage.getItem(this.key));
    } catch {
      return null;
    }
  }
}
