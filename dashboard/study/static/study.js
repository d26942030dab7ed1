/** A study of estimators: their curves while they learn, and a table of what they come to. */

import { Feed } from "../live/feed.js";
import { count, number } from "../live/format.js";
import { History } from "../live/history.js";
import { toggle } from "../live/legend.js";
import { offersOf, SaveMenu } from "../live/saving.js";
import { write } from "../live/strip.js";
import { Theme } from "../live/theme.js";
import { Chart } from "./chart.js";
import { Table } from "./table.js";

const KINDS = ["mean", "sd", "late mean", "late sd"];
const INTERVALS = { running: 200, queued: 300, finished: null };
const LOST = ["stopped", "paused", "interrupted", "gone"]; // the page then asks for it again
const DESCRIBE = 1500; // ms between changes of the text that screen readers find
const HINTS = {
  queued: "Waits for its turn. The first study has to load torch, which takes some seconds.",
  running: "Starting …",
  failed: "This study failed.",
};

const SKELETON = `
  <div class="progress">
    <div class="bar" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100"><i></i></div>
  </div>
  <div class="halves">
    <section class="panel">
      <header><h3></h3><span class="stamp" role="status"></span><span class="saves"></span></header>
      <div class="stage">
        <canvas role="img" aria-label="Estimates" tabindex="0"></canvas>
        <p class="hint" hidden></p>
      </div>
    </section>
    <div class="side"><table></table></div>
  </div>
  <div class="announcer" aria-live="polite"></div>`;

export class Study {
  constructor(root) {
    root.innerHTML = SKELETON;
    root.classList.add("study");
    this.root = root;
    this.theme = new Theme(root);
    this.history = new History(KINDS);
    this.hidden = [];
    this.run = undefined;
    const find = (selector) => root.querySelector(selector);
    [this.title, this.stamp, this.hint] = ["h3", ".stamp", ".hint"].map(find);
    [this.bar, this.fill, this.announcer] = [".bar", ".bar i", ".announcer"].map(find);
    this.chart = new Chart(find(".stage"), {
      theme: this.theme,
      pointed: (place) => this.#read(place),
    });
    new SaveMenu(find(".saves"), "the estimates", offersOf(this.chart, this.theme, () => this.run ?? "study"), this.theme);
    this.table = new Table(find("table"), (name) => {
      this.hidden = toggle(this.hidden, name);
      this.#refresh();
    });
    this.feed = new Feed(
      {
        news: (news) => this.#hear(news),
        link: (connected) => (root.dataset.connected = connected),
        axes: () => "",
        asked: () => {},
      },
      INTERVALS,
    );
  }

  /** Called for new data from Python, which `report(name, value)` answers, and for a new theme. */
  update({ study }, report) {
    const data = JSON.parse(study);
    this.data = data;
    this.report = report;
    this.theme.read();
    this.root.style.setProperty("--height", `${data.height}px`);
    write(this.title, data.title);
    this.table.set(data);
    if (data.run !== this.run) this.#open(data);
    else if (data.state !== this.state) {
      this.reported = null;
      this.feed.wake();
    }
    this.root.dataset.exact = data.exact.toFixed(4);
    this.#refresh();
  }

  close() {
    clearTimeout(this.describing);
    this.feed.close();
    this.chart.close();
  }

  /** Turn to another study: its lines stand at once, its curves grow as the rows come. */
  #open({ run, api }) {
    this.run = run;
    this.state = this.reported = null;
    this.history.clear();
    this.#progress("", {});
    Object.assign(this.root.dataset, { run: run ?? "", state: "", rows: 0 });
    this.feed.follow(api, run);
  }

  #hear({ state, status, first, rows }) {
    this.state = state;
    this.history.add(first, rows);
    this.#progress(state, status);
    Object.assign(this.root.dataset, { state, rows: this.history.length });
    if (LOST.includes(state) && state !== this.reported) {
      this.reported = state;
      this.report("state", state);
    }
    this.#refresh();
  }

  #progress(state, { step, steps, error }) {
    const share = state === "finished" ? 1 : (step ?? 0) / (steps || 1);
    this.bar.dataset.state = state;
    this.fill.style.transform = `scaleX(${share})`;
    this.bar.setAttribute("aria-valuenow", Math.round(100 * share));
    const hint = this.history.length ? "" : (HINTS[state] ?? "");
    write(this.hint, (state === "failed" && error) || hint);
    this.hint.hidden = !this.hint.textContent;
  }

  #refresh() {
    const { data, history } = this;
    const shown = ({ name }) => !this.hidden.includes(name);
    this.chart.show({ ...data, lines: data.lines.filter(shown) }, history);
    this.#fill();
    this.describing ??= setTimeout(() => {
      this.describing = undefined;
      this.chart.surface.canvas.setAttribute("aria-label", `${this.data.title}. ${this.#words(null)}`);
    }, DESCRIBE);
  }

  #read(place) {
    this.#fill();
    if (place !== null) write(this.announcer, this.#words(place));
  }

  /** The table and the stamp, for the place pointed at or the newest. */
  #fill() {
    const { cursor } = this.chart;
    const { last } = this.history;
    const at = this.data.axis.at + count(cursor ?? last);
    write(this.stamp, last ? at : "");
    const late = cursor === null && this.history.steps("late mean").length;
    const where = late ? "over the last quarter" : last ? `at ${at}` : "";
    const values = (name) => this.#value(name, cursor);
    this.table.show(values, this.hidden, cursor ?? (last || null), where);
  }

  /** Mean and standard deviation at a place; at the end those of a longer stretch, if there are. */
  #value(name, place) {
    const late = place === null && this.history.steps("late mean").length ? "late " : "";
    return ["mean", "sd"].map((kind) => this.history.value(late + kind, name, place ?? Infinity));
  }

  #words(place) {
    const { axis, lines, exact } = this.data;
    if (!this.history.last) return `Exact: ${number(exact)} nats; no estimates yet.`;
    const values = lines.map(({ name, label }) => {
      const [mean, sd] = this.#value(name, place).map((value) => number(value));
      return `${label} ${mean} ± ${sd}`;
    });
    const where = axis.at + count(place ?? this.history.last);
    return `At ${where}: ${values.join(", ")}; exact ${number(exact)} nats.`;
  }
}
