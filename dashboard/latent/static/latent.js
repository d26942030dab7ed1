/** The latent space of a run: q(z) against p(z), what is selected there, and what it decodes to. */

import { Address } from "../live/address.js";
import { Axes, unitName } from "../live/axes.js";
import { loadDecoder, stepsOf } from "../live/decoder.js";
import { Feed } from "../live/feed.js";
import { Fitting } from "../live/fitting.js";
import { count } from "../live/format.js";
import { placeHelp } from "../live/help.js";
import { History, nearest } from "../live/history.js";
import { offersOf, SaveMenu } from "../live/saving.js";
import { Scrubber } from "../live/scrubber.js";
import { write } from "../live/strip.js";
import { Theme } from "../live/theme.js";
import { nameItems } from "../live/words.js";
import { CHOICES } from "./choices.js";
import { Chosen } from "./chosen.js";
import { Decoded } from "./decoded.js";
import { Landscape } from "./landscape.js";
import { Matrix } from "./matrix.js";
import { Numbers, valuesOf } from "./numbers.js";
import { Pictures } from "./pictures.js";
import { Rings } from "./rings.js";
import { SKELETON } from "./skeleton.js";
import { Missing, Source } from "./source.js";
import { Unit } from "./unit.js";
import { Units } from "./units.js";

const TOLD = 50; // selected images that are listed for tests and scripts
const SHARE = 4; // pauses between two answers are so many times as long as the server took
const STACKED = 900; // px of width up to which the style sheet stacks the panels
const DESCRIBE = 1500; // ms between changes of the text that screen readers find
const HINTS = {
  queued: "Waiting for its turn.",
  running: "Loading data and model …",
  gone: "This run was deleted.",
};
const NONE = "It left no codes.";

