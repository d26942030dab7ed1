/** A canvas context that writes SVG: what draws on canvases draws figures for papers with it. */

import { rgb } from "./theme.js";

const MIDDLE = 0.35; // em from a line's middle down to its base
const ASCENT = 0.8; // em from its top
const START = {
  fillStyle: "#000",
  strokeStyle: "#000",
  lineWidth: 1,
  lineCap: "butt",
  lineJoin: "miter",
  font: "10px sans-serif",
  textAlign: "left",
  textBaseline: "alphabetic",
  globalAlpha: 1,
  imageSmoothingEnabled: true,
  dash: "",
  clipped: "",
};

const ruler = new OffscreenCanvas(1, 1).getContext("2d");
const short = (value) => String(Number(value.toFixed(2)));
const escaped = (text) =>
  String(text).replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);

export class SvgContext {
  vector = true; // others may draw differently on it

  constructor(width, height, background) {
    Object.assign(this, START, { width, height, parts: [], stack: [], path: "", clips: 0 });
    this.fillStyle = background;
    this.fillRect(0, 0, width, height);
  }

  /** The whole figure. */
  get text() {
    const { width, height } = this;
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">\n${this.parts.join("\n")}\n</svg>\n`;
  }

  save() {
    this.stack.push(Object.fromEntries(Object.keys(START).map((name) => [name, this[name]])));
  }

  restore() {
    Object.assign(this, this.stack.pop());
  }

  setTransform() {}

  setLineDash(lengths) {
    this.dash = lengths.join(" ");
  }

  beginPath() {
    this.path = "";
  }

  moveTo(x, y) {
    this.path += `M${short(x)} ${short(y)}`;
  }

  lineTo(x, y) {
    this.path += `${this.path ? "L" : "M"}${short(x)} ${short(y)}`;
  }

  closePath() {
    this.path += "Z";
  }

  rect(x, y, width, height) {
    this.path += `M${short(x)} ${short(y)}h${short(width)}v${short(height)}h${short(-width)}Z`;
  }

  roundRect(x, y, width, height) {
    this.rect(x, y, width, height);
  }

  /** Whole circles only, which are all that is drawn. */
  arc(x, y, radius) {
    const [left, r] = [short(x - radius), short(radius)];
    const wide = short(2 * radius);
    this.path += `M${left} ${short(y)}a${r} ${r} 0 1 0 ${wide} 0a${r} ${r} 0 1 0 -${wide} 0Z`;
  }

  fill() {
    this.#put(`<path d="${this.path}"${this.#filled}/>`);
  }

  stroke() {
    this.#put(`<path d="${this.path}" fill="none"${this.#stroked}/>`);
  }

  clip() {
    // Names that are this figure's alone: several may come to lie in one page.
    const id = `clip${Math.random().toString(36).slice(2, 8)}${this.clips++}`;
    this.parts.push(`<clipPath id="${id}"><path d="${this.path}"/></clipPath>`);
    this.clipped = id;
  }

  fillRect(x, y, width, height) {
    this.#put(`<rect x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}"${this.#filled}/>`);
  }

  strokeRect(x, y, width, height) {
    this.beginPath();
    this.rect(x, y, width, height);
    this.stroke();
  }

  /** A filled circle. */
  disc(x, y, radius, color, alpha) {
    this.#put(`<circle cx="${short(x)}" cy="${short(y)}" r="${short(radius)}" fill="${hex(color)}" fill-opacity="${alpha}"/>`);
  }

  fillText(text, x, y, room) {
    this.#write(text, x, y, room, `${this.#filled}`);
  }

  strokeText(text, x, y) {
    this.#write(text, x, y, undefined, ` fill="none"${this.#stroked}`);
  }

  measureText(text) {
    ruler.font = this.font;
    return ruler.measureText(text);
  }

  /** An image within the figure; it may be a part of its source, as on a canvas. */
  drawImage(source, ...place) {
    if (place.length === 2) place.push(source.width, source.height);
    const whole = [0, 0, source.width, source.height];
    const [sx, sy, sw, sh, x, y, w, h] = place.length === 8 ? place : [...whole, ...place];
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: sw, height: sh });
    canvas.getContext("2d").drawImage(source, sx, sy, sw, sh, 0, 0, sw, sh);
    const crisp = this.imageSmoothingEnabled ? "" : ' style="image-rendering:pixelated"';
    this.#put(
      `<image x="${short(x)}" y="${short(y)}" width="${short(w)}" height="${short(h)}" preserveAspectRatio="none"${crisp} href="${canvas.toDataURL()}"/>`,
    );
  }

  get #filled() {
    return ` fill="${hex(this.fillStyle)}"${this.#opacity}`;
  }

  get #stroked() {
    const dash = this.dash ? ` stroke-dasharray="${this.dash}"` : "";
    return ` stroke="${hex(this.strokeStyle)}" stroke-width="${this.lineWidth}" stroke-linecap="${this.lineCap}" stroke-linejoin="${this.lineJoin}"${dash}${this.#opacity}`;
  }

  get #opacity() {
    return this.globalAlpha < 1 ? ` opacity="${this.globalAlpha}"` : "";
  }

  #write(text, x, y, room, ink) {
    const [, style, weight, size, family] = /^(italic )?(?:(\d+) )?([\d.]+)px (.*)$/.exec(this.font) ?? [];
    const down = { middle: MIDDLE, top: ASCENT, bottom: -0.2 }[this.textBaseline] ?? 0;
    const anchor = { center: "middle", right: "end" }[this.textAlign] ?? "start";
    const tight = room && this.measureText(text).width > room ? ` textLength="${short(room)}" lengthAdjust="spacingAndGlyphs"` : "";
    this.#put(
      `<text x="${short(x)}" y="${short(y + down * size)}" font-family="${escaped(family)}" font-size="${size}"${weight ? ` font-weight="${weight}"` : ""}${style ? ' font-style="italic"' : ""} text-anchor="${anchor}"${tight}${ink}>${escaped(text)}</text>`,
    );
  }

  #put(part) {
    this.parts.push(this.clipped ? `<g clip-path="url(#${this.clipped})">${part}</g>` : part);
  }
}

/** A colour as every reader of SVG knows it. */
function hex(color) {
  return `#${rgb(color).map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}
