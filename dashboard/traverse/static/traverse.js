/** Walks through the latent spaces of runs: manifold, dimensions, the way between two images. */

import { Address, numbersOf, oneOf, PAIR, whole, WHOLE } from "../live/address.js";
import { Axes, unitsOf } from "../live/axes.js";
import { coordinate, count } from "../live/format.js";
import { Fitting } from "../live/fitting.js";
import { sheetOf } from "../live/gallery.js";
import { placeHelp } from "../live/help.js";
import { Scrubber } from "../live/scrubber.js";
import { write } from "../live/strip.js";
import { Theme } from "../live/theme.js";
import { nameItems } from "../live/words.js";
import { Blocks } from "./blocks.js";
import { Saves } from "./saves.js";
import { changed } from "./paths.js";
import { Picker } from "./picker.js";
import { Sheet } from "./sheet.js";
import { MODES, SKELETON, help } from "./skeleton.js";
import { Sliders } from "./sliders.js";
import { Subject } from "./subject.js";

const RETRY = 1500; // ms until the server is asked again, where it was busy
const AGAIN = 2500; // ms between two looks at runs that train
const PATIENCE = 400; // ms that images may take before it is said
const STACKED = 760; // px of width up to which the style sheet stacks the parts

/** What can be chosen, and how the address says it; `z` is a code set by hand. */
const CHOICES = {
  view: oneOf(Object.keys(MODES)),
  step: WHOLE,
  image: { usual: 0, read: (text) => (text === "origin" ? text : whole(text)) },
  to: { ...WHOLE, usual: 1 },
  axes: PAIR,
  z: { ...numbersOf(), passing: true },
};

