/** Time as a slider over the steps at which a run was kept: play, speed, loop, and the newest. */

import { count } from "./format.js";
import { placeHelp } from "./help.js";
import { nearest, place } from "./history.js";
import { write } from "./strip.js";

const PACE = 400; // ms from one step to the next at the usual speed
const SPEEDS = [0.5, 1, 2, 4, 8];
const UNITS = ["B", "kB", "MB", "GB"];
const SHAPES = { play: "M3 1.5V12.5L12 7Z", pause: "M3 1.5H6V12.5H3ZM8 1.5H11V12.5H8Z" };
const TEMPLATE = `
  <button type="button" class="tool play" aria-label="Play">
    <svg viewBox="0 0 14 14" aria-hidden="true"><path /></svg></button>
  <input type="range" min="0" max="0" value="0" step="1" aria-label="Step" disabled>
  <span class="at"><b></b> <i></i></span>
  <select class="tool speed" aria-label="Speed">
    ${SPEEDS.map((speed) => `<option value="${speed}">${speed === 0.5 ? "½" : speed} ×</option>`).join("")}
  </select>
  <button type="button" class="tool loop" aria-pressed="false">Loop</button>
  <button type="button" class="tool newest" aria-pressed="true">Newest</button>
  <button type="button" class="help" aria-label="Help: Time">?</button>
  <div class="helptext" popover>
    <p>The run at earlier steps. The slider goes through the snapshots that were kept,
    <b class="many"></b>; they are closer together at the beginning, where more happens, and are
    thinned out as a run grows longer: the first and the last stay.</p>
    <p><b>Newest</b> follows the run while it trains.</p>
    <p>Keys on the slider: ← → a snapshot, Home and End, space plays.</p>
  </div>`;

export class Scrubber {
  /**
   * `moved(step, ms)` is to show another step, or the newest where it is null, moving there evenly
   * in so many milliseconds while it plays; it may return a promise, which playing waits for.
   */
  constructor(element, moved) {
    element.innerHTML = TEMPLATE;
    element.classList.add("scrubber");
    element.setAttribute("role", "group");
    element.setAttribute("aria-label", "Time");
    const find = (selector) => element.querySelector(selector);
    Object.assign(this, { element, find, moved, steps: [], index: 0, playing: null });
    this.following = true;
    this.slider = find("input");
    this.speed = find(".speed");
    this.speed.value = 1;
    find(".help").popoverTargetElement = find(".helptext");
    this.#listen();
    placeHelp(element);
    this.#show();
  }

  /** The step to be shown, or null for the newest. */
  get step() {
    return this.following ? null : (this.steps[this.index] ?? null);
  }

  /** The step that the slider stands at, also where that is the newest. */
  get shown() {
    return this.steps[this.index] ?? null;
  }

  /** Have these steps, in order; `bytes` is what they take on the disk. */
  offer(steps, bytes = null) {
    const { shown } = this;
    this.steps = steps;
    this.index = this.following ? steps.length - 1 : Math.max(0, place(steps, shown ?? 0));
    this.bytes = bytes;
    this.#show();
    if (!this.following && this.shown !== shown) this.moved(this.shown, 0); // that one is gone
  }

  /** Show the step kept nearest to one. */
  seek(step) {
    this.pause();
    if (!this.steps.length) return;
    const index = this.steps.indexOf(nearest(this.steps, step));
    this.#go(index === this.steps.length - 1 ? this.steps.length : index);
  }

  /** Follow the newest step. */
  follow() {
    this.pause();
    this.#go(this.steps.length);
  }

  pause() {
    this.playing = null;
    this.#show();
  }

  play() {
    if (this.steps.length < 2) return;
    this.playing = {}; // another for each time that it begins
    if (this.index >= this.steps.length - 1) this.#go(0);
    this.#advance(this.playing);
    this.#show();
  }

  close() {
    this.playing = null;
  }

  #listen() {
    this.slider.oninput = () => {
      const index = Number(this.slider.value);
      this.pause();
      this.#go(index === this.steps.length - 1 ? this.steps.length : index);
    };
    this.slider.onkeydown = (event) => {
      if (event.key !== " ") return;
      event.preventDefault();
      this.#toggle();
    };
    this.find(".play").onclick = () => this.#toggle();
    this.find(".newest").onclick = () => this.follow();
    this.find(".loop").onclick = ({ currentTarget: button }) =>
      button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
  }

  #toggle() {
    if (this.playing === null) this.play();
    else this.pause();
  }

  get #loops() {
    return this.find(".loop").getAttribute("aria-pressed") === "true";
  }

  /** Be at a place; past the last one is the newest, whatever comes. */
  #go(index, ms = 0) {
    this.following = index >= this.steps.length;
    this.index = Math.min(index, this.steps.length - 1);
    this.#show();
    return this.moved(this.step, ms);
  }

  /** Play on from here: no faster than what is shown can follow. */
  async #advance(playing) {
    while (this.playing === playing) {
      const ms = PACE / Number(this.speed.value);
      const over = this.index >= this.steps.length - 1;
      if (over && !this.#loops) break;
      const shown = this.#go(over ? 0 : this.index + 1, over ? 0 : ms);
      await Promise.all([shown, new Promise((resolve) => setTimeout(resolve, ms))]);
    }
    if (this.playing === playing) this.pause();
  }

  #show() {
    const { steps, index, slider, playing } = this;
    const enough = steps.length > 1;
    slider.disabled = this.find(".play").disabled = this.find(".newest").disabled = !enough;
    slider.max = Math.max(0, steps.length - 1);
    slider.value = Math.max(0, index);
    const said = steps.length ? `step ${count(this.shown)}` : "";
    slider.setAttribute("aria-valuetext", said);
    write(this.find(".at b"), said);
    write(this.find(".at i"), enough ? `${index + 1} of ${steps.length}` : "");
    const size = this.bytes ? `, ${sizeOf(this.bytes)} on the disk with their decoders` : "";
    write(this.find(".many"), `${count(steps.length)} by now${size}`);
    const play = this.find(".play");
    play.setAttribute("aria-label", playing === null ? "Play" : "Pause");
    play.querySelector("path").setAttribute("d", SHAPES[playing === null ? "play" : "pause"]);
    this.find(".newest").setAttribute("aria-pressed", this.following);
    Object.assign(this.element.dataset, {
      step: this.shown ?? "",
      steps: steps.length,
      playing: playing !== null,
      following: this.following,
    });
  }
}

/** So many bytes, in the unit that suits them. */
export function sizeOf(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  return `${Number((bytes / 1000 ** power).toPrecision(2))} ${UNITS[power]}`;
}
