/** Latent planes side by side on the same axes; what is selected in one is marked in all. */

import { Address } from "../live/address.js";
import { Axes, unitsOf } from "../live/axes.js";
import { count } from "../live/format.js";
import { Gallery } from "../live/gallery.js";
import { SPLITS } from "../live/history.js";
import { Legend, toggle } from "../live/legend.js";
import { Beside } from "./beside.js";
import { CHOICES } from "./choices.js";
import { LinkedPlane, spell } from "./linked.js";
import { offersOf, SaveMenu } from "../live/saving.js";
import { Scrubber } from "../live/scrubber.js";
import { write } from "../live/strip.js";
import { Theme } from "../live/theme.js";
import { nounOf, oneOf } from "../live/words.js";

const EMPTY = 3.2; // reach while there are no codes
const TOLD = 50; // selected images that are listed for tests and scripts
const ABREAST = 4; // planes
const SHOWN = 20; // images shown at most
const IMAGE = 40; // px of an image with what lies between it and the next
const MODES = { lasso: "Lasso", box: "Box", zoom: "Zoom" };
const INVITATION =
  "Drag around codes in one plane, or press a class: the same ones are marked in all.";

const SKELETON = `
  <div class="controls">
    <span class="modes" role="group" aria-label="What dragging does">
      ${Object.entries(MODES)
        .map(([mode, name]) => `<button type="button" class="tool" data-mode="${mode}">${name}</button>`)
        .join("")}
    </span>
    <span class="axes" hidden>
      <button type="button" class="tool pca">PCA</button>
      <select class="tool" aria-label="Axis across"></select>
      <select class="tool" aria-label="Axis up"></select>
    </span>
    <div class="legend" role="group" aria-label="Classes and splits"></div>
    <button type="button" class="tool reset" disabled>Show all</button>
    <span class="saves"></span>
  </div>
  <div class="grid"></div>
  <div class="time"></div>
  <div class="said"><span role="status"></span>
    <button type="button" class="tool clear" hidden>Select none</button></div>
  <div class="held" hidden>
    <div class="names"></div>
    <div class="stage"><canvas role="img"></canvas></div>
  </div>`;

