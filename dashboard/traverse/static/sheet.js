/** Rows of images with their names: blocks of such rows side by side. */

import { sheetOf } from "../live/gallery.js";
import { Scatter } from "../live/scatter.js";
import { Surface } from "../live/surface.js";

const GAP = 2; // px between images
const TITLE = 22; // px for the name of a block
const HEAD = 18; // px for what stands over the columns
const BETWEEN = 22; // px between blocks
const LARGEST = 96; // px of an image
const CRISP = 3; // from so many pixels a pixel on, images are enlarged by whole numbers
const GROUP = 8; // px more between groups of rows

export class Sheet {
  /** `picked(row, column)` hears which image was chosen. */
  constructor(stage, theme, picked) {
    Object.assign(this, { theme, picked, blocks: [], cursor: null });
    this.scatter = new Scatter(theme);
    this.surface = new Surface(
      stage,
      (...canvas) => this.#draw(...canvas),
      (context) => this.#drawOver(context),
    );
    this.tip = stage.querySelector(".tip");
    this.#listen();
  }

  /**
   * Show blocks { title, color, label, heads, rows }: `label` is the px that names take. A row has
   * a name, a note, a color, tiles { shape, data }, says(i) and whether it `opens` a group. A block
   * may have a `net` in place of rows, as a `Scatter` draws it.
   */
  show(blocks) {
    this.blocks = blocks.map((block) => ({
      ...block,
      rows: block.rows.map((row) => ({ ...row, sheet: sheetOf({ ...row.tiles, grey: 1 }, this.theme) })),
    }));
    this.surface.invalidate();
  }

  /** Draw again in the theme's colours. */
  refresh() {
    this.show(this.blocks);
  }

  close() {
    this.surface.close();
  }

  /** The same on a canvas of its own, with a caption; of each row one `column` where it is given. */
  picture(width, height, ratio, caption, column = null) {
    const canvas = new OffscreenCanvas(even(width * ratio), even(height * ratio));
    const context = canvas.getContext("2d");
    context.fillStyle = this.theme.background;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const room = height - (caption ? HEAD : 0);
    this.#draw(context, width, room, ratio, column === null ? this.blocks : this.#columnOf(column));
    context.font = this.theme.face(12, 600);
    context.fillStyle = this.theme.text;
    context.textAlign = "right";
    context.textBaseline = "bottom";
    if (caption) context.fillText(caption, width - 6, height - 3);
    return canvas;
  }

