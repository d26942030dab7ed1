/** The panel of q(z) against p(z): codes, densities and what is selected, on a plane. */

import { namesOf } from "../live/axes.js";
import { Cloud } from "../live/cloud.js";
import { drawAxes, drawCircles, drawDensity, drawNames, lanes } from "../live/codes.js";
import { Dots } from "../live/dots.js";
import { coordinate, count, number } from "../live/format.js";
import { Frame } from "../live/frame.js";
import { Legend, toggle } from "../live/legend.js";
import { write } from "../live/strip.js";
import { Surface } from "../live/surface.js";
import { nounOf } from "../live/words.js";
import { HIGHEST } from "./contours.js";
import { drawEllipses, drawProbe, drawRing } from "./marks.js";
import { drawPrior, Field } from "./field.js";
import { Gestures } from "./gestures.js";

const EMPTY = 3.2; // reach while there are no codes
const ELLIPSES = 400; // drawn at most
const TILE = 20; // px of a picture on the plane

export class Landscape {
  /**
   * `shared` is the view: `theme`, `chosen`, `palette`, `classes`, `pictures`, `selection`, `focus`,
   * `keyOf(i)`; it hears `choose(change)`, `select(indices)` and `probe(place)`.
   */
  constructor(section, shared) {
    this.shared = shared;
    const find = (selector) => section.querySelector(selector);
    this.find = find;
    this.surface = new Surface(
      find(".stage"),
      (context, width, height, ratio) => this.#draw(context, ratio),
      (context) => this.#drawOver(context),
    );
    this.legend = new Legend(find(".legend"), (name) =>
      shared.choose({ hidden: toggle(shared.chosen.hidden, name) }),
    );
    [this.key, this.tip, this.resetButton] = [".key", ".tip", ".reset"].map(find);
    this.cloud = new Cloud(() => this.surface.invalidate());
    this.dots = new Dots();
    this.field = new Field();
    this.posteriors = null;
    this.gestures = new Gestures(this);
  }

  /** Take up the classes of a run. */
  introduce() {
    const { classes, palette } = this.shared;
    this.legend.set([
      ...classes.map((label, i) => ({ name: `class:${i}`, label, kind: "class" })),
      { name: "prior", label: "prior", kind: "prior" },
    ]);
    this.chips = Object.fromEntries(
      classes.map((_, i) => [`class:${i}`, palette[i % palette.length]]),
    );
  }

  /** Show posteriors, or nothing; as a step of a film in so many `ms`. */
  show(posteriors, ms = 0) {
    this.posteriors = posteriors;
    this.gestures.hovered = null;
    if (posteriors === null) {
      this.cloud.clear();
    } else {
      const { labels, density, reach, cells } = posteriors;
      const points = this.shared.chosen.codes === "draws" ? posteriors.draws : posteriors.points;
      const wanted = this.frame.suitableReach(points, this.cloud.target?.reach);
      const width = reach * (1 - 1 / cells); // to the middles of the outermost cells
      const drawn = { points, labels, splits: labels, density, sight: null, width };
      this.cloud.go(drawn, wanted, this.shared.classes.length, ms);
    }
    this.refresh();
  }

  /** Draw again, after new choices, another selection or other colours. */
  refresh() {
    const { hidden, view } = this.shared.chosen;
    this.legend.show(hidden, this.chips ?? {});
    this.resetButton.disabled = view === null;
    this.surface.invalidate();
  }

  refreshOver() {
    this.surface.invalidateOver();
  }

  /** What is in view. */
  get frame() {
    const reach = this.cloud.count ? this.cloud.reach : EMPTY;
    const view = this.shared.chosen.view ?? { x: 0, y: 0, reach };
    return new Frame(this.surface.width, this.surface.height, view, this.axes);
  }

  /** How many axes there are. */
  get axes() {
    return Math.min(this.shared.dimensions, 2);
  }

  /** The names of the axes. */
  get names() {
    const axes = this.posteriors?.axes ?? [0, 1].slice(0, this.axes);
    return namesOf(axes);
  }

  /** The code nearest to a place on the plane, or null. */
  nearestTo([x, y]) {
    const { points } = this.cloud;
    let [best, least] = [null, Infinity];
    for (let i = 0; i < this.cloud.count; i++) {
      const distance = (points[0][i] - x) ** 2 + (points[1] ? (points[1][i] - y) ** 2 : 0);
      if (distance < least) [best, least] = [i, distance];
    }
    return best;
  }

