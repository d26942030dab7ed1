/** What pointer and keys do on the plane of q(z) against p(z): zoom, move, select, point at places. */

import { Lasso, nearest } from "../planes/lasso.js";

const NEAR = 10; // px within which the pointer finds a point
const ZOOM = 1.2; // by a notch of the wheel or a press of a key
const STEPS = 50; // of an arrow key over the picture's height; with Shift a fifth

export class Gestures {
  /** Of a `landscape`; `lasso` and `drag` are what goes on, `hovered` is the code pointed at. */
  constructor(landscape) {
    Object.assign(this, { landscape, lasso: null, drag: null, hovered: null });
    this.#listen();
  }

  #listen() {
    const { surface, shared, resetButton } = this.landscape;
    const { canvas } = surface;
    const all = () => shared.choose({ view: null });
    resetButton.onclick = all;
    canvas.ondblclick = all;
    canvas.onwheel = (event) => {
      event.preventDefault();
      this.#zoom(ZOOM ** (-event.deltaY / 100), surface.locate(event));
    };
    canvas.onpointerdown = (event) => {
      if (event.button !== 0 || !this.landscape.posteriors) return;
      canvas.setPointerCapture(event.pointerId);
      const at = surface.locate(event);
      if (event.shiftKey) this.drag = { frame: this.landscape.frame, from: at };
      else this.lasso = new Lasso("lasso", at);
    };
    canvas.onpointermove = (event) => this.#move(surface.locate(event));
    canvas.onpointerup = () => this.#finish();
    canvas.onpointercancel = () => Object.assign(this, { lasso: null, drag: null });
    canvas.onpointerleave = () => this.#hover(null);
    const middle = () => [surface.width / 2, surface.height / 2];
    const go = (dx, dy) => (event) => this.#nudge(dx, dy, event.shiftKey ? 0.2 : 1);
    surface.onKeys({
      "+": () => this.#zoom(ZOOM, middle()),
      "-": () => this.#zoom(1 / ZOOM, middle()),
      0: all,
      ArrowLeft: go(-1, 0),
      ArrowRight: go(1, 0),
      ArrowUp: go(0, 1),
      ArrowDown: go(0, -1),
      Enter: () => this.#selectNearest(),
      Escape: () => shared.select([]),
    });
  }

  #zoom(factor, at) {
    this.landscape.shared.choose({ view: this.landscape.frame.zoomed(factor, at) });
  }

  #move(at) {
    if (this.drag) {
      const [dx, dy] = at.map((pixel, i) => pixel - this.drag.from[i]);
      this.landscape.shared.choose({ view: this.drag.frame.moved(dx, dy) });
      return;
    }
    if (this.lasso) {
      this.lasso.move(at);
      this.landscape.surface.invalidateOver();
      return;
    }
    if (!this.landscape.posteriors) return;
    const { x, y } = this.landscape.frame;
    this.landscape.shared.probe([x.value(at[0]), ...(this.landscape.axes > 1 ? [y.value(at[1])] : [])]);
    this.#hover(at);
  }

  #finish() {
    const { lasso } = this;
    Object.assign(this, { lasso: null, drag: null });
    if (!lasso) return;
    this.landscape.shared.select(lasso.enclosed((visit) => this.landscape.eachShown(this.landscape.frame, visit)));
    this.landscape.surface.invalidateOver();
  }

  /** Point out the code under the pointer. */
  #hover(at) {
    const visit = (each) => this.landscape.eachShown(this.landscape.frame, each);
    this.hovered = at && this.landscape.posteriors ? nearest(visit, at, NEAR) : null;
    this.landscape.surface.invalidateOver();
  }

  /** Move the place that is decoded; the picture follows where it would leave it. */
  #nudge(dx, dy, share) {
    const { frame, shared, axes } = this.landscape;
    const by = (2 * frame.view.reach * share) / STEPS;
    const from = shared.chosen.at ?? [0, 0];
    const [x, y = 0] = [from[0] + dx * by, (from[1] ?? 0) + dy * by];
    const [px, py] = [frame.x.at(x), axes > 1 ? frame.y.at(y) : 0];
    const { left, right, top, bottom } = frame.box;
    const over = (value, low, high) => value - Math.min(Math.max(value, low), high);
    const [right_, down] = [over(px, left, right), axes > 1 ? over(py, top, bottom) : 0];
    if (right_ || down) shared.choose({ view: frame.moved(-right_, -down) });
    shared.probe(axes > 1 ? [x, y] : [x]);
    this.landscape.surface.invalidateOver();
  }

  #selectNearest() {
    const i = this.landscape.nearestTo(this.landscape.shared.chosen.at ?? [0, 0]);
    this.landscape.shared.select(i === null ? [] : [i]);
  }
}