export class Planes {
  constructor(root) {
    root.innerHTML = SKELETON;
    root.classList.add("planes");
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.theme = new Theme(root);
    this.planes = new Map(); // by run
    this.selection = null; // { data, keys }
    this.pointed = null; // { data, key }
    this.palette = [];
    this.hidden = [];
    Object.assign(this, { mode: "lasso", axes: "pca", view: null, reach: EMPTY, sought: null });
    this.legend = new Legend(this.find(".legend"), (name) => this.#press(name));
    this.axesChoice = new Axes(this.find(".axes"), (axes) => this.#choose(axes));
    this.time = new Scrubber(this.find(".time"), (step, ms) => this.#look(step, ms));
    const name = () => ["latent-planes", this.time.shown].filter((part) => part !== null).join("-");
    new SaveMenu(this.find(".saves"), "the planes", offersOf(this, this.theme, name), this.theme);
    this.address = new Address(CHOICES, (chosen) => this.#takeUp(chosen));
    this.#listen();
  }

  /** Called for new data from Python and for a new theme. */
  update({ api, runs, palette }) {
    this.palette = palette;
    this.theme.read();
    this.first = runs[0]?.data;
    if (!this.runs) this.#takeUp(this.address.read());
    const ids = new Set(runs.map(({ id }) => id));
    for (const [id, plane] of this.planes) {
      if (ids.has(id)) continue;
      plane.close();
      this.planes.delete(id);
    }
    for (const run of runs) {
      if (JSON.stringify(this.planes.get(run.id)?.run) === JSON.stringify(run)) continue;
      this.planes.get(run.id)?.close();
      const plane = new LinkedPlane(this);
      this.planes.set(run.id, plane);
      plane.follow(api, run);
    }
    this.runs = runs.map(({ id }) => this.planes.get(id));
    this.find(".grid").append(...this.runs.map(({ element }) => element));
    this.root.style.setProperty("--columns", Math.min(ABREAST, runs.length));
    this.introduced();
    this.counted();
    this.#frameAll();
    this.#tell();
    this.#write(true); // the page may have put another address in its place
  }

  close() {
    this.address.close();
    for (const plane of this.planes.values()) plane.close();
    this.gallery?.close();
    this.time.close();
  }

  /** Be as the address says: at first, and after Back and Forward. */
  #takeUp({ step, plane, view, hidden, select, of }) {
    Object.assign(this, { hidden, view, axes: plane, sought: step });
    this.selection = select ? { data: of ?? this.first, keys: new Set(select) } : null;
    if (!this.runs) return;
    if (step === null) this.time.follow();
    else if (step !== this.time.step) this.time.seek(step);
    this.sought = null;
    this.introduced();
    this.#turn(plane, view);
    this.#tell();
  }

  /** Put what is chosen into the address, also of what Back is to lead past if it is `passing`. */
  #write(passing = false) {
    const { hidden, view, axes: plane, selection } = this;
    const step = this.sought ?? this.time.step;
    const of = selection && selection.data !== this.first ? selection.data : null;
    this.address.write({ step, plane, view, hidden, select: selection && [...selection.keys], of }, passing);
  }

  // What can be saved.

  /** All planes side by side; null where there are none. */
  get figure() {
    if (!this.runs?.length) return null;
    const parts = this.runs.map(({ surface: { figure }, run: { glyph, name, objective, color } }) => ({
      figure,
      title: `${glyph} ${[name, objective].filter(Boolean).join("  ")}`,
      color,
    }));
    return new Beside(parts, Math.min(ABREAST, parts.length), this.theme);
  }

  refresh() {
    this.#refresh();
  }

  /** The codes of all runs, of each on its own axes. */
  numbers() {
    const rows = this.runs.flatMap((plane) => plane.numbers());
    return [["run", "id", "step", "split", "index", "class", "across", "up", "x", "y"], ...rows];
  }

  // What the planes ask and tell.

  /** The selected images, for runs on those data; null where nothing is selected. */
  selected(data) {
    if (!this.selection) return null;
    return this.selection.data === data ? this.selection.keys : new Set();
  }

  /** The image under the pointer, for runs on those data. */
  hovered(data) {
    return this.pointed?.data === data ? this.pointed.key : null;
  }

  /** A plane has learned its classes and dimensions. */
  introduced() {
    const classes = this.runs?.find((plane) => plane.classes.length)?.classes ?? [];
    this.legend.set([
      ...classes.map((label, i) => ({ name: `class:${i}`, label, kind: "class" })),
      ...SPLITS.map((split) => ({ name: split, label: split, kind: "split" })),
    ]);
    const colors = classes.map((_, i) => [`class:${i}`, this.palette[i % this.palette.length]]);
    this.legend.show(this.hidden, Object.fromEntries(colors));
    this.axesChoice.offer(unitsOf(Math.max(0, ...(this.runs ?? []).map(({ dimensions }) => dimensions))));
    this.axesChoice.show(this.axes);
  }

  /** A plane has learned of its steps. */
  counted() {
    const steps = new Set(this.runs?.flatMap((plane) => plane.steps));
    const bytes = this.runs?.reduce((sum, plane) => sum + (plane.bytes ?? 0), 0);
    this.time.offer([...steps].sort((a, b) => a - b), bytes);
    const { sought } = this;
    if (sought === null || !this.runs?.every((plane) => plane.steps.length)) return;
    this.sought = null;
    this.address.quietly(() => this.time.seek(sought));
  }

  /** A plane has new codes. */
  changed() {
    this.#frameAll();
    this.#tell();
  }

  select(plane, keys) {
    this.selection = keys.length ? { data: plane.run.data, keys: new Set(keys) } : null;
    this.#refresh();
    this.#tell();
    this.#write();
  }

  hover(plane, key) {
    const { data } = plane.run;
    if (this.hovered(data) === key) return;
    this.pointed = key === null ? null : { data, key };
    for (const each of this.planes.values()) each.refreshOver();
  }

  zoom(view) {
    this.view = view;
    this.#refresh();
    this.#write();
  }

  /** Show all runs as they were at a step. */
  #look(step, ms) {
    if (this.sought === null) this.#write(ms > 0);
    return Promise.all((this.runs ?? []).map((plane) => plane.look(step, ms)));
  }

  #listen() {
    for (const button of this.root.querySelectorAll("[data-mode]")) {
      button.onclick = () => this.#set({ mode: button.dataset.mode });
    }
    this.find(".reset").onclick = () => this.zoom(null);
    this.find(".clear").onclick = () => {
      this.#set({ selection: null });
      this.#write();
    };
    this.#set({});
  }