  #listen() {
    const { canvas } = this.surface;
    canvas.onpointermove = (event) => this.#point(this.#at(this.surface.locate(event)));
    canvas.onpointerleave = () => this.#point(null);
    canvas.onclick = (event) => this.#pick(this.#at(this.surface.locate(event)));
    const by = (down, right) => () => this.#walk(down, right);
    this.surface.onKeys({
      ArrowUp: by(-1, 0),
      ArrowDown: by(1, 0),
      ArrowLeft: by(0, -1),
      ArrowRight: by(0, 1),
      Enter: () => this.#pick(this.cursor),
      Escape: () => this.#point(null),
    });
  }

  #point(cursor) {
    this.cursor = cursor;
    this.surface.invalidateOver();
  }

  #pick(cursor) {
    const row = cursor && this.blocks[cursor.block].rows[cursor.row];
    if (row?.codes?.[cursor.column]) this.picked(row, cursor.column);
  }

  #walk(down, right) {
    const now = this.cursor ?? { block: 0, row: 0, column: 0 };
    const { rows } = this.blocks[now.block] ?? { rows: [] };
    if (!rows.length) return;
    const within = (value, count) => Math.min(Math.max(value, 0), count - 1);
    const row = within(now.row + down, rows.length);
    const column = within(now.column + right, rows[row].tiles.shape[0]);
    this.#point({ block: now.block, row, column });
  }

  #at([x, y]) {
    for (const [b, { place, rows }] of this.blocks.entries()) {
      if (!place) continue;
      const column = Math.floor((x - place.left) / (place.width + GAP));
      const row = place.tops.findIndex((top) => y >= top && y < top + place.height);
      if (row >= 0 && column >= 0 && column < rows[row].tiles.shape[0]) return { block: b, row, column };
    }
    return null;
  }

  /** The blocks with a single image of each row, the last one where a row is shorter. */
  #columnOf(column) {
    const only = (row) => {
      const [count, h, w] = row.tiles.shape;
      const at = Math.min(column, count - 1);
      const sheet = new OffscreenCanvas(w, h);
      sheet.getContext("2d").drawImage(row.sheet, 0, at * h, w, h, 0, 0, w, h);
      return { ...row, sheet, tiles: { shape: [1, h, w] } };
    };
    return this.blocks.map((block) => ({
      ...block,
      heads: block.heads && [block.heads[column]],
      rows: block.rows.map(only),
    }));
  }

  #draw(context, width, height, ratio, blocks = this.blocks) {
    const count = blocks.length;
    const room = (width - BETWEEN * (count - 1)) / Math.max(count, 1);
    blocks.forEach((block, i) => {
      const area = { left: i * (room + BETWEEN), width: room, height };
      this.#drawBlock(context, block, area, ratio);
    });
    const cells = blocks.flatMap(({ rows }) => rows.map(({ tiles }) => tiles.shape[0]));
    if (context.canvas === this.surface.canvas) {
      this.surface.canvas.dataset.nets = blocks.filter(({ net }) => net).length;
      this.surface.canvas.dataset.rows = cells.length;
      this.surface.canvas.dataset.cells = cells.reduce((sum, n) => sum + n, 0);
    }
  }

  #drawBlock(context, block, area, ratio) {
    const { theme } = this;
    const { label = 0, heads, rows, foot, net } = block;
    if (net) this.#drawNet(context, block, area, ratio);
    if (!rows.length) return;
    const place = arrange(block, area, ratio);
    if (context.canvas === this.surface.canvas) block.place = place; // for the pointer
    const { left, width, height, tops } = place;
    this.#drawTitle(context, block, place.outer, place.top, area.width);
    context.textBaseline = "middle";
    context.font = theme.face(11);
    context.fillStyle = theme.muted;
    context.textAlign = "center";
    heads?.forEach((head, i) => {
      context.fillText(head, left + i * (width + GAP) + width / 2, tops[0] - HEAD / 2);
    });
    if (foot) context.fillText(foot, left + (rows[0].tiles.shape[0] * (width + GAP)) / 2, tops.at(-1) + height + HEAD / 2);
    rows.forEach((row, r) => {
      const middle = tops[r] + height / 2;
      if (label) drawName(context, row, place.outer, middle, label, height, theme);
      this.#drawRow(context, row, left, tops[r], place);
    });
  }

  #drawTitle(context, { title, color }, left, top, room) {
    if (!title) return;
    const { theme } = this;
    const [glyph, ...name] = title;
    const middle = top + TITLE / 2 - 3;
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.font = theme.face(13, 600);
    context.fillStyle = color ?? theme.text;
    context.fillText(glyph, left, middle);
    context.fillStyle = theme.text;
    context.fillText(name.join(""), left + context.measureText(`${glyph} `).width, middle, room - 16);
  }

  #drawNet(context, { net, foot, ...block }, { left, width, height }, ratio) {
    this.#drawTitle(context, block, left, 0, width);
    const room = Math.max(height - TITLE - HEAD, 1);
    const canvas = new OffscreenCanvas(Math.ceil(width * ratio), Math.ceil(room * ratio));
    const own = canvas.getContext("2d");
    own.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.scatter.draw(own, width, room, ratio, net);
    context.drawImage(canvas, 0, 0, canvas.width, canvas.height, left, TITLE, width, room);
    context.font = this.theme.face(11);
    context.fillStyle = this.theme.muted;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(foot, left + width / 2, height - HEAD / 2, width);
  }

  #drawRow(context, { tiles, sheet }, left, top, { width, height, crisp }) {
    const [count, h, w] = tiles.shape;
    context.imageSmoothingEnabled = !crisp;
    context.imageSmoothingQuality = "high";
    for (let i = 0; i < count; i++) {
      context.drawImage(sheet, 0, i * h, w, h, left + i * (width + GAP), top, width, height);
    }
  }

  #drawOver(context) {
    const { cursor, theme } = this;
    const block = cursor && this.blocks[cursor.block];
    const row = block?.rows[cursor.row];
    this.tip.hidden = !(row && block.place && cursor.column < row.tiles.shape[0]);
    if (this.tip.hidden) return;
    const { left, width, height, tops } = block.place;
    const [x, y] = [left + cursor.column * (width + GAP), tops[cursor.row]];
    context.strokeStyle = theme.accent;
    context.lineWidth = 2;
    context.strokeRect(x - 1, y - 1, width + 2, height + 2);
    this.tip.textContent = row.says(cursor.column);
    this.surface.canvas.setAttribute("aria-label", this.tip.textContent);
    const { offsetWidth: w, offsetHeight: h } = this.tip;
    const across = Math.min(Math.max(x + width / 2 - w / 2, 0), this.surface.width - w);
    const down = y > h + 6 ? y - h - 6 : y + height + 6;
    this.tip.style.transform = `translate(${across}px, ${down}px)`;
  }
}

/** Where a block's images lie: as large as there is room for. */
function arrange({ title, label = 0, heads, foot, rows }, area, ratio) {
  const columns = Math.max(...rows.map(({ tiles }) => tiles.shape[0]));
  const [, h, w] = rows[0].tiles.shape;
  const groups = rows.filter(({ opens }, r) => opens && r).length;
  const above = (title ? TITLE : 0) + (heads ? HEAD : 0);
  const tall = (area.height - above - (foot ? HEAD : 0) - groups * GROUP) / rows.length - GAP;
  const room = (area.width - label) / columns - GAP;
  const largest = ratio * Math.min(room / w, tall / h, LARGEST / h);
  const crisp = largest >= CRISP;
  const scale = (crisp ? Math.floor(largest) : largest) / ratio;
  const [width, height] = [Math.max(w * scale, 4), Math.max(h * scale, 4)];
  const used = above + rows.length * (height + GAP) + groups * GROUP + (foot ? HEAD : 0);
  const top = Math.max(0, Math.round((area.height - used) / 2));
  const outer = area.left + Math.max(0, Math.round((area.width - label - columns * (width + GAP)) / 2));
  let y = top + above;
  const tops = rows.map(({ opens }, r) => {
    if (opens && r) y += GROUP;
    const at = y;
    y += height + GAP;
    return at;
  });
  return { outer, left: outer + label, top, tops, width, height, crisp };
}

/** A row's name, and its note below it where there is room. */
function drawName(context, { name, note, color, glyph }, left, middle, room, height, theme) {
  const two = note && height >= 30;
  let x = left;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.font = theme.face(12, 600);
  if (glyph) {
    context.fillStyle = color;
    context.fillText(glyph, x, two ? middle - 8 : middle);
    x += 16;
  }
  context.fillStyle = theme.text;
  context.fillText(name, x, two ? middle - 8 : middle, room - 20);
  if (!note) return;
  context.font = theme.face(11);
  context.fillStyle = theme.muted;
  if (two) {
    context.fillText(note, x, middle + 8, room - 20);
  } else {
    context.textAlign = "right";
    context.fillText(note, left + room - 6, middle);
  }
}

const even = (value) => 2 * Math.round(value / 2); // as films want it

