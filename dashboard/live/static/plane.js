/** The panel of the latent plane: where the encoder puts the images, beside the prior. */

import { Axes, namesOf, unitsOf } from "./axes.js";
import { Cloud } from "./cloud.js";
import { drawAxes, drawCircles, drawDensity, drawNames, lanes } from "./codes.js";
import { Dots } from "./dots.js";
import { coordinate, count } from "./format.js";
import { Frame } from "./frame.js";
import { SPLITS } from "./history.js";
import { Legend, toggle } from "./legend.js";
import { Overlay } from "./overlay.js";
import { write } from "./strip.js";
import { Surface } from "./surface.js";
import { nounOf } from "./words.js";

const NEAR = 14; // px within which the pointer finds a point
const ZOOM = 1.2; // by a notch of the wheel or a press of a key
const EMPTY = 3.2; // reach while there are no codes

export class Plane {
  /** `turned()` hears that the codes are wanted on other axes. */
  constructor(section, { theme, settings, turned }) {
    Object.assign(this, { theme, settings, turned });
    const find = (selector) => section.querySelector(selector);
    this.surface = new Surface(
      find(".stage"),
      (context, width, height, ratio) => this.#draw(context, ratio),
      (context) => this.#drawOver(context),
    );
    this.legend = new Legend(find(".legend"), (name) =>
      this.#choose({ hidden: toggle(this.chosen.hidden, name) }),
    );
    this.resetButton = find(".reset");
    this.tip = find(".tip");
    this.lead = find(".lead");
    this.axes = new Axes(find(".axes"), (axes) => this.#choose({ axes, view: null }));
    this.overlay = new Overlay(section, theme, () => this.#choose({ sees: !this.chosen.sees }));
    this.cloud = new Cloud(() => this.surface.invalidate());
    this.dots = new Dots();
    this.classes = [];
    this.palette = [];
    this.dimensions = 2;
    this.hovered = null;
    this.#listen();
  }

  get chosen() {
    return this.settings.plane;
  }

  /** The axes chosen, as the server wants them said; those of a run with more may not be here. */
  get wantedAxes() {
    const { axes } = this.chosen;
    const here = axes.split(",").every((axis) => Number(axis) < this.dimensions);
    return this.dimensions > 2 && here ? axes : "pca";
  }

  /** Take up the classes, the terms and the dimension of a run, and how its classes are coloured. */
  introduce(about, palette) {
    const dimensions = about?.latent_dim ?? 2;
    this.palette = palette;
    this.classes = about?.classes ?? [];
    this.noun = nounOf(about);
    // Beside a choice of axes there is less room for it.
    write(this.lead, dimensions > 2 ? "Codes of the" : "Where the encoder puts the");
    this.overlay.quantities = about?.quantities ?? {};
    this.legend.set([
      ...this.classes.map((label, i) => ({ name: `class:${i}`, label, kind: "class" })),
      ...SPLITS.map((split) => ({ name: split, label: split, kind: "split" })),
      { name: "prior", label: "prior", kind: "prior" },
    ]);
    if (dimensions !== this.dimensions) {
      this.dimensions = dimensions;
      this.cloud.clear();
      this.axes.offer(unitsOf(dimensions));
    }
    this.refresh();
  }

  /** Show a snapshot, or nothing; as a step of a film in so many `ms`. */
  show(snapshot, ms = 0) {
    this.snapshot = snapshot;
    this.indices = snapshot ? (snapshot.indices ?? this.indices) : null; // said once
    this.hovered = null;
    const sight = this.overlay.take(snapshot?.sight ?? null);
    if (snapshot) {
      const reach = this.#frame.suitableReach(snapshot.points, this.cloud.target?.reach);
      this.cloud.go({ ...snapshot, sight }, reach, this.classes.length, ms);
    } else {
      this.cloud.clear();
    }
    this.refresh();
  }

  /** Draw again, after new choices or colours. */
  refresh() {
    const { view, hidden, sees } = this.chosen;
    this.overlay.refresh(sees);
    this.resetButton.disabled = view === null;
    this.legend.show(
      hidden,
      Object.fromEntries(this.classes.map((_, i) => [`class:${i}`, this.#chip(i)])),
    );
    this.axes.show(this.wantedAxes);
    this.surface.canvas.dataset.view = view
      ? [view.x, view.y, view.reach].map((value) => value.toFixed(3)).join()
      : "";
    this.surface.invalidate();
  }

  /** What the plane shows in words. */
  describe() {
    if (!this.snapshot) return "Latent plane with the prior's 1σ and 2σ circles; no codes yet.";
    const { centers } = this.cloud.target;
    const places = this.classes
      .map((name, i) => ({ name, place: centers.map((axis) => axis[i]) }))
      .filter(({ place }) => place.every(Number.isFinite))
      .map(({ name, place }) => `${name} at ${place.map(coordinate).join(", ")}`);
    const codes = `Codes of ${count(this.cloud.count)} ${this.noun} at step ${count(this.snapshot.step)}`;
    const medians = `Medians of the classes: ${places.join("; ")}.`;
    const names = this.#names;
    return `${codes} on ${names.join(" and ")}. ${medians}${this.overlay.describe(names)}`;
  }

  /** The codes, for saving. */
  numbers() {
    const { points, labels, splits } = this.cloud;
    const rows = Array.from(labels, (label, i) => [
      SPLITS[splits[i]],
      this.indices?.[i] ?? "",
      this.classes[label] ?? "",
      ...points.map((axis) => axis[i].toPrecision(6)),
    ]);
    return [["split", "index", "class", ...this.#names], ...rows];
  }

  close() {
    this.surface.close();
    this.cloud.close();
  }

  #listen() {
    const { canvas } = this.surface;
    const all = () => this.#choose({ view: null });
    this.resetButton.onclick = all;
    canvas.ondblclick = all;
    canvas.onwheel = (event) => {
      event.preventDefault();
      this.#zoom(ZOOM ** (-event.deltaY / 100), this.surface.locate(event));
    };
    canvas.onpointerdown = (event) => {
      if (event.button !== 0 || event.pointerType === "touch") return;
      canvas.setPointerCapture(event.pointerId);
      this.drag = { frame: this.#frame, from: this.surface.locate(event) };
    };
    canvas.onpointermove = (event) => this.#move(this.surface.locate(event));
    canvas.onpointerup = canvas.onpointercancel = () => (this.drag = null);
    canvas.onpointerleave = () => this.#hover(null);
    const middle = () => [this.surface.width / 2, this.surface.height / 2];
    const step = () => this.surface.height / 10;
    this.surface.onKeys({
      "+": () => this.#zoom(ZOOM, middle()),
      "-": () => this.#zoom(1 / ZOOM, middle()),
      0: all,
      ArrowLeft: () => this.#choose({ view: this.#frame.moved(step(), 0) }),
      ArrowRight: () => this.#choose({ view: this.#frame.moved(-step(), 0) }),
      ArrowUp: () => this.#choose({ view: this.#frame.moved(0, step()) }),
      ArrowDown: () => this.#choose({ view: this.#frame.moved(0, -step()) }),
    });
  }

  #choose(change) {
    Object.assign(this.chosen, change);
    this.settings.keep();
    this.refresh();
    if (change.axes) this.turned();
  }

  #zoom(factor, at) {
    this.#choose({ view: this.#frame.zoomed(factor, at) });
  }

  #move(at) {
    if (!this.drag) {
      this.#hover(at);
      return;
    }
    this.#hover(null);
    const [dx, dy] = at.map((pixel, i) => pixel - this.drag.from[i]);
    if (Math.hypot(dx, dy) > 3) this.#choose({ view: this.drag.frame.moved(dx, dy) });
  }

  /** Point out the code nearest to the pointer. */
  #hover(at) {
    this.hovered = at && this.snapshot ? this.#nearest(at) : null;
    this.surface.invalidateOver();
  }

  #nearest([px, py]) {
    let [best, least] = [null, NEAR * NEAR];
    this.#eachShown(this.#frame, (i, x, y) => {
      const distance = (x - px) ** 2 + (y - py) ** 2;
      if (distance < least) [best, least] = [i, distance];
    });
    return best;
  }

