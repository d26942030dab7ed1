/** The plane: shows where objectives lie, and tells which one was chosen. */

import { placeHelp } from "../live/help.js";
import { write } from "../live/strip.js";
import { skeleton } from "./drawing.js";
import { Saves } from "./saves.js";
import { BOX, Geometry, HEIGHT, WIDTH } from "./geometry.js";

const SETTLED = 350; // ms after the last arrow key, when its point is chosen
const format = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const HELP = "Arrow keys move the point, with Shift in small steps; Tab leads to the members.";
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class Plane {
  constructor(root, { limits, landmarks, betavae }) {
    this.geometry = new Geometry(limits, landmarks);
    root.innerHTML = skeleton(this.geometry, betavae);
    const find = (selector) => root.querySelector(selector);
    this.svg = find("svg");
    this.form = find(".form");
    this.run = find(".run");
    this.runName = find(".run-name");
    this.aim = find(".aim");
    this.nearest = find(".nearest");
    this.infomax = find(".infomax");
    this.infomaxName = find(".infomax-name");
    this.what = find(".what");
    this.sum = find(".sum");
    this.announcer = find(".announcer");
    this.keys = [...find(".keys").children];
    this.aimed = null; // { point, landmark } under the pointer or in focus
    this.chosen = null; // a point that Python does not know yet
    placeHelp(root);
    this.saves = new Saves(find(".saves"), root, this);
    this.#listen();
  }

  /** Called for new data from Python and for a new theme. */
  update(data, pick) {
    this.data = data;
    this.pick = pick;
    this.saves.theme.read();
    if (!this.dragging && !this.settling) this.chosen = null;
    this.#draw();
  }

  #listen() {
    const { svg } = this;
    svg.onpointerdown = (event) => {
      if (event.button !== 0) return;
      svg.setPointerCapture(event.pointerId);
      this.dragging = true;
      this.#aimAt(this.#at(event));
    };
    svg.onpointermove = (event) => this.#aimAt(this.#at(event));
    svg.onpointerup = () => {
      if (this.dragging) this.#choose(this.aimed);
    };
    svg.onpointercancel = svg.onpointerleave = () => this.#leave();
    svg.onkeydown = (event) => this.#press(event);
    svg.onblur = () => this.#settle();
    this.keys[0].tabIndex = 0;
    for (const [i, key] of this.keys.entries()) {
      const landmark = this.geometry.landmarks[i];
      const aimed = { point: landmark.point, landmark };
      key.setAttribute("aria-label", this.#words(aimed).join(": "));
      key.onfocus = () => this.#show(aimed);
      key.onblur = () => this.#leave();
      key.onclick = () => this.#choose(aimed);
      key.onkeydown = (event) => this.#rove(event, i);
    }
  }

  /** Where a pointer is, in the drawing's own pixels; null outside of the axes. */
  #at(event) {
    const box = this.svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) * WIDTH) / box.width;
    const y = ((event.clientY - box.top) * HEIGHT) / box.height;
    const outside = x < BOX.left - 8 || x > BOX.right + 4 || y < BOX.top - 4 || y > BOX.bottom + 8;
    return outside && !this.dragging ? null : [x, y];
  }

  #aimAt(place) {
    this.#show(place && this.geometry.aim(place));
  }

  #show(aimed) {
    this.aimed = aimed;
    this.#draw();
  }

  #leave() {
    this.dragging = false;
    this.#show(null);
  }

  /** Choose what was aimed at. */
  #choose(aimed) {
    this.dragging = false;
    if (!aimed) return;
    this.chosen = aimed.point;
    const [alpha, lam] = aimed.point;
    this.pick(aimed.landmark ? { landmark: aimed.landmark.name } : { alpha, lam });
    this.#draw();
    if (aimed.refused) write(this.announcer, this.#words(aimed).join(": "));
  }

  /** Move the point by the keyboard; it is chosen when the keys rest. */
  #press(event) {
    const move = MOVES[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.aimed = null;
    this.chosen = this.geometry.step(this.#point ?? [0, 1], ...move, event.shiftKey);
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.#settle(), SETTLED);
    this.#draw();
    write(this.announcer, this.#words({ point: this.chosen }).join(": "));
  }

  #settle() {
    if (!this.settling) return;
    clearTimeout(this.settling);
    this.settling = undefined;
    this.#choose({ point: this.chosen });
  }

  /** Go from landmark to landmark: they are one stop of the Tab key. */
  #rove(event, i) {
    const count = this.keys.length;
    const [dx, dy] = MOVES[event.key] ?? [0, 0];
    const to = { Home: 0, End: count - 1 }[event.key] ?? (i + dx - dy + count) % count;
    if (to === i) return;
    event.preventDefault();
    this.keys[i].tabIndex = -1;
    const next = this.keys[to];
    next.tabIndex = 0;
    next.focus();
  }

  /** The members of the family, the form and the run: name, α and λ. */
  get points() {
    const { form, run } = this.data;
    const named = this.geometry.landmarks.map(({ title, point }) => [title, ...point]);
    const others = [["form", this.#point], ["run in view", run?.point]];
    return [...named, ...others.filter(([, point]) => point).map(([name, point]) => [name, ...point])];
  }

  get #point() {
    return this.chosen ?? this.data.form.point;
  }

  // Drawing.

  #draw() {
    const { form, run } = this.data;
    const { aimed, dragging } = this;
    this.#put(this.form, dragging ? aimed?.point : this.#point, form.color);
    this.#put(this.run, run?.point, run?.color);
    this.#put(this.runName, run?.point);
    this.#put(this.aim, dragging ? null : aimed?.point);
    this.#drawNearest(aimed);
    this.#drawInfoMax();
    const here = { point: this.#point, title: form.title, why: form.why };
    const [what, sum] = this.#words(aimed ?? here);
    write(this.what, what);
    write(this.sum, sum);
    this.svg.style.cursor = aimed?.landmark ? "pointer" : "";
    this.svg.setAttribute("aria-label", `α across, λ up. ${this.#words(here).join(": ")}. ${HELP}`);
    [this.svg.dataset.alpha, this.svg.dataset.lam] = this.#point ?? ["", ""];
  }

  /** Where the pointer is in the half that is refused, the ring says what is chosen in its stead. */
  #drawNearest(aimed) {
    this.#put(this.nearest, aimed?.refused ? aimed.point : null);
    if (!aimed?.refused) return;
    write(this.nearest, `nearest: β = ${number(aimed.point[1])}`);
  }

  /** InfoMax-VAEs of one β lie to the right of the β-VAE's line, from α = 0 on. */
  #drawInfoMax() {
    const { beta, color } = this.data.infomax;
    const [px, py] = this.geometry.place([1 - beta, beta]);
    this.infomax.setAttribute("d", `M${px} ${py}H${BOX.right}`);
    this.infomax.style.stroke = color;
    this.infomaxName.setAttribute("y", py + 12 < BOX.bottom ? py + 11 : py - 4);
    write(this.infomaxName, `InfoMax, β = ${number(beta)}`);
  }

  #put(element, point, color) {
    element.toggleAttribute("hidden", !point);
    if (!point) return;
    const [x, y] = this.geometry.place(point);
    element.setAttribute("transform", `translate(${x} ${y})`);
    if (color) element.style.setProperty("--color", color);
  }

  /** What a point is, and the coefficients it has; without a point, why there is none. */
  #words({ point, landmark, title, why, refused }) {
    if (!point) return [`${title} has no point here`, why];
    const [alpha, lam] = point;
    const place = `α ${number(alpha)}, λ ${number(lam)}`;
    const sum = `D ${term(1 - alpha)}R ${term(alpha + lam - 1)}Div`;
    if (landmark) return [landmark.title, `${place}: ${sum}`];
    if (refused) return ["No λ below 1 − α: this is the β-VAE above", `${place}: ${sum}`];
    return [title ? `${title} at ${place}` : place, sum];
  }
}

/** Up to four digits. */
const number = (value) => format.format(Math.abs(value) < 1e-9 ? 0 : value).replace("-", "−");

/** A coefficient with its sign, as it stands in a sum. */
function term(weight) {
  const size = number(Math.abs(weight));
  return `${weight < -1e-9 ? "−" : "+"} ${size === "1" ? "" : `${size}·`}`;
}