export class Traverse {
  constructor(root) {
    root.innerHTML = SKELETON;
    root.classList.add("traverse");
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.theme = new Theme(root);
    this.subjects = [];
    this.base = { image: 0 };
    Object.assign(this, { mode: "manifold", axes: null, to: 1, end: "from", asked: 0 });
    this.sheet = new Sheet(this.find(".stage"), this.theme, (row, i) => this.#take(row, i));
    this.picker = new Picker(this.find(".picker"), this.theme, (image) => this.#choose(image));
    this.sliders = new Sliders(this.find(".sliders"), (dimension, value) => this.#slide(dimension, value));
    this.time = new Scrubber(this.find(".time"), (step, ms) => this.#seek(step, ms));
    this.address = new Address(CHOICES, (chosen) => this.#return(chosen));
    this.blocks = new Blocks(this);
    this.saves = new Saves(this.find(".saves"), this);
    this.axesChoice = new Axes(this.find(".axes"), (plane) => this.#set({ axes: plane.split(",").map(Number) }));
    this.fitting = new Fitting(root, STACKED, () => this.#resize());
    this.#listen();
    placeHelp(root);
  }

  /** Called for new data from Python and for a new theme. */
  update({ api, runs, quantiles }) {
    this.theme.read();
    this.quantiles = quantiles;
    const key = JSON.stringify(runs.map(({ id, name, color }) => [id, name, color]));
    if (key !== this.key || this.arriving) this.#open(api, runs);
    else this.subjects.forEach((subject, i) => (subject.run = runs[i]));
    this.key = key;
    this.fitting.fit();
    this.sheet.refresh();
    this.#draw();
    if (this.taken) this.#tell(true); // the page may have put another address in its place
  }

  close() {
    clearInterval(this.looking);
    this.address.close();
    clearTimeout(this.retrying);
    this.time.close();
    this.sheet.close();
    this.fitting.close();
    this.closed = true;
  }

  /** The run whose codes the sliders show. */
  get first() {
    return this.subjects.find(({ ready }) => ready);
  }

  get ready() {
    return this.subjects.filter(({ ready }) => ready);
  }

  // What is chosen.

  async #open(api, runs) {
    clearInterval(this.looking);
    if (this.arriving) this.arriving = this.taken = false; // all is as that address says
    const before = new Map(this.subjects.map((subject) => [subject.run.id, subject]));
    this.subjects = runs.map((run) => Object.assign(before.get(run.id) ?? new Subject(api, run), { run }));
    const chosen = this.address.read();
    if (!this.taken) this.#takeUp(chosen);
    this.#hintAt("Loading codes and decoders …");
    await this.#look();
    if (!this.taken && chosen.step !== null) this.address.quietly(() => this.time.seek(chosen.step));
    this.taken = true;
    this.looking = setInterval(() => {
      if (!document.hidden && this.subjects.some(({ run }) => run.active)) this.#look();
    }, AGAIN);
  }

  /** Be as the address says. */
  #takeUp({ view, image, to, axes, z }) {
    Object.assign(this, { mode: view, to, axes, base: image === "origin" ? {} : { image } });
    if (z) this.base.z = Float32Array.from(z);
  }

  /** Back or Forward was pressed; where that is to other runs, the page will say so. */
  #return(chosen) {
    const shown = this.subjects.map(({ run }) => run.id).join();
    this.arriving = (Address.says("runs") ?? shown) !== shown;
    if (this.arriving) return;
    this.#takeUp(chosen);
    if (chosen.step === null) this.time.follow();
    else if (chosen.step !== this.time.step) this.time.seek(chosen.step);
    this.#draw();
  }

  /** Look for steps that are new, and show the newest where that is followed. */
  async #look() {
    const { subjects } = this;
    await Promise.all(subjects.map((subject) => subject.look()));
    if (subjects !== this.subjects || this.closed) return;
    const steps = [...new Set(subjects.flatMap((subject) => subject.steps))].sort((a, b) => a - b);
    this.time.offer(steps, subjects.reduce((sum, { bytes }) => sum + bytes, 0));
    await this.#go(this.time.step);
  }

  /** Show a step, and be done with it. */
  async show(step) {
    await this.#go(step);
    if (step === null) this.time.follow();
    else this.time.seek(step);
  }

  /** The viewer, or a film of so many `ms` a step, goes to a step. */
  #seek(step, ms) {
    this.#tell(ms > 0);
    return this.#go(step);
  }

  /** Show all runs as they were at a step. */
  async #go(step) {
    const known = await Promise.all(this.subjects.map((subject) => subject.go(step)));
    if (!this.ready.length) {
      this.#hintAt("Nothing to decode yet: a run leaves its decoder soon after it starts.");
    }
    if (known.some(Boolean)) await this.#draw();
  }

  #choose(image) {
    if (this.mode === "between" && this.end === "to") this.to = image;
    else this.base = image === null ? {} : { image };
    this.#draw();
    this.#tell();
  }

