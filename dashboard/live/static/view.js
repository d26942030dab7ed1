/** The live view: a strip and four panels that follow one run. */

import { Address } from "./address.js";
import { CHOICES, put, said } from "./choices.js";
import { Curves } from "./curves.js";
import { stepsOf } from "./decoder.js";
import { Feed } from "./feed.js";
import { Fitting } from "./fitting.js";
import { capitalised, count } from "./format.js";
import { Gallery } from "./gallery.js";
import { placeHelp } from "./help.js";
import { History } from "./history.js";
import { Plane } from "./plane.js";
import { SaveMenu, offersOf } from "./saving.js";
import { Scrubber } from "./scrubber.js";
import { Settings } from "./settings.js";
import { SKELETON } from "./skeleton.js";
import { Strip, write } from "./strip.js";
import { Theme } from "./theme.js";
import { nameItems, nounOf } from "./words.js";

const DESCRIBE = 2000; // ms between changes of the text that screen readers find
const STACKED = 640; // px of width up to which the style sheet stacks the panels
const EMPTY = 0.01; // nats of rate below which a code says nothing
const LATE = 0.25; // share of the steps after which it should say something
const COLLAPSED =
  "Collapsed: R ≈ 0, every code is a draw from the prior and says nothing of what was encoded. " +
  "Lower the weight of the rate or of the divergence.";
const HINTS = {
  none: "Here each item becomes a dot, its code z.",
  queued: "Waiting for its turn.",
  running: "Loading data and model …",
};

export class View {
  constructor(root) {
    root.innerHTML = SKELETON;
    this.root = root;
    this.theme = new Theme(root);
    this.settings = new Settings(() => this.#write());
    this.address = new Address(CHOICES, (chosen) => this.#return(chosen));
    this.history = new History();
    this.events = [];
    this.state = null;
    this.about = null;
    const find = (selector) => root.querySelector(selector);
    const shared = { theme: this.theme, settings: this.settings };
    this.strip = new Strip(find(".strip"));
    this.hint = find(".plane .hint");
    this.before = root.querySelectorAll(".before");
    this.announcer = find(".announcer");
    this.curves = new Curves(find(".curves"), {
      ...shared,
      announce: (text) => write(this.announcer, text),
      sought: (step) => (step === null ? this.time.follow() : this.time.seek(step)),
    });
    this.plane = new Plane(find(".plane"), {
      ...shared,
      turned: () => this.feed.wake(),
    });
    this.pairs = new Gallery(find(".pairs"), {
      ...shared,
      rows: [["originals", "x"], ["reconstructions", "x̂"]],
      usual: 40,
      among: ["x", "x̂"],
      blank: "What was held out and its reconstructions; none yet.",
    });
    this.samples = new Gallery(find(".samples"), {
      ...shared,
      rows: [["samples", ""]],
      usual: 100,
      among: ["held out", "drawn"],
      blank: "What is decoded from draws of the prior; none yet.",
    });
    this.time = new Scrubber(find(".time"), (step, ms) => this.#look(step, ms));
    this.feed = new Feed({
      news: (news) => this.#hear(news),
      snapshot: (snapshot) => this.#picture(snapshot),
      link: (connected) => this.strip.connected(connected),
      axes: () => this.plane.wantedAxes,
      kept: () => this.#offer(),
      asked: () => (root.dataset.polls = Number(root.dataset.polls ?? 0) + 1),
    });
    this.fitting = new Fitting(root, STACKED, () => this.#refresh());
    placeHelp(root);
    nameItems(root, null);
    for (const [name, panel] of Object.entries(this.named)) {
      const file = () => [this.run ?? "nothing", name, this.root.dataset.snapshot].filter(Boolean).join("-");
      new SaveMenu(find(`.${name} .saves`), `the ${name}`, offersOf(panel, this.theme, file), this.theme);
    }
  }

  /**
   * Called for new data from Python and for a new theme. `report(name, value)` tells the page what
   * it has to run again for: another "state", or the step after which knobs were "turned". Where
   * there is no run, `noun` and `kind` are of what the next one is to train on; who may not begin
   * one is told `elsewhere`, where that is done.
   */
  update(data, report) {
    const { run, noun, kind } = data;
    const items = noun ? { noun, kind } : null;
    const others = run === null && items?.noun !== this.items?.noun;
    this.items = items;
    this.strip.elsewhere = data.elsewhere;
    this.fitting.height = data.height;
    this.report = report;
    this.palette = data.palette;
    this.known = data.state;
    this.reported = null;
    this.theme.read();
    if (!this.settings.key || run !== this.run || others) this.#open(data.api, run);
    else if (data.state !== this.state) this.feed.wake();
    this.plane.introduce(this.about, this.palette);
    this.#refresh();
    this.fitting.fit();
    this.#write(true); // the page may have put another address in its place
  }

  close() {
    this.address.close();
    this.fitting.close();
    clearTimeout(this.describing);
    this.time.close();
    for (const part of [this.feed, ...this.panels]) part.close();
  }

  get named() {
    const { curves, plane, pairs, samples } = this;
    return { curves, plane, pairs, samples };
  }

  get panels() {
    return Object.values(this.named);
  }

  /** Be as the address says, where it says anything. */
  #takeUp(chosen) {
    this.sought = chosen.step;
    put(this.settings, chosen, this.address.usual);
  }

  /** Back or Forward was pressed; where that is to another run, the page will say so. */
  #return(chosen) {
    this.arriving = Address.says("run") !== this.run;
    if (this.arriving || this.run === null) return;
    put(this.settings, chosen);
    if (chosen.step === null) this.time.follow();
    else if (chosen.step !== this.time.step) this.time.seek(chosen.step);
    this.feed.wake(); // the axes may be others
    this.#refresh();
  }

  /** Put what is chosen into the address, also of what Back is to lead past if it is `passing`. */
  #write(passing = false) {
    if (this.run) this.address.write({ ...said(this.settings), step: this.sought ?? this.time.step }, passing);
  }

  /** Turn to another run, or to none. */
  #open(api, run) {
    const arrived = this.run === undefined || this.arriving;
    this.arriving = false;
    this.run = run;
    this.state = this.reported = null;
    if (run === null) this.about = this.items; // else most of it is likely to stay: nothing jumps
    nameItems(this.root, this.about);
    this.settings.open(run);
    this.history.clear();
    this.events = [];
    this.sought = null;
    this.time.follow();
    this.time.offer([]);
    if (arrived && run !== null) this.#takeUp(this.address.read());
    this.plane.show(null);
    this.pairs.clear();
    this.samples.clear();
    this.curves.show(this.history, this.about, this.events);
    this.strip.show(run === null ? "none" : "", {});
    this.strip.connected(true);
    this.#hintAt(run ? "" : "none");
    this.#stamp(null);
    Object.assign(this.root.dataset, { run: run ?? "", state: "", rows: 0, snapshot: "" });
    this.feed.follow(api, run);
  }