export class Latent {
  constructor(root) {
    root.innerHTML = SKELETON;
    root.classList.add("latent");
    this.root = root;
    const find = (selector) => root.querySelector(selector);
    this.find = find;
    this.theme = new Theme(root);
    this.address = new Address(CHOICES, (chosen) => this.#return(chosen));
    this.chosen = this.address.usual;
    this.history = new History(["train", "test", "codes"]);
    this.pictures = new Pictures(this.theme);
    this.source = new Source();
    this.keyOf = this.keyOf.bind(this);
    this.placeOf = this.placeOf.bind(this);
    this.nameOf = this.nameOf.bind(this);
    this.colorOf = this.colorOf.bind(this);
    Object.assign(this, { palette: [], about: null, state: null, latest: null, decoders: [] });
    this.#forget();
    this.landscape = new Landscape(find(".plane"), this);
    this.panels = {
      ".units": new Units(find(".units"), this),
      ".unit": new Unit(find(".unit"), this),
      ".rings": new Rings(find(".rings"), this),
      ".matrix": new Matrix(find(".matrix"), this),
    };
    this.decoded = new Decoded(find(".decoded"), this);
    this.gallery = new Chosen(find(".chosen"), this);
    this.time = new Scrubber(find(".time"), (step, ms) => this.#look(step, ms));
    this.feed = new Feed({
      news: (news) => this.#hear(news),
      link: (connected) => (root.dataset.connected = connected),
      axes: () => "",
      kept: () => this.#offer(),
      asked: () => {},
    });
    this.axes = new Axes(find(".axes"), (plane) => this.choose({ plane }));
    this.#listen();
    this.fitting = new Fitting(root, STACKED);
    placeHelp(root);
    this.#offerFiles();
  }

  /** Called for new data from Python, which `report(name, value)` answers, and for a new theme. */
  update({ run, api, palette, facts, measured, state }, report) {
    Object.assign(this, { api, palette, report, known: state });
    this.measured = JSON.parse(measured);
    this.theme.read();
    this.numbers ??= new Numbers(this.find(".numbers"), JSON.parse(facts));
    placeHelp(this.root);
    if (run !== this.run) this.#open(run);
    else this.feed.wake();
    this.address.write(this.chosen, true); // the page may have put another in its place
    this.#refresh();
    this.fitting.fit();
  }

  close() {
    this.address.close();
    this.fitting.close();
    clearTimeout(this.describing);
    clearTimeout(this.later);
    this.source.stop();
    const parts = [this.feed, this.time, this.landscape, this.decoded];
    for (const part of [...parts, ...Object.values(this.panels)]) part.close();
  }

  // What the panels ask.

  get classes() {
    return this.about?.classes ?? [];
  }

  get dimensions() {
    return this.about?.latent_dim ?? 2;
  }

  /** The names of the plane's axes. */
  get names() {
    return this.landscape.names;
  }

  /** The unit that is shown by itself: the one chosen, or the one that says most. */
  get unit() {
    const { unit } = this.chosen;
    if (unit !== null && unit < this.dimensions) return unit;
    return this.posteriors?.order[0] ?? 0;
  }

  /** What stands for the image of code i: its split and its number there, "1:17". */
  keyOf(i) {
    return `${this.posteriors.split === "test" ? 1 : 0}:${this.posteriors.indices[i]}`;
  }

  /** The code of an image, or undefined. */
  placeOf(key) {
    return this.places.get(key);
  }

  /** An image in words. */
  nameOf(i) {
    const { labels, indices, split } = this.posteriors;
    return `${this.classes[labels[i]] ?? "no class"}, ${split} ${indices[i]}`;
  }

  colorOf(i) {
    const label = this.posteriors.labels[i];
    return label < 0 ? this.theme.muted : this.palette[label % this.palette.length];
  }

  /** The selected codes. */
  get selected() {
    return [...(this.selection ?? [])].map(this.placeOf).filter((i) => i !== undefined);
  }

  /** The code of the image pointed at in the gallery, or undefined. */
  get focused() {
    return this.focus === null ? undefined : this.placeOf(this.focus);
  }

  nearestTo(place) {
    return this.landscape.nearestTo(place);
  }

  /** The whole code at a place on the plane, and the code that its other units come from. */
  codeAt(place) {
    const { posteriors, chosen, dimensions: d } = this;
    const z = new Float32Array(d);
    if (!posteriors) return { z, base: null };
    let base = null;
    if (d > 2 && chosen.rest === "nearest") base = this.nearestTo(place);
    if (d > 2 && chosen.rest === "focus") base = this.focused ?? null;
    if (base !== null) for (let j = 0; j < d; j++) z[j] = posteriors.mean(base, j);
    place.slice(0, this.landscape.axes).forEach((value, k) => {
      let own = 0;
      for (let j = 0; j < d; j++) own += (base === null ? 0 : posteriors.mean(base, j)) * posteriors.basis[j][k];
      for (let j = 0; j < d; j++) z[j] += (value - own) * posteriors.basis[j][k];
    });
    return { z, base };
  }

  // What the panels tell.

  /** Have something else shown. */
  choose(change) {
    const before = this.#plane;
    Object.assign(this.chosen, change);
    if (this.#plane !== before || change.split) {
      Object.assign(this.chosen, { at: null, view: null });
      if (change.split) this.select([]);
      this.#want();
    } else if (change.codes && this.posteriors) {
      this.landscape.show(this.posteriors);
    }
    this.#refresh();
    this.address.write(this.chosen);
  }

  /** The codes selected, none to select nothing; of one alone the image is pointed at. */
  select(indices) {
    const keys = indices.map(this.keyOf);
    this.selection = keys.length ? new Set(keys) : null;
    this.focus = keys.length === 1 ? keys[0] : null;
    this.chosen.select = keys.length ? numbersOf(keys) : null;
    this.#pointed();
  }

  /** An image is pointed at, or no longer. */
  point(key) {
    this.focus = key === this.focus ? null : key;
    this.#pointed();
  }

  #pointed() {
    this.chosen.focus = this.focus === null ? null : numbersOf([this.focus])[0];
    this.#refresh();
    this.address.write(this.chosen);
  }

  /** A place on the plane is pointed at. */
  probe(place) {
    this.chosen.at = place;
    this.decoded.show();
    this.landscape.refreshOver();
    this.address.write(this.chosen);
    this.#describeSoon();
  }

  #listen() {
    for (const group of this.root.querySelectorAll("[data-choice]")) {
      group.onclick = (event) => {
        const button = event.target.closest("button");
        if (button) this.choose({ [group.dataset.choice]: button.dataset.value });
      };
    }
  }

