/** The latent plane of one run among several: what is selected in one is marked in all. */

import { namesOf } from "../live/axes.js";
import { Cloud } from "../live/cloud.js";
import { drawAxes, drawCircles, drawDensity, drawNames, lanes } from "../live/codes.js";
import { stepsOf } from "../live/decoder.js";
import { Dots } from "../live/dots.js";
import { Feed } from "../live/feed.js";
import { coordinate, count } from "../live/format.js";
import { Frame } from "../live/frame.js";
import { SPLITS, place } from "../live/history.js";
import { Lasso, nearest } from "./lasso.js";
import { Surface } from "../live/surface.js";
import { write } from "../live/strip.js";
import { css, mix } from "../live/theme.js";

const NEAR = 12; // px within which the pointer finds a point
const REST = 0.12; // ink of the codes that are not selected
const APART = 2 ** 24; // more than the images of any split
const TEMPLATE = `
  <h3><i></i><span class="name"></span><span class="objective"></span></h3>
  <div class="stage">
    <canvas role="img"></canvas>
    <p class="hint"></p><div class="tip" aria-hidden="true" hidden></div>
  </div>`;
const HINTS = {
  queued: "Waiting for its turn.",
  running: "Loading data and model …",
  gone: "This run was deleted.",
};

/** What stands for an image wherever it is encoded: its split and its index there. */
export const keyOf = (split, index) => split * APART + index;

export const splitOf = (key) => Math.floor(key / APART);
export const indexOf = (key) => key % APART;

/** A key as people read it: "1:17" for the held-out image number 17. */
export const spell = (key) => `${splitOf(key)}:${indexOf(key)}`;

export class LinkedPlane {
  /**
   * `shared` is what the planes have in common: `theme`, `mode`, `axes`, `view`, `reach`, `hidden`,
   * `palette`, `selected(data)`, `hovered(data)`; it hears `changed(plane)` after a snapshot,
   * `select(plane, keys)`, `hover(plane, key)`, `zoom(box)` and `counted()` after a look at the steps.
   */
  constructor(shared) {
    this.shared = shared;
    this.element = document.createElement("figure");
    this.element.innerHTML = TEMPLATE;
    const find = (selector) => this.element.querySelector(selector);
    this.find = find;
    this.hint = find(".hint");
    this.tip = find(".tip");
    this.surface = new Surface(
      find(".stage"),
      (context, width, height, ratio) => this.#draw(context, ratio),
      (context) => this.#drawOver(context),
    );
    this.dots = new Dots();
    this.cloud = new Cloud(() => this.surface.invalidate());
    this.steps = [];
    this.classes = [];
    this.dimensions = 2;
    this.snapshot = null;
    this.lasso = null;
    this.feed = new Feed({
      news: (news) => this.#hear(news),
      snapshot: (snapshot) => this.#show(snapshot),
      link: () => {},
      axes: () => this.#wantedAxes,
      kept: () => this.#count(),
      asked: () => {},
    });
    this.#listen();
  }

  /** Take up a run: { id, name, glyph, color, objective, data }. */
  follow(api, run) {
    this.run = run;
    write(this.find("h3 i"), run.glyph);
    write(this.find(".name"), run.name);
    write(this.find(".objective"), run.objective);
    this.element.style.setProperty("--color", run.color);
    this.element.dataset.run = run.id;
    this.#hintAt("");
    this.feed.follow(api, run.id);
  }

  /** Show the codes as they were at a step, or at the last one kept before it; null: the newest. */
  look(step, ms) {
    this.ms = ms;
    return this.feed.look(step === null ? null : (this.steps[Math.max(0, place(this.steps, step))] ?? null));
  }

  /** How far from the origin it would have to show, or 0. */
  get wantedReach() {
    return this.snapshot ? this.#frame.suitableReach(this.snapshot.points, this.shared.reach) : 0;
  }

  /** The codes as rows: run, id, step, split, index, class, names of the axes, coordinates. */
  numbers() {
    const { labels, splits, points, step } = this.snapshot ?? { splits: [] };
    const [across, up = ""] = this.#names;
    return Array.from(splits, (split, i) => [
      this.run.name,
      this.run.id,
      step,
      SPLITS[split],
      this.indices[i],
      this.classes[labels[i]] ?? "",
      across,
      up,
      ...points.map((axis) => axis[i].toPrecision(6)),
    ]);
  }