  #hear(news) {
    const { state, status, about, first, rows, first_event: from = 0, events = [] } = news;
    const changed = about && JSON.stringify(about) !== JSON.stringify(this.about);
    this.state = state;
    this.about = about ?? this.about;
    this.history.add(first, rows);
    this.events = [...this.events.slice(0, from), ...events];
    this.late = status.step > LATE * status.steps;
    this.strip.show(state, status, { warning: this.#warning, waits: news.waits });
    if (changed) {
      this.plane.introduce(about, this.palette);
      nameItems(this.root, about);
      for (const note of this.root.querySelectorAll(".draws")) note.hidden = about.pictures !== "draws";
    }
    if (changed || rows.length || events.length) {
      this.curves.show(this.history, this.about, this.events);
    }
    if (!this.root.dataset.snapshot) this.#hintAt(state);
    Object.assign(this.root.dataset, { state, rows: this.history.length });
    this.#tell(state);
    const turned = from > 0 && events.findLast(({ event }) => event === "turned");
    if (turned) this.report("turned", turned.step);
    this.#describeSoon();
    this.fitting.fit();
  }

  /** The newest warning since the run was last started, or that its codes are empty. */
  get #warning() {
    const begun = this.events.findLastIndex(({ event }) => event === "started" || event === "resumed");
    const warned = this.events.slice(begun + 1).findLast(({ event }) => event === "warning")?.text;
    return warned ?? (this.history.value("test", "rate") < EMPTY && this.late ? COLLAPSED : undefined);
  }

  /** Show another step, or the newest; as a step of a film in so many ms. */
  #look(step, ms) {
    this.ms = ms;
    this.curves.stand(step);
    if (this.time?.steps.length) this.#write(ms > 0);
    return this.feed?.look(step);
  }

  /** Let the slider know which steps there are by now. */
  async #offer() {
    const { run } = this;
    const kept = await stepsOf(this.feed.api, run);
    if (!kept || run !== this.run) return;
    this.time.offer(kept.steps, kept.bytes);
    const { sought } = this;
    this.sought = null;
    if (sought !== null) this.address.quietly(() => this.time.seek(sought));
  }

  #picture(snapshot) {
    this.plane.show(snapshot, this.ms);
    this.pairs.show(snapshot);
    this.samples.show(snapshot);
    this.#hintAt("");
    this.#stamp(snapshot.step);
    this.root.dataset.snapshot = snapshot.step;
    this.#describeSoon();
  }

  /** Let the page know of a state that it does not know yet; it runs again and shows other buttons. */
  #tell(state) {
    if (state === this.known || state === this.reported) return;
    this.reported = state;
    this.report("state", state);
  }

  #hintAt(state) {
    const text = HINTS[state] ?? "";
    write(this.hint, text);
    this.hint.hidden = !text;
    for (const each of this.before) each.hidden = state !== "none";
  }

  /** Say which step the pictures are of. */
  #stamp(step) {
    for (const stamp of this.root.querySelectorAll(".stamp")) {
      write(stamp, step === null ? "" : `step ${count(step)}`);
    }
  }

  #refresh() {
    for (const panel of this.panels) panel.refresh();
    this.#describeSoon();
  }

  #describeSoon() {
    this.describing ??= setTimeout(() => {
      this.describing = undefined;
      const noun = nounOf(this.about);
      const texts = [
        [this.curves, this.curves.describe()],
        [this.plane, this.plane.describe()],
        [this.pairs, this.pairs.describe(`Held-out ${noun} and their reconstructions`)],
        [this.samples, this.samples.describe(`${capitalised(noun)} decoded from draws of the prior`)],
      ];
      for (const [panel, text] of texts) panel.surface.canvas.setAttribute("aria-label", text);
    }, DESCRIBE);
  }
}