  #slide(dimension, value) {
    const { first } = this;
    this.base = { ...this.base, z: changed(first.codeOf(this.base), [[dimension, value]]) };
    this.#draw();
    this.#tell();
  }

  /** Have the code of an image of the sheet. */
  #take(row, i) {
    if (row.subject !== this.first) return;
    this.base = { ...this.base, z: row.codes[i] };
    this.#draw();
    this.#tell();
  }

  #set(change) {
    Object.assign(this, change);
    this.#draw();
    this.#tell();
  }

  #listen() {
    for (const button of this.root.querySelectorAll("[data-mode]")) {
      button.onclick = () => this.#set({ mode: button.dataset.mode });
    }
    for (const button of this.root.querySelectorAll("[data-end]")) {
      button.onclick = () => this.#set({ end: button.dataset.end });
    }
  }

  /** Put what is shown into the address, also of what Back is to lead past if it is `passing`. */
  #tell(passing = false) {
    if (!this.taken || this.filming) return;
    const { mode: view, base: { image = "origin", z = null }, to, axes, time: { step } } = this;
    this.address.write({ view, step, image, to, axes, z }, passing);
  }

  // What is shown.

  #resize() {
    if (this.extent !== this.blocks.extent) this.#draw();
  }

  /** Paint what is chosen; a newer wish overtakes an older one. */
  async #draw() {
    const { first } = this;
    const asked = ++this.asked;
    this.extent = this.blocks.extent;
    clearTimeout(this.retrying);
    this.#showControls();
    if (!first) return;
    this.picker.offer(first, this.mode !== "between" || this.end === "from");
    const inTo = this.mode === "between" && this.end === "to";
    this.picker.mark(inTo ? this.to : this.base.z ? undefined : (this.base.image ?? null));
    this.sliders.offer(first.order, first.codes.kl);
    this.sliders.show(first.codeOf(this.base));
    const begun = performance.now();
    const told = (share) => {
      const late = performance.now() - begun >= PATIENCE;
      if (late && asked === this.asked) this.#hintAt(`Drawing the images${share ? `: ${Math.round(100 * share)} %` : " …"}`);
    };
    const waiting = setTimeout(() => told(0), PATIENCE + 1);
    const blocks = await this.blocks.make(told);
    clearTimeout(waiting);
    if (asked !== this.asked || this.closed) return;
    if (!blocks) {
      this.#hintAt("The server is busy and decodes nothing now; it is asked again.");
      this.retrying = setTimeout(() => this.#draw(), RETRY);
      return;
    }
    this.#hintAt("");
    this.sheet.show(blocks);
    await this.#showFaces();
    Object.assign(this.root.dataset, { mode: this.mode, step: first.step, image: this.base.image ?? "", drawn: asked });
  }

  #showControls() {
    const { first, mode } = this;
    for (const button of this.root.querySelectorAll("[data-mode]")) {
      button.setAttribute("aria-pressed", button.dataset.mode === mode);
    }
    for (const button of this.root.querySelectorAll("[data-end]")) {
      button.setAttribute("aria-pressed", button.dataset.end === this.end);
    }
    this.root.toggleAttribute("data-several", this.ready.length > 1);
    this.root.dataset.mode = mode;
    this.#showRuns();
    this.find(".ends").hidden = mode !== "between";
    this.find(".around").hidden = mode === "between";
    if (this.helped !== mode) this.find("#traverse-help").innerHTML = help((this.helped = mode));
    this.axesChoice.offer(unitsOf(mode === "manifold" && first ? first.dimensions : 0));
    if (!first) return;
    nameItems(this.root, first.run);
    this.axesChoice.show(this.blocks.axesOf(first).join());
  }

  /** Which marker is whose, where rows of several runs stand together. */
  #showRuns() {
    const several = this.ready.length > 1 && this.mode === "dimensions";
    const names = (several ? this.ready : []).map(({ run: { glyph, name, color } }) => {
      const entry = document.createElement("span");
      const mark = document.createElement("i");
      mark.textContent = glyph;
      mark.style.setProperty("--color", color);
      entry.append(mark, ` ${name}`);
      return entry;
    });
    this.find(".runs").replaceChildren(...names);
  }

  /** The image that the sliders make, beside the one that they began at. */
  async #showFaces() {
    const { first } = this;
    const { image } = this.base;
    const x = image != null && image < first.images ? first.original(image) : null;
    this.find(".x").hidden = x === null;
    if (x) face(this.find(".x canvas"), x, this.theme);
    const code = first.codeOf(this.base);
    const made = await first.paint([code]);
    if (made) face(this.find(".decoded canvas"), made, this.theme);
    const name = x ? `${first.nameOf(image)}; ` : "";
    this.find(".decoded canvas").setAttribute("aria-label", `${name}z = ${Array.from(code, coordinate).join(", ")}`);
    this.root.dataset.z = Array.from(code, (value) => value.toFixed(2)).join();
    const late = this.time.shown !== null && first.step !== this.time.shown;
    write(this.find(".status"), late ? `shown as of step ${count(first.step)}` : "");
  }

  #hintAt(text) {
    write(this.find(".hint"), text);
    this.find(".hint").hidden = !text;
  }
}

/** Paint a single image. */
function face(canvas, tile, theme) {
  const [, h, w] = tile.shape;
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  canvas.getContext("2d").drawImage(sheetOf({ ...tile, grey: 1 }, theme), 0, 0);
}
