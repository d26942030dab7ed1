/** The panel of curves: what the loss is made of, over the steps. */

import { count, number } from "./format.js";
import { SPLITS, nearest, place } from "./history.js";
import { Legend, toggle } from "./legend.js";
import { drawMarks, markAt, marksOf } from "./marks.js";
import { at, drawCursor, drawHead, drawNow, drawPlot, layOut } from "./plots.js";
import { Surface } from "./surface.js";
import { oneOf } from "./words.js";

const ZOOM = 1.2; // by a notch of the wheel or a press of a key
const NARROWEST = 4; // steps that zooming leaves in view
const WIDEST = 10; // steps in view before there are any

export class Curves {
  /**
   * `announce(text)` says to screen readers what the keys point at; `sought(step)` hears of a click,
   * which is to bring the view to that step, or with null to the newest.
   */
  constructor(section, { theme, settings, announce, sought }) {
    Object.assign(this, { theme, settings, announce, sought });
    this.surface = new Surface(
      section.querySelector(".stage"),
      (...canvas) => this.#draw(...canvas),
      (context) => this.#drawOver(context),
    );
    this.legend = new Legend(section.querySelector(".legend"), (name) =>
      this.#choose({ hidden: toggle(this.chosen.hidden, name) }),
    );
    this.logButton = section.querySelector(".log");
    this.resetButton = section.querySelector(".reset");
    this.tip = section.querySelector(".tip");
    this.history = null;
    this.marks = [];
    this.quantities = [];
    this.item = oneOf(null);
    this.plots = [];
    this.cursor = null; // the step pointed at
    this.now = null; // the step that the other panels show, where it is not the newest
    this.brush = null; // what is dragged over: { plot, from, to } in pixels
    this.#listen();
  }

  get chosen() {
    return this.settings.curves;
  }

  /** Show a run's rows; `about` says which quantities there are, `events` what happened to it. */
  show(history, about, events) {
    this.history = history;
    this.marks = marksOf(events, about);
    const named = Object.entries(about?.quantities ?? {});
    this.item = oneOf(about);
    this.quantities = named.map(([name, said], index) => ({ name, index, ...said }));
    this.legend.set([
      ...this.quantities.map(({ name, label }) => ({ name, label, kind: "quantity" })),
      ...(named.length ? SPLITS.map((split) => ({ name: split, label: split, kind: "split" })) : []),
    ]);
    this.refresh();
  }

  /** Mark where in time the other panels stand; null where they show the newest. */
  stand(step) {
    this.now = step;
    this.surface.canvas.dataset.now = step ?? "";
    this.surface.invalidateOver();
  }

  /** Draw again, after new rows, choices or colours. */
  refresh() {
    const { hidden, log, range } = this.chosen;
    this.logButton.setAttribute("aria-pressed", log);
    this.resetButton.disabled = range === null;
    const colors = this.quantities.map(({ name, index }) => [name, this.theme.quantity(index)]);
    this.legend.show(hidden, Object.fromEntries(colors));
    this.surface.canvas.dataset.marks = this.marks.map(({ kind, step }) => `${kind}@${step}`).join();
    this.surface.canvas.dataset.range = range?.map(Math.round).join() ?? "";
    this.surface.invalidate();
  }

  /** The newest values in words. */
  describe() {
    if (!this.history?.length) return "Curves of the loss and its terms; no values yet.";
    const values = this.quantities.map(({ name, label, unit }) => {
      const [train, test] = SPLITS.map((split) => number(this.history.value(split, name)));
      return `${label}: train ${train}, test ${test} ${unit}`;
    });
    const last = this.marks.at(-1);
    const happened = last ? ` ${last.text}.` : "";
    return `Curves up to step ${count(this.history.last)}. ${values.join("; ")}.${happened}`;
  }

  /** The rows that were logged, for saving. */
  numbers() {
    const names = this.quantities.map(({ name }) => name);
    const rows = SPLITS.flatMap((split) =>
      (this.history?.steps(split) ?? []).map((step) => [
        split,
        step,
        ...names.map((name) => this.history.value(split, name, step)),
      ]),
    );
    return [["split", "step", ...names], ...rows];
  }

  close() {
    this.surface.close();
  }