  /** Every panel can be saved, as a picture and as numbers. */
  #offerFiles() {
    const name = (panel) => [this.run ?? "nothing", panel, this.root.dataset.snapshot].filter(Boolean).join("-");
    const drawn = { ".plane": this.landscape, ".decoded": this.decoded, ".chosen": this.gallery, ...this.panels };
    for (const [selector, panel] of Object.entries(drawn)) {
      const what = panel === this.gallery ? "images" : selector.slice(1);
      const offers = offersOf(panel, this.theme, () => name(what));
      new SaveMenu(this.find(`${selector} .saves`), `the ${what}`, offers, this.theme);
    }
  }

  // What comes from the server.

  /** Back or Forward was pressed; where that is to another run, the page will say so. */
  #return(chosen) {
    this.arriving = Address.says("run") !== this.run;
    if (this.arriving) return;
    const before = this.time.step;
    Object.assign(this, { chosen, selection: null, focus: null });
    if (this.posteriors) this.#restore();
    if (chosen.step === null) this.time.follow();
    else if (chosen.step !== before) this.time.seek(chosen.step);
    if ([this.#plane, chosen.split].join() !== this.wanted) this.#want();
    else if (this.posteriors) this.landscape.show(this.posteriors);
    this.#refresh();
  }

  /** Turn to another run, or to none; the first is shown as the address says. */
  #open(run) {
    const arrived = this.run === undefined || this.arriving;
    this.arriving = false;
    this.run = run;
    const { split, codes, field, rest, hidden } = this.chosen;
    const kept = { ...this.address.usual, split, codes, field, rest, hidden };
    this.chosen = arrived ? this.address.read() : kept;
    Object.assign(this, { about: null, state: null, latest: null, decoders: [] });
    this.#forget();
    this.history.clear();
    this.source.stop();
    this.pictures.clear();
    this.landscape.show(null);
    this.time.follow();
    this.time.offer([]);
    this.sought = this.chosen.step;
    Object.assign(this.root.dataset, { run: run ?? "", state: "", snapshot: "", decoder: "" });
    this.#hintAt("");
    this.feed.follow(this.api, run);
  }

  #forget() {
    Object.assign(this, { posteriors: null, decoder: null, said: "" });
    Object.assign(this, { selection: null, focus: null, places: new Map() });
  }

  #hear({ state, about, first, rows, snapshot }) {
    this.state = state;
    const introduced = about && JSON.stringify(about) !== JSON.stringify(this.about);
    this.about = about ?? this.about;
    this.history.add(first, rows);
    if (introduced) {
      this.landscape.introduce();
      nameItems(this.root, about);
    }
    this.latest = snapshot ?? this.latest;
    if (!this.posteriors) this.#hintAt(HINTS[state] ?? (this.latest === null ? NONE : ""));
    this.root.dataset.state = state;
    if (state !== this.known && state !== this.reported) {
      this.reported = state;
      this.report("state", state); // the page then says what was measured since
    }
    if (introduced || rows.length) this.#refresh();
  }

  /** There is another snapshot: let the slider know, and show it unless an earlier one is wanted. */
  async #offer() {
    const { run, api } = this;
    const kept = await stepsOf(api, run);
    if (!kept || run !== this.run) return;
    this.decoders = kept.decoders;
    this.time.offer(kept.steps, kept.bytes);
    if (!this.pictures.data) this.#getPictures();
    if (this.sought !== null) {
      this.address.quietly(() => this.time.seek(this.sought));
      this.sought = null;
    } else if (this.time.step === null) {
      this.#wantSoon();
    }
  }

  async #getPictures() {
    const { run, api } = this;
    try {
      await this.pictures.load(api, run);
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
    }
    if (run === this.run) this.#refresh();
  }

  /** Show another step, or the newest; as a step of a film in so many ms. */
  #look(step, ms) {
    if (!this.run || this.latest === null) return undefined;
    this.chosen.step = step;
    this.address.write(this.chosen, ms > 0);
    return this.#want(ms);
  }

  /** Ask for the newest, but leave the server time for others. */
  #wantSoon() {
    clearTimeout(this.later);
    const rest = (this.asked ?? 0) + SHARE * this.source.took - performance.now();
    this.later = setTimeout(() => this.#want(), Math.max(0, rest));
  }

  /** The plane wanted, as the server wants it said. */
  get #plane() {
    const { plane } = this.chosen;
    const d = this.dimensions;
    if (d <= 2) return d === 1 ? "0" : "0,1";
    const axes = plane.split(",").map(Number);
    const here = axes.length === 2 && axes[0] !== axes[1] && axes.every((axis) => axis < d);
    return here ? plane : "pca";
  }

  async #want(ms = 0) {
    clearTimeout(this.later);
    const { run, api } = this;
    const step = this.time.step ?? this.latest;
    if (run === null || step === null) return;
    this.asked = performance.now();
    const { split } = this.chosen;
    this.wanted = [this.#plane, split].join();
    let posteriors;
    try {
      posteriors = await this.source.want(api, run, step, this.#plane, split);
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      if (run === this.run && error.status !== 404) this.#hintAt(error.message);
      return;
    }
    if (!posteriors || run !== this.run) return;
    await this.#take(posteriors, ms);
  }

  /** Show what came. */
  async #take(posteriors, ms) {
    this.posteriors = posteriors;
    this.places = new Map();
    for (let i = 0; i < posteriors.sent; i++) this.places.set(this.keyOf(i), i);
    this.#restore();
    this.#hintAt("");
    this.landscape.show(posteriors, ms);
    this.root.dataset.snapshot = posteriors.step;
    this.#offerAxes();
    this.#refresh();
    await this.#getDecoder(posteriors.step);
  }

  /** Select what the address says, once there are codes. */
  #restore() {
    const { select, focus } = this.chosen;
    const split = this.posteriors.split === "test" ? 1 : 0;
    const key = (number) => `${split}:${number}`;
    if (select && !this.selection) {
      const keys = select.map(key).filter((each) => this.places.has(each));
      this.selection = keys.length ? new Set(keys) : null;
    }
    if (focus !== null && this.focus === null && this.places.has(key(focus))) this.focus = key(focus);
  }

  /** The decoder of a step, or of the one nearest to it of which it was kept. */
  async #getDecoder(step) {
    const { run, api, decoders } = this;
    const kept = decoders.length ? nearest(decoders, step) : null;
    const decoder = kept === null ? null : await loadDecoder(api, run, kept);
    if (run !== this.run || this.posteriors?.step !== step) return;
    this.decoder = decoder;
    if (!decoder) this.said = "The decoder of this step was not kept.";
    else if (kept !== step) this.said = `The decoder of step ${count(kept)}: that of this step was not kept.`;
    else this.said = decoder.exact ? "" : "Between images decoded ahead.";
    this.root.dataset.decoder = decoder ? kept : "none";
    this.decoded.refresh();
    this.gallery.refresh();
  }

  /** The units as axes, those that say most first. */
  #offerAxes() {
    const { order, kl } = this.posteriors;
    this.axes.offer(order.map((unit) => [unit, `${unitName(unit)}  ${kl[unit]?.toFixed(2) ?? "–"}`]));
  }

  // What is shown.

  #refresh() {
    const { chosen, posteriors } = this;
    for (const group of this.root.querySelectorAll("[data-choice]")) {
      for (const button of group.querySelectorAll("button")) {
        button.setAttribute("aria-pressed", chosen[group.dataset.choice] === button.dataset.value);
      }
    }
    const flat = this.dimensions > 1; // of one unit alone there is no plane
    this.find('[data-choice="field"]').hidden = this.find('[data-value="ellipses"]').hidden = !flat;
    if (posteriors) this.axes.show(this.#plane, posteriors.order);
    this.landscape.refresh();
    for (const panel of Object.values(this.panels)) panel.refresh();
    this.decoded.refresh();
    this.gallery.refresh();
    this.numbers?.show(valuesOf(this));
    const keys = [...(this.selection ?? [])];
    this.root.dataset.selection = keys.slice(0, TOLD).join();
    this.root.dataset.selected = keys.length;
    this.#describeSoon();
  }

  #hintAt(text) {
    const hint = this.find(".hint");
    write(hint, text);
    hint.hidden = !text;
  }

  #describeSoon() {
    this.describing ??= setTimeout(() => {
      this.describing = undefined;
      const said = [[".plane", this.landscape], [".decoded", this.decoded], ...Object.entries(this.panels)];
      for (const [selector, panel] of said) {
        this.find(`${selector} canvas`).setAttribute("aria-label", panel.describe());
      }
    }, DESCRIBE);
  }
}

/** The numbers of images within their split. */
const numbersOf = (keys) => keys.map((key) => Number(key.split(":")[1]));