  get #frame() {
    const reach = this.cloud.count ? this.cloud.reach : EMPTY;
    const view = this.chosen.view ?? { x: 0, y: 0, reach };
    return new Frame(this.surface.width, this.surface.height, view, Math.min(this.dimensions, 2));
  }

  /** The names of the axes. */
  get #names() {
    const axes = this.snapshot?.axes ?? [0, 1].slice(0, this.dimensions);
    return namesOf(axes);
  }

  #shows(name) {
    return !this.chosen.hidden.includes(name);
  }

  #color(label) {
    return this.palette[label % this.palette.length];
  }

  /** The colour of a class in the legend; no point has it where they show what the term sees. */
  #chip(label) {
    return this.#sight?.kind === "points" ? this.theme.muted : this.#color(label);
  }

  /** What the term sees, where that is to be drawn. */
  get #sight() {
    return this.chosen.sees ? this.cloud.sight : null;
  }

  /** Call `visit(i, x, y)` with the pixels of every code in view. */
  #eachShown(frame, visit) {
    const { points, labels, splits } = this.cloud;
    const { left, right, top, bottom } = frame.box;
    const classes = this.classes.map((_, i) => this.#shows(`class:${i}`));
    const shown = SPLITS.map((split) => this.#shows(split));
    const lane = frame.axes === 1 ? lanes(frame, this.classes.length) : null;
    for (let i = 0; i < labels.length; i++) {
      if (!shown[splits[i]] || classes[labels[i]] === false) continue;
      const x = frame.x.at(points[0][i]);
      const y = lane ? lane(labels[i], i) : frame.y.at(points[1][i]);
      if (x >= left && x <= right && y >= top && y <= bottom) visit(i, x, y);
    }
  }

  // Drawing.

  #draw(context, ratio) {
    const { theme, cloud, overlay } = this;
    const frame = this.#frame;
    const sight = this.#sight;
    const { left, right, bottom } = frame.box;
    const flat = frame.axes > 1;
    drawAxes(context, frame, this.#names, theme);
    context.save();
    context.beginPath();
    context.rect(left, 0, right - left, bottom);
    context.clip();
    if (sight) overlay.drawBehind(context, frame, sight);
    if (!flat) drawDensity(context, frame, cloud, this.#shows("prior"), theme);
    const { colors, of } = (sight && overlay.shades(sight)) ?? this.#inks;
    this.dots.draw(context, ratio, cloud.count, colors, (paint) =>
      this.#eachShown(frame, (i, x, y) => paint(x, y, of(i))),
    );
    if (sight) overlay.drawAbove(context, sight, (visit) => this.#eachShown(frame, visit));
    if (flat && this.#shows("prior")) drawCircles(context, frame, theme);
    drawNames(context, frame, cloud, this.#shownNames, theme);
    context.restore();
    overlay.explain(sight);
    overlay.place(frame.box, this.chosen.view !== null, (visit) => this.#eachShown(frame, visit));
    const { dataset } = this.surface.canvas;
    dataset.reach = frame.view.reach.toFixed(2);
    dataset.sees = sight?.term ?? "";
  }

  /** The classes' colours, and the index of that of point i. */
  get #inks() {
    const colors = [...this.classes.map((_, i) => this.#color(i)), this.theme.muted];
    const { labels } = this.cloud;
    return { colors, of: (i) => (labels[i] < 0 ? colors.length - 1 : labels[i]) };
  }

  /** The classes' names; null for those that are hidden. */
  get #shownNames() {
    return this.classes.map((name, i) => (this.#shows(`class:${i}`) ? name : null));
  }

  #drawOver(context) {
    const i = this.hovered;
    this.tip.hidden = i === null;
    if (i === null) return;
    const { points, labels, splits } = this.cloud;
    const frame = this.#frame;
    const x = frame.x.at(points[0][i]);
    const y = frame.axes === 1
      ? lanes(frame, this.classes.length)(labels[i], i)
      : frame.y.at(points[1][i]);
    context.beginPath();
    context.arc(x, y, 5.5, 0, 2 * Math.PI);
    context.strokeStyle = this.theme.text;
    context.lineWidth = 1.75;
    context.stroke();
    const place = points.map((axis) => coordinate(axis[i])).join(", ");
    const name = this.classes[labels[i]] ?? "no class";
    this.tip.textContent = `${name}  (${place})  ${SPLITS[splits[i]]}`;
    this.#placeTip(x, y);
  }

  #placeTip(x, y) {
    const { width, height } = this.surface;
    const { offsetWidth: w, offsetHeight: h } = this.tip;
    const left = x + 12 + w < width ? x + 12 : Math.max(x - 12 - w, 0);
    const top = Math.min(Math.max(y - h - 8, 0), height - h);
    this.tip.style.transform = `translate(${left}px, ${top}px)`;
  }
}