  #listen() {
    const { canvas } = this.surface;
    const all = () => this.#choose({ range: null });
    this.logButton.onclick = () => this.#choose({ log: !this.chosen.log });
    this.resetButton.onclick = all;
    canvas.ondblclick = () => {
      all();
      this.sought(null); // what the first of the two clicks changed
    };
    canvas.onwheel = (event) => this.#wheel(event);
    canvas.onpointerdown = (event) => this.#press(event);
    canvas.onpointermove = (event) => this.#move(event);
    canvas.onpointerup = () => this.#release();
    canvas.onpointerleave = () => {
      this.#point(null);
      this.#explain([0, 0], "");
    };
    canvas.onpointercancel = () => {
      this.brush = null;
      this.#point(null);
    };
    this.surface.onKeys({
      "+": () => this.#zoom(ZOOM, this.cursor ?? this.range[1]),
      "-": () => this.#zoom(1 / ZOOM, this.cursor ?? this.range[1]),
      0: all,
      ArrowLeft: ({ shiftKey }) => this.#walk(shiftKey ? -10 : -1),
      ArrowRight: ({ shiftKey }) => this.#walk(shiftKey ? 10 : 1),
      Escape: () => this.#point(null),
    });
  }

  #choose(change) {
    Object.assign(this.chosen, change);
    this.settings.keep();
    this.refresh();
  }

  #shows(name) {
    return !this.chosen.hidden.includes(name);
  }

  // Zoom.

  get last() {
    return Math.max(this.history?.last ?? 0, WIDEST);
  }

  /** First and last step in view. */
  get range() {
    return this.chosen.range ?? [0, this.last];
  }

  set range([from, to]) {
    const whole = from <= 0 && to >= this.last;
    if (!whole && to - from < NARROWEST) return;
    this.#choose({ range: whole ? null : [Math.max(from, 0), Math.min(to, this.last)] });
  }

  #zoom(factor, center) {
    this.range = this.range.map((end) => center + (end - center) / factor);
  }

  #wheel(event) {
    const plot = at(this.plots, this.surface.locate(event));
    if (!plot) return;
    event.preventDefault();
    const [x] = this.surface.locate(event);
    this.#zoom(ZOOM ** (-event.deltaY / 100), plot.x.value(x));
  }

  #press(event) {
    const [x, y] = this.surface.locate(event);
    const plot = at(this.plots, [x, y]);
    if (!plot || event.button !== 0 || event.pointerType === "touch") return;
    this.surface.canvas.setPointerCapture(event.pointerId);
    this.brush = { plot, from: x, to: x };
  }

  #move(event) {
    const [x, y] = this.surface.locate(event);
    if (this.brush) {
      const { left, right } = this.brush.plot.box;
      this.brush.to = Math.min(Math.max(x, left), right);
      this.surface.invalidateOver();
    } else {
      const plot = at(this.plots, [x, y]);
      this.#point(plot?.x.value(x) ?? null);
      this.#explain([x, y], plot ? markAt(plot, this.marks, x) : "");
    }
  }

  /** Say what a mark under the pointer is. */
  #explain([x, y], text) {
    this.tip.hidden = !text;
    if (!text) return;
    this.tip.textContent = text;
    const { width, height } = this.surface;
    const { offsetWidth: w, offsetHeight: h } = this.tip;
    const left = Math.max(0, Math.min(x + 12, width - w));
    const top = y + 14 + h < height ? y + 14 : Math.max(0, y - h - 8);
    this.tip.style.transform = `translate(${left}px, ${top}px)`;
  }

  #release() {
    const { brush } = this;
    this.brush = null;
    if (brush && Math.abs(brush.to - brush.from) > 4) {
      const ends = [brush.from, brush.to].map((x) => brush.plot.x.value(x));
      this.range = ends.sort((a, b) => a - b);
    } else if (brush && this.history?.length) {
      this.sought(brush.plot.x.value(brush.from));
    }
    this.surface.invalidateOver();
  }

  // Reading values.

  /** Point at the row nearest to `step`. */
  #point(step) {
    const steps = this.history?.steps("train") ?? [];
    this.cursor = step === null || !steps.length ? null : nearest(steps, step);
    this.surface.invalidateOver();
  }

  /** Point so many rows further, and say what is there. */
  #walk(rows) {
    const steps = this.history?.steps("train") ?? [];
    if (!steps.length) return;
    const now = this.cursor === null ? steps.length : place(steps, this.cursor);
    this.#point(steps[Math.min(Math.max(now + rows, 0), steps.length - 1)]);
    const values = this.quantities
      .filter(({ name }) => this.#shows(name))
      .map(({ name, label }) => `${label} ${number(this.history.value("train", name, this.cursor))}`);
    this.announce(`Step ${count(this.cursor)}: ${values.join(", ")}`);
  }

  // Drawing.

  #draw(context, width, height) {
    const known = this.quantities.length;
    const shown = known
      ? this.quantities.filter(({ name }) => this.#shows(name))
      : [{ name: "total", index: 0, label: "loss", unit: `nats per ${this.item}` }]; // none yet
    this.plots = layOut(width, height, shown, {
      history: this.history,
      splits: SPLITS.filter((split) => this.#shows(split)),
      range: this.range,
      log: this.chosen.log,
      zoomed: this.chosen.range !== null,
    });
    this.plots.forEach((plot, i) => {
      drawPlot(context, plot, this.theme);
      drawMarks(context, plot, this.marks, i === 0, this.theme);
    });
    this.surface.canvas.dataset.plots = this.plots.map(({ name }) => name).join();
  }

  #drawOver(context) {
    for (const plot of this.plots) {
      drawHead(context, plot, this.marks, this.theme, this.cursor ?? this.now ?? Infinity);
      if (this.now !== null) drawNow(context, plot, this.theme, this.now, this.cursor === null);
      if (this.cursor !== null && !this.brush) drawCursor(context, plot, this.theme, this.cursor);
    }
    if (!this.brush) return;
    const { plot, from, to } = this.brush;
    context.fillStyle = this.theme.muted;
    context.globalAlpha = 0.18;
    context.fillRect(from, plot.box.top, to - from, plot.box.bottom - plot.box.top);
    context.globalAlpha = 1;
  }
}
