/** Grids of images: originals above their reconstructions, or samples; of points a scatter plot. */

import { count } from "./format.js";
import { Scatter } from "./scatter.js";
import { css, mix } from "./theme.js";
import { Surface } from "./surface.js";
import { tiles } from "./tiles.js";

const GAP = 2; // px between images
const APART = 10; // px between rows of pairs
const MARK = 16; // px for the names of the rows of a pair
const USUAL = 34; // px of an image, where there is a choice
const LARGEST = 72;
const CRISP = 3; // from so many pixels a pixel on, images are enlarged by whole numbers

export class Gallery {
  /**
   * `rows` names the images of a group, from top to bottom: [["originals", "x"], …]. `usual` is the
   * number of images to leave room for, and `blank` what to say, while there are none. Data that are
   * points stand on tiles; or, with `among`, in their own space: names of the originals and of the
   * others.
   */
  constructor(section, { theme, rows, usual, blank, among = null }) {
    Object.assign(this, { theme, rows, usual, blank, among });
    this.scatter = new Scatter(theme);
    this.surface = new Surface(section.querySelector(".stage"), (...c) => this.#draw(...c));
    this.clear();
  }

  clear() {
    Object.assign(this, { images: {}, sheets: {}, step: null });
    this.surface.invalidate();
  }

  /** Show the images of a snapshot; those that it leaves out stay as they were. */
  show({ images, step }) {
    this.step = step;
    for (const [name] of this.rows) {
      if (!images[name]) continue;
      const { span } = images[name];
      this.images[name] = span && !this.among ? tiles(images[name], span) : images[name];
    }
    if (this.among && images.originals?.span) this.images.originals = images.originals;
    this.refresh();
  }

  /** Draw again in the theme's colours. */
  refresh() {
    this.sheets = {};
    for (const [name] of this.rows) {
      const images = this.images[name];
      if (images && !images.span) this.sheets[name] = sheetOf(images, this.theme);
    }
    this.surface.invalidate();
  }

  describe(text) {
    return this.step === null ? this.blank : `${text} at step ${count(this.step)}.`;
  }

  /** The grey levels of each image, of 255, or its red, green and blue, or points, for saving. */
  numbers() {
    const size = this.images[this.rows[0][0]]?.shape.slice(1) ?? [];
    const each = size.reduce((product, n) => product * n, 1);
    const points = this.#span !== null;
    const rows = this.rows.flatMap(([name]) => {
      const { shape: [count] = [0], data, grey } = this.images[name] ?? {};
      return Array.from({ length: count }, (_, i) => [
        name,
        i,
        ...Array.from(data.subarray(i * each, (i + 1) * each), (value) =>
          points ? value.toPrecision(6) : value * grey,
        ),
      ]);
    });
    const column = (_, i) => (points ? `x${i + 1}` : `pixel ${i}`);
    return [[points ? "points" : "images", "number", ...Array.from({ length: each }, column)], ...rows];
  }

  /** How far from 0 points reach that are shown in their own space; null where others are shown. */
  get #span() {
    return this.images[this.rows.at(-1)[0]]?.span ?? null;
  }

  close() {
    this.surface.close();
  }

