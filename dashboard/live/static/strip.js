/** The line above the panels: what the run does, how far it is, how long it still takes. */

import { capitalised, count, duration } from "./format.js";

const STATES = {
  none: "Ready",
  queued: "Queued",
  running: "Running",
  paused: "Paused",
  finished: "Finished",
  stopped: "Stopped",
  failed: "Failed",
  interrupted: "Interrupted",
  gone: "Gone",
};

const SAYINGS = {
  none: "Press Train: an encoder learns to put each item into a few numbers z, and a decoder to restore it from them.",
  interrupted: "Its process is gone. Resume goes on from the last checkpoint.",
  gone: "This run was deleted.",
};

export class Strip {
  constructor(element) {
    const find = (selector) => element.querySelector(selector);
    this.element = element;
    this.state = find(".state");
    this.word = find(".state b");
    this.saying = find(".saying");
    this.link = find(".link");
    this.bar = find(".bar");
    this.fill = find(".bar i");
    this.facts = Object.fromEntries(
      [...element.querySelectorAll("[data-fact]")].map((fact) => [fact.dataset.fact, fact]),
    );
  }

  /**
   * Show a run's state and how far it is; "none" where there is no run, "" while nobody knows.
   * A running or finished one may have a `warning`; a queued one says what it `waits` for.
   */
  show(state, { step, steps, epoch, epochs, rate, seconds, error, preparing, drawing }, { warning, waits } = {}) {
    const prepares = state === "running" ? preparing : null;
    const barred = state === "none" && this.elsewhere;
    const word = barred ? "No runs yet" : prepares ? "Preparing" : (STATES[state] ?? state);
    const begun = steps != null && !prepares;
    const running = begun && state === "running";
    const warned = warning && `▲ ${warning}`;
    const busy = prepares ?? drawing;
    const queued = waits && `${capitalised(waits)}.`;
    const said = { failed: error, queued, running: busy ? progress(busy) : warned, finished: warned, ...SAYINGS };
    const saying = barred || (said[state] ?? "");
    const left = ((steps - step) * seconds) / step;
    this.state.dataset.state = this.bar.dataset.state = state;
    write(this.word, word);
    write(this.saying, saying);
    this.saying.dataset.state = state;
    this.saying.title = saying;
    this.saying.hidden = !saying;
    this.#fact("epoch", begun, count(Math.floor(epoch ?? 0)), count(epochs ?? 0));
    this.#fact("step", begun, count(step ?? 0), count(steps ?? 0));
    this.#fact("rate", running && rate != null, count(Number((rate ?? 0).toPrecision(3))));
    this.#fact("left", running && seconds > 1 && Number.isFinite(left), duration(left));
    this.#fact("took", begun && !running && seconds != null, duration(seconds));
    const [done, all] = prepares ? [prepares.done, prepares.of] : [begun ? step : 0, steps];
    const share = all ? Math.min(1, (done ?? 0) / all) : 0;
    const percent = Math.round(100 * share);
    this.fill.style.transform = `scaleX(${share})`;
    this.bar.setAttribute("aria-valuenow", percent);
    this.bar.setAttribute("aria-valuetext", `${word}, ${percent} %`);
  }

  /** Say quietly that the server does not answer. */
  connected(yes) {
    this.link.hidden = yes;
  }

  #fact(name, known, value, total) {
    const element = this.facts[name];
    element.hidden = !known;
    write(element.querySelector("b"), value);
    if (total !== undefined) write(element.querySelector("i"), total);
  }
}

/** How far the data are prepared, in words. */
function progress({ done, of, what }) {
  return of ? `${what}: ${count(done)} of ${count(of)}` : `${what} …`;
}

/** Change an element's text only where it differs. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