  /** Keys of the images of a class. */
  ofClass(label) {
    return this.keys?.filter((_, i) => this.snapshot.labels[i] === label) ?? [];
  }

  /** Draw again, after a change of what is shared. */
  refresh() {
    this.surface.invalidate();
    this.surface.canvas.setAttribute("aria-label", this.#describe());
  }

  refreshOver() {
    this.surface.invalidateOver();
  }

  close() {
    this.feed.close();
    this.cloud.close();
    this.surface.close();
    this.element.remove();
  }

  get #wantedAxes() {
    const { axes } = this.shared;
    return axes.split(",").every((axis) => Number(axis) < this.dimensions) ? axes : "pca";
  }

  #hear({ state, about }) {
    if (about) {
      this.classes = about.classes;
      this.dimensions = about.latent_dim;
      this.shared.introduced();
    }
    this.element.dataset.state = state;
    if (!this.snapshot) this.#hintAt(HINTS[state] ?? "It left no codes.");
  }

  /** Learn which steps there are by now. */
  async #count() {
    const kept = await stepsOf(this.feed.api, this.run.id);
    if (!kept) return;
    this.steps = kept.steps;
    this.bytes = kept.bytes;
    this.shared.counted();
  }

  #hintAt(text) {
    write(this.hint, text);
    this.hint.hidden = !text;
  }

  #show(snapshot) {
    this.snapshot = snapshot;
    this.indices = snapshot.indices ?? this.indices;
    this.keys = Array.from(snapshot.splits, (split, i) => keyOf(split, this.indices[i]));
    this.places = new Map(this.keys.map((key, i) => [key, i]));
    this.cloud.go(snapshot, 1, this.classes.length, this.ms);
    const { images, shown } = snapshot;
    if (shown) this.held = new Map(Array.from(shown, (index, i) => [keyOf(1, index), i]));
    this.images = { ...this.images, ...images };
    this.#hintAt("");
    this.element.dataset.snapshot = snapshot.step;
    this.shared.changed(this);
  }

  #listen() {
    const { canvas } = this.surface;
    canvas.onpointerdown = (event) => {
      if (event.button !== 0 || !this.snapshot) return;
      canvas.setPointerCapture(event.pointerId);
      this.lasso = new Lasso(this.shared.mode === "lasso" ? "lasso" : "box", this.#at(event));
    };
    canvas.onpointermove = (event) => {
      if (this.lasso) this.lasso.move(this.#at(event));
      else this.#hover(this.#at(event));
      this.surface.invalidateOver();
    };
    canvas.onpointerup = () => this.#finish();
    canvas.onpointercancel = () => (this.lasso = null);
    canvas.onpointerleave = () => this.shared.hover(this, null);
    canvas.ondblclick = () => this.shared.zoom(null);
  }

  #at(event) {
    return this.surface.locate(event);
  }

  #finish() {
    const { lasso } = this;
    this.lasso = null;
    this.surface.invalidateOver();
    if (!lasso) return;
    if (this.shared.mode === "zoom") {
      if (!lasso.isClick) this.shared.zoom(within(this.#frame, lasso.places));
      return;
    }
    const found = lasso.enclosed((visit) => this.#eachShown(this.#frame, visit));
    this.shared.select(this, found.map((i) => this.keys[i]));
  }

  #hover(at) {
    if (!this.snapshot) return;
    const i = nearest((visit) => this.#eachShown(this.#frame, visit), at, NEAR);
    this.shared.hover(this, i === null ? null : this.keys[i]);
  }

  get #frame() {
    const { width, height } = this.surface;
    const view = this.shared.view ?? { x: 0, y: 0, reach: this.shared.reach };
    return new Frame(width, height, view, Math.min(this.dimensions, 2));
  }

  get #names() {
    const axes = this.snapshot?.axes ?? [0, 1].slice(0, this.dimensions);
    return namesOf(axes);
  }

  /** Call `visit(i, x, y)` with the pixels of every code in view. */
  #eachShown(frame, visit) {
    const { labels, splits } = this.snapshot;
    const { left, right, top, bottom } = frame.box;
    const shown = SPLITS.map((split) => !this.shared.hidden.includes(split));
    const lane = frame.axes === 1 ? lanes(frame, this.classes.length) : null;
    for (let i = 0; i < labels.length; i++) {
      if (!shown[splits[i]]) continue;
      const [x, y] = this.#pixel(frame, i, lane);
      if (x >= left && x <= right && y >= top && y <= bottom) visit(i, x, y);
    }
  }

  #pixel(frame, i, lane = frame.axes === 1 ? lanes(frame, this.classes.length) : null) {
    const { points, labels } = this.cloud;
    return [frame.x.at(points[0][i]), lane ? lane(labels[i], i) : frame.y.at(points[1][i])];
  }

  // Drawing.

  #draw(context, ratio) {
    const { theme, palette } = this.shared;
    const frame = this.#frame;
    const { left, right, bottom } = frame.box;
    drawAxes(context, frame, this.#names, theme);
    if (!this.snapshot) {
      if (frame.axes > 1) drawCircles(context, frame, theme);
      return;
    }
    context.save();
    context.beginPath();
    context.rect(left, 0, right - left, bottom);
    context.clip();
    if (frame.axes === 1) drawDensity(context, frame, this.snapshot, true, theme);
    const selected = this.shared.selected(this.run.data);
    const { labels } = this.snapshot;
    const colors = [...this.classes.map((_, i) => palette[i % palette.length]), theme.muted];
    const color = (i) => (labels[i] < 0 ? this.classes.length : labels[i]);
    const isIn = (i) => selected === null || selected.has(this.keys[i]);
    const paint = (count, colors, wanted, color) =>
      this.dots.draw(context, ratio, count, colors, (dot) =>
        this.#eachShown(frame, (i, x, y) => {
          if (wanted(i)) dot(x, y, color(i));
        }),
      );
    const rest = css(mix(theme.paper, theme.ink, REST)); // also a grey class stands out from it
    if (selected) paint(labels.length, [rest], (i) => !isIn(i), () => 0);
    paint(selected?.size ?? labels.length, colors, isIn, color);
    if (frame.axes > 1) drawCircles(context, frame, theme);
    if (!selected) drawNames(context, frame, this.cloud, this.classes, theme);
    context.restore();
    const marked = selected ? this.keys.filter((key) => selected.has(key)).length : 0;
    Object.assign(this.surface.canvas.dataset, { marked, reach: frame.view.reach.toFixed(2) });
  }

  #drawOver(context) {
    const { theme } = this.shared;
    this.lasso?.draw(context, theme);
    const key = this.lasso ? null : this.shared.hovered(this.run.data);
    const i = this.places?.get(key);
    this.tip.hidden = i === undefined;
    if (i === undefined) return;
    const frame = this.#frame;
    const [x, y] = this.#pixel(frame, i);
    context.beginPath();
    context.arc(x, y, 6, 0, 2 * Math.PI);
    context.strokeStyle = theme.text;
    context.lineWidth = 2;
    context.stroke();
    const { points, labels, splits } = this.snapshot;
    const at = points.map((axis) => coordinate(axis[i])).join(", ");
    const name = this.classes[labels[i]] ?? "no class";
    write(this.tip, `${name}  (${at})  ${SPLITS[splits[i]]} ${this.indices[i]}`);
    const { offsetWidth: w, offsetHeight: h } = this.tip;
    const left = Math.max(0, Math.min(x + 12, this.surface.width - w));
    const top = y > h + 12 ? y - h - 10 : y + 12;
    this.tip.style.transform = `translate(${left}px, ${top}px)`;
  }

  #describe() {
    if (!this.snapshot) return `Latent plane of ${this.run.name}; no codes yet.`;
    const { labels, step } = this.snapshot;
    const selected = this.shared.selected(this.run.data);
    const marked = selected ? `; ${count(selected.size)} are marked` : "";
    return `${count(labels.length)} codes of ${this.run.name} at step ${count(step)} on ${this.#names.join(" and ")}${marked}.`;
  }
}

/** The view that a box drawn over `frame` encloses. */
function within(frame, places) {
  const [xs, ys] = [0, 1].map((i) => places.map((place) => place[i]));
  const ends = (scale, values) => [Math.min(...values), Math.max(...values)].map((v) => scale.value(v));
  const [[left, right], [top, bottom]] = [ends(frame.x, xs), ends(frame.y, ys)];
  const reach = Math.max((top - bottom) / 2, (right - left) / 2 / (frame.axes > 1 ? frame.aspect : 1));
  return { x: (left + right) / 2, y: (top + bottom) / 2, reach: Math.max(reach, 0.01) };
}