  #set(change) {
    Object.assign(this, change);
    for (const button of this.root.querySelectorAll("[data-mode]")) {
      button.setAttribute("aria-pressed", button.dataset.mode === this.mode);
    }
    this.#refresh();
    this.#tell();
  }

  /** A class selects its images; a split hides or shows its codes. */
  #press(name) {
    if (SPLITS.includes(name)) {
      this.hidden = toggle(this.hidden, name);
      this.introduced();
      this.#refresh();
      this.#write();
      return;
    }
    const first = this.runs.find(({ snapshot }) => snapshot);
    if (!first) return;
    const keys = first.ofClass(Number(name.slice("class:".length)));
    const selected = this.selection?.keys;
    const same = selected?.size === keys.length && keys.every((key) => selected.has(key));
    this.select(first, same ? [] : keys);
  }

  #choose(axes) {
    this.#turn(axes);
    this.#write();
  }

  #turn(axes, view = null) {
    Object.assign(this, { axes, view });
    this.axesChoice.show(this.axes);
    this.#refresh();
    for (const { feed } of this.planes.values()) feed.wake();
  }

  /** One reach for all planes: the widest that one of them needs. */
  #frameAll() {
    this.reach = Math.max(...this.runs.map((plane) => plane.wantedReach)) || EMPTY;
    this.#refresh();
  }

  #refresh() {
    this.find(".reset").disabled = this.view === null;
    for (const plane of this.planes.values()) plane.refresh();
  }

  /** Say what is selected, and show the images of it that snapshots hold. */
  #tell() {
    const keys = [...(this.selection?.keys ?? [])];
    this.root.dataset.selection = keys.slice(0, TOLD).map(spell).join();
    this.root.dataset.selected = keys.length;
    this.find(".clear").hidden = keys.length === 0;
    const linked = this.runs?.filter(({ run }) => run.data === this.selection?.data) ?? [];
    const shown = this.#showImages(linked, keys);
    write(this.find(".said span"), keys.length ? this.#sentence(linked, keys, shown) : INVITATION);
  }

  #sentence(linked, keys, shown) {
    const holder = linked.find(({ places }) => places);
    if (!holder) return linked.length ? "Loading …" : `None of these runs is of the data ${this.selection.data}.`;
    const { places, snapshot, classes } = holder;
    const tally = new Map();
    const found = keys.filter((key) => places.has(key));
    for (const key of found) {
      const name = classes[snapshot.labels[places.get(key)]] ?? "no class";
      tally.set(name, (tally.get(name) ?? 0) + 1);
    }
    const parts = [...tally].sort((a, b) => b[1] - a[1]).map(([name, n]) => `${name} ×${count(n)}`);
    const { run } = linked[0];
    const items = found.length === 1 ? `1 ${oneOf(run)}` : `${count(found.length)} ${nounOf(run)}`;
    const rest = shown
      ? `Below: ${count(shown)} of them that the snapshots hold, and what each run makes of them.`
      : "The snapshots hold pictures of none of them.";
    const others = linked.length < this.runs.length ? ` Other runs are of other data than ${this.selection.data}.` : "";
    return `${items}: ${parts.join(", ")}. ${rest}${others}`;
  }

  /** A column for each selected image that is held, a row for each run; how many there are. */
  #showImages(linked, keys) {
    const holders = linked.filter(({ held, images }) => held && images?.originals);
    const shown = keys.filter((key) => holders.every(({ held }) => held.has(key))).slice(0, SHOWN);
    const panel = this.find(".held");
    panel.hidden = !holders.length || !shown.length;
    this.root.dataset.shown = panel.hidden ? "" : shown.map(spell).join();
    if (panel.hidden) return 0;
    const rows = [["originals", "x"], ...holders.map(({ run }) => [run.id, run.glyph])];
    panel.style.height = `${rows.length * IMAGE}px`;
    if (String(rows) !== String(this.gallery?.rows)) {
      this.gallery?.close();
      this.gallery = new Gallery(panel, { theme: this.theme, rows, usual: SHOWN, blank: "" });
    }
    const pick = ({ held, images }, name) => choose(images[name], shown.map((key) => held.get(key)));
    const images = { originals: pick(holders[0], "originals") };
    for (const plane of holders) images[plane.run.id] = pick(plane, "reconstructions");
    this.gallery.show({ images, step: 0 });
    this.gallery.surface.canvas.setAttribute("aria-label", `${count(shown.length)} selected images above what each run makes of them`);
    return shown.length;
  }
}

/** Some of the images of a sheet. */
function choose({ shape: [, ...size], data, ...said }, places) {
  const each = size.reduce((product, n) => product * n, 1);
  const chosen = new data.constructor(places.length * each);
  places.forEach((place, i) => chosen.set(data.subarray(place * each, (place + 1) * each), i * each));
  return { shape: [places.length, ...size], data: chosen, ...said };
}
