/** A canvas that is sharp on every screen, and drawn only when something changed. */

import { SvgContext } from "./svg.js";

export class Surface {
  /**
   * `draw(context, width, height, ratio)` paints the canvas of `stage`, `over(...)` what the
   * pointer changes, on a second one above it: hovering does not paint thousands of points again.
   */
  constructor(stage, draw, over = null) {
    this.stage = stage;
    this.canvas = stage.querySelector("canvas");
    this.layers = [{ canvas: this.canvas, draw, due: true }];
    if (over) {
      const canvas = document.createElement("canvas");
      canvas.setAttribute("aria-hidden", "true");
      canvas.className = "over";
      this.canvas.after(canvas);
      this.layers.push({ canvas, draw: over, due: true });
    }
    this.width = this.height = 0;
    this.frame = 0;
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(stage);
  }

  /** Paint all of it with the next frame. */
  invalidate() {
    for (const layer of this.layers) layer.due = true;
    this.#request();
  }

  /** Paint what the pointer changes with the next frame. */
  invalidateOver() {
    this.layers.at(-1).due = true;
    this.#request();
  }

  /** Position of a pointer event on the canvas. */
  locate(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top].map((px) => px / enlarged(this.stage));
  }

  /** Call `actions[key]` when a key is pressed on the canvas; = counts as +, which needs Shift. */
  onKeys(actions) {
    this.canvas.onkeydown = (event) => {
      const action = actions[event.key === "=" ? "+" : event.key];
      if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      action(event);
    };
  }

  /** All of it, to be saved. */
  get figure() {
    return new Figure(this.width, this.height, (...canvas) => {
      for (const { draw } of this.layers) draw(...canvas);
    });
  }

  close() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  #request() {
    this.frame ||= requestAnimationFrame(() => this.#paint());
  }

  #resize() {
    const { width, height } = this.stage.getBoundingClientRect();
    const sizes = [width, height].map((px) => px / enlarged(this.stage));
    [this.width, this.height] = sizes.map(Math.floor); // a fraction would blur all of it
    for (const layer of this.layers) {
      layer.due = true;
      layer.canvas.style.width = `${this.width}px`;
      layer.canvas.style.height = `${this.height}px`;
    }
    this.#paint(); // at once: a resized canvas is blank
  }

  #paint() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.width || !this.height) return;
    const ratio = pixels(this.stage);
    const [width, height] = [this.width, this.height].map((size) => Math.round(size * ratio));
    for (const layer of this.layers) {
      if (!layer.due) continue;
      layer.due = false;
      const { canvas } = layer;
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
      const context = canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, this.width, this.height);
      layer.draw(context, this.width, this.height, ratio);
      canvas.dataset.draws = Number(canvas.dataset.draws ?? 0) + 1;
    }
  }
}

/** What `draw(context, width, height, ratio)` paints, as files. */
export class Figure {
  constructor(width, height, draw) {
    Object.assign(this, { width, height, draw });
  }

  /** As a drawing, on a background. */
  svg(background) {
    const context = new SvgContext(this.width, this.height, background);
    this.draw(context, this.width, this.height, 1);
    return context.text;
  }

  /** As a canvas, `scale` times as large as on the page. */
  canvas(background, scale) {
    const canvas = new OffscreenCanvas(Math.max(1, this.width * scale), Math.max(1, this.height * scale));
    const context = canvas.getContext("2d");
    context.fillStyle = background;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    this.draw(context, this.width, this.height, scale);
    return canvas;
  }
}

/** How many times as large as usual an element is: what pixels of the window are divided by. */
export const enlarged = (element) => element.currentCSSZoom ?? 1;

/** Pixels of the screen to a pixel of an element. */
export const pixels = (element) => (window.devicePixelRatio || 1) * enlarged(element);

/** A straight line. */
export function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

/** Text that stays readable on whatever lies below it. */
export function haloed(context, text, x, y, color, halo) {
  context.lineJoin = "round";
  context.lineWidth = 4;
  context.strokeStyle = halo;
  context.strokeText(text, x, y);
  context.fillStyle = color;
  context.fillText(text, x, y);
}