  describe() {
    if (!this.posteriors) return "q(z) against p(z); no codes yet.";
    const { sent, step, split } = this.posteriors;
    const where = this.names.join(" and ");
    const { selection, chosen } = this.shared;
    const marked = selection ? ` ${count(selection.size)} are selected.` : "";
    const at = chosen.at ? ` The decoder is shown at ${chosen.at.map(coordinate).join(", ")}.` : "";
    return `Codes of ${count(sent)} ${split} ${nounOf(this.shared.about)} at step ${count(step)} on ${where}.${marked}${at} Arrow keys move the place that is decoded, Enter selects the code nearest to it.`;
  }

  /** The codes as rows of numbers. */
  numbers() {
    const { posteriors } = this;
    const { classes } = this.shared;
    const rows = Array.from({ length: posteriors?.sent ?? 0 }, (_, i) => [
      posteriors.split,
      posteriors.indices[i],
      classes[posteriors.labels[i]] ?? "",
      ...this.cloud.points.map((axis) => axis[i].toPrecision(6)),
    ]);
    return [["split", "index", "class", ...this.names], ...rows];
  }

  close() {
    this.surface.close();
    this.cloud.close();
  }

  #shows(name) {
    return !this.shared.chosen.hidden.includes(name);
  }

  /** Call `visit(i, x, y)` with the pixels of every code in view. */
  eachShown(frame, visit) {
    const { labels } = this.cloud;
    const { left, right, top, bottom } = frame.box;
    const classes = this.shared.classes.map((_, i) => this.#shows(`class:${i}`));
    for (let i = 0; i < labels.length; i++) {
      if (classes[labels[i]] === false) continue;
      const [x, y] = this.#pixel(frame, i);
      if (x >= left && x <= right && y >= top && y <= bottom) visit(i, x, y);
    }
  }

  /** Where on the canvas a code lies. */
  #pixel(frame, i) {
    const { points, labels } = this.cloud;
    const x = frame.x.at(points[0][i]);
    if (frame.axes > 1) return [x, frame.y.at(points[1][i])];
    return [x, lanes(frame, this.shared.classes.length)(labels[i], i)];
  }

  // Drawing.

  #draw(context, ratio) {
    const { theme, chosen, selection } = this.shared;
    const { frame, cloud } = this;
    const { left, right, bottom } = frame.box;
    const flat = frame.axes > 1;
    const { dataset } = this.surface.canvas;
    drawAxes(context, frame, this.names, theme);
    context.save();
    context.beginPath();
    context.rect(left, 0, right - left, bottom);
    context.clip();
    if (flat && this.posteriors) this.field.draw(context, frame, this.#fieldShown, theme);
    if (!flat) drawDensity(context, frame, cloud, this.#shows("prior"), theme);
    if (this.posteriors) this.#drawCodes(context, frame, ratio);
    const contours = flat && chosen.field === "contours" && this.posteriors;
    if (flat && this.#shows("prior") && !contours) drawCircles(context, frame, theme);
    if (contours && this.#shows("prior")) drawPrior(context, frame, theme);
    if (selection) this.#drawEllipses(context, frame, this.#selected);
    else if (chosen.codes !== "pictures") {
      drawNames(context, frame, cloud, this.#shownNames, theme);
    }
    context.restore();
    this.#explain();
    dataset.reach = frame.view.reach.toFixed(3);
    dataset.view = [frame.view.x, frame.view.y].map((value) => value.toFixed(3)).join();
    dataset.axes = String(this.posteriors?.axes ?? "");
    dataset.marked = this.#selected.length;
  }

  /** The density drawn behind the codes. */
  get #fieldShown() {
    const { density, width } = this.cloud;
    return { kind: this.shared.chosen.field, density, width, cells: this.posteriors.cells };
  }

  #drawEllipses(context, frame, indices, alpha = 1) {
    if (frame.axes === 1) return;
    const { colors, of } = this.#inks;
    drawEllipses(context, frame, this.posteriors, indices, (i) => colors[of(i)], alpha);
  }

  #drawCodes(context, frame, ratio) {
    const { theme, chosen, selection } = this.shared;
    const { cloud } = this;
    if (chosen.codes === "none") return;
    if (chosen.codes === "pictures") {
      this.#drawPictures(context, frame);
      return;
    }
    const { colors, of } = this.#inks;
    const isIn = (i) => selection === null || selection.has(this.shared.keyOf(i));
    const paint = (inks, wanted, ink) =>
      this.dots.draw(context, ratio, cloud.count, inks, (dot) =>
        this.eachShown(frame, (i, x, y) => {
          if (wanted(i)) dot(x, y, ink(i));
        }),
      );
    if (chosen.codes === "ellipses" && frame.axes > 1) {
      const step = Math.max(1, Math.ceil(cloud.count / ELLIPSES));
      const some = [];
      this.eachShown(frame, (i) => i % step === 0 && isIn(i) && some.push(i));
      this.#drawEllipses(context, frame, some, selection ? 1 : 0.45);
    }
    if (selection) paint([theme.line], (i) => !isIn(i), () => 0);
    paint(colors, isIn, of);
  }

  /** The classes' colours, and the index of that of point i. */
  get #inks() {
    const { classes, palette, theme } = this.shared;
    const colors = [...classes.map((_, i) => palette[i % palette.length]), theme.muted];
    const { labels } = this.cloud;
    return { colors, of: (i) => (labels[i] < 0 ? colors.length - 1 : labels[i]) };
  }

  /** As many pictures of the images as have room, each at its code. */
  #drawPictures(context, frame) {
    const { pictures, selection, keyOf } = this.shared;
    const { colors, of } = this.#inks;
    const taken = new Set();
    context.imageSmoothingQuality = "high";
    const put = (i, x, y) => {
      const place = `${Math.round(x / TILE)},${Math.round(y / TILE)}`;
      const key = keyOf(i);
      if (taken.has(place) || !pictures.has(key)) return;
      taken.add(place);
      const wide = (TILE * pictures.width) / Math.max(pictures.width, pictures.height);
      const high = (TILE * pictures.height) / Math.max(pictures.width, pictures.height);
      context.globalAlpha = selection === null || selection.has(key) ? 1 : 0.15;
      context.drawImage(pictures.of(key, colors[of(i)]), x - wide / 2, y - high / 2, wide, high);
    };
    if (selection) this.eachShown(frame, (i, x, y) => selection.has(keyOf(i)) && put(i, x, y));
    this.eachShown(frame, put);
    context.globalAlpha = 1;
  }

  /** Indices of the selected codes. */
  get #selected() {
    const { selection, placeOf } = this.shared;
    if (!selection || !this.posteriors) return [];
    return [...selection].map(placeOf).filter((i) => i !== undefined);
  }

  /** The classes' names; null for those that are hidden. */
  get #shownNames() {
    return this.shared.classes.map((name, i) => (this.#shows(`class:${i}`) ? name : null));
  }

  /** Say in the key what the field means. */
  #explain() {
    const { field, codes } = this.shared.chosen;
    const { key } = this;
    key.hidden = this.axes === 1 || !this.posteriors;
    key.dataset.kind = field === "difference" ? "field" : "lines";
    key.querySelector(".ramp").style.background =
      `linear-gradient(to right, ${this.field.colors(this.shared.theme).join()})`;
    const size = number(HIGHEST, 2);
    write(key.querySelector(".low"), `−${size}`);
    write(key.querySelector(".high"), size);
    const filled = field === "contours" ? "filled: q(z) · dashed: p(z), at the same densities" : "";
    const some = this.posteriors?.sent > ELLIPSES ? ` (${ELLIPSES} of them)` : "";
    const rings = codes === "ellipses" ? `ellipses: q(z|x) at 1σ${some}` : "";
    write(key.querySelector(".lines"), [filled, rings].filter(Boolean).join(" · "));
  }

  #drawOver(context) {
    const { theme, chosen, focus, placeOf } = this.shared;
    const { frame } = this;
    const { lasso, drag, hovered: i } = this.gestures;
    lasso?.draw(context, theme);
    this.tip.hidden = true;
    if (!this.posteriors || lasso) return;
    if (chosen.at) drawProbe(context, frame, chosen.at, theme);
    const focused = focus === null ? undefined : placeOf(focus);
    if (focused !== undefined) drawRing(context, this.#pixel(frame, focused), 9, 3, theme);
    if (i === null || drag) return;
    const at = this.#pixel(frame, i);
    drawRing(context, at, 5.5, 1.75, theme);
    const name = this.shared.nameOf(i);
    const place = this.cloud.points.map((axis) => coordinate(axis[i])).join(", ");
    this.tip.hidden = false;
    write(this.tip, `${name}  (${place})`);
    const { offsetWidth: w, offsetHeight: h } = this.tip;
    const left = at[0] + 12 + w < this.surface.width ? at[0] + 12 : Math.max(at[0] - 12 - w, 0);
    const top = at[1] > h + 14 ? at[1] - h - 10 : at[1] + 12;
    this.tip.style.transform = `translate(${left}px, ${top}px)`;
  }
}