  #draw(context, width, height, ratio) {
    if (this.#span !== null) {
      this.#drawPoints(context, width, height, ratio);
      return;
    }
    const [number, h, w] = this.images[this.rows[0][0]]?.shape ?? [this.usual, 8, 8];
    const grid = fit(width, height, ratio, number, this.rows.length, w, h);
    context.imageSmoothingEnabled = !grid.crisp;
    context.imageSmoothingQuality = "high";
    for (let i = 0; i < Math.min(number, grid.columns * grid.groups); i++) {
      const [group, column] = [Math.floor(i / grid.columns), i % grid.columns];
      this.rows.forEach(([name], row) => {
        const x = grid.left + column * (grid.width + GAP);
        const y = grid.top + group * grid.pitch + row * (grid.height + GAP);
        this.#drawImage(context, name, i, { x, y, w, h, width: grid.width, height: grid.height });
      });
    }
    this.#drawMarks(context, grid);
    this.surface.canvas.dataset.images = Math.min(number, grid.columns * grid.groups);
  }

  #drawPoints(context, width, height, ratio) {
    const { theme, images, rows, among } = this;
    const colors = [theme.muted, css(theme.few)];
    const groups = ["originals", rows.at(-1)[0]]
      .map((name, i) => ({ name: among[i], points: images[name], color: colors[i] }))
      .filter(({ points }) => points);
    this.scatter.draw(context, width, height, ratio, { groups, span: this.#span, links: rows.length > 1 });
    this.surface.canvas.dataset.points = groups.map(({ points }) => points.shape[0]).join();
  }

  #drawImage(context, name, i, { x, y, w, h, width, height }) {
    const sheet = this.sheets[name];
    if (sheet) {
      context.drawImage(sheet, 0, i * h, w, h, x, y, width, height);
    } else {
      context.fillStyle = this.theme.grid;
      context.globalAlpha = 0.5;
      context.fillRect(x, y, width, height);
      context.globalAlpha = 1;
    }
  }

  #drawMarks(context, grid) {
    context.fillStyle = this.theme.muted;
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.font = `italic ${this.theme.face(13)}`;
    for (let group = 0; group < grid.groups; group++) {
      this.rows.forEach(([, mark], row) => {
        const y = grid.top + group * grid.pitch + row * (grid.height + GAP) + grid.height / 2;
        if (mark) context.fillText(mark, grid.left - MARK, y);
      });
    }
  }
}

/**
 * Images { shape: [n, h, w(, c)], data } on one sheet, below each other, in the theme's ink where
 * they are grey; `grey` lies between two levels of 256.
 */
export function sheetOf({ shape: [number, height, width, channels = 1], data, grey }, theme) {
  const sheet = new OffscreenCanvas(width, Math.max(1, height * number));
  const pixels = new ImageData(width, Math.max(1, height * number));
  const top = Math.floor(255 / grey);
  const ramp = Array.from({ length: top + 1 }, (_, level) =>
    channels === 1 ? mix(theme.tile, theme.ink, level / top) : Array(3).fill(level * grey),
  );
  for (let i = 0; i < number * height * width; i++) {
    for (let channel = 0; channel < 3; channel++) {
      pixels.data[4 * i + channel] = ramp[data[channels === 1 ? i : channels * i + channel]][channel];
    }
    pixels.data[4 * i + 3] = 255;
  }
  sheet.getContext("2d").putImageData(pixels, 0, 0);
  return sheet;
}

/**
 * A grid that covers the canvas well, of images of about the usual size, in whole pixels of the
 * screen. Images much smaller than their cells grow by whole numbers only, so that all their
 * pixels are equally large.
 */
function fit(width, height, ratio, number, rows, w, h) {
  const mark = rows > 1 ? MARK : 0;
  const apart = rows > 1 ? APART : GAP;
  const grids = [];
  for (let columns = 1; columns <= number; columns++) {
    const room = (width - mark - (columns - 1) * GAP) / columns;
    for (let groups = 1; (groups - 1) * columns < number; groups++) {
      const each = (height - (groups - 1) * apart) / groups;
      const tall = Math.min((each - (rows - 1) * GAP) / rows, LARGEST);
      const largest = ratio * Math.min(room / w, tall / h);
      const crisp = largest >= CRISP;
      const scale = (crisp ? Math.floor(largest) : Math.floor(largest * w) / w) / ratio;
      const area = Math.min(number, columns * groups) * scale * scale;
      if (scale > 0) grids.push({ columns, groups, crisp, scale, area });
    }
  }
  const enough = 0.75 * Math.max(...grids.map((grid) => grid.area));
  const oddity = ({ scale }) => Math.abs(Math.log((scale * h) / USUAL));
  const best = grids
    .filter(({ area }) => area >= enough)
    .reduce((a, b) => (oddity(b) < oddity(a) || (oddity(b) === oddity(a) && b.area > a.area) ? b : a));
  const [cellWidth, cellHeight] = [w * best.scale, Math.round(h * best.scale * ratio) / ratio];
  const pitch = rows * cellHeight + (rows - 1) * GAP + apart;
  const used = best.columns * (cellWidth + GAP) - GAP;
  const whole = (value) => Math.round(value * ratio) / ratio;
  return {
    ...best,
    width: cellWidth,
    height: cellHeight,
    pitch,
    left: whole(mark + (width - mark - used) / 2),
    top: whole(Math.max(0, (height - best.groups * pitch + apart) / 2)),
  };
}
