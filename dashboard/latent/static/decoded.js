/** What the decoder makes of the place pointed at, drawn as the pointer moves. */

import { decodeRemotely } from "../live/decoder.js";
import { coordinate, subscript } from "../live/format.js";
import { Scatter } from "../live/scatter.js";
import { write } from "../live/strip.js";
import { pixels } from "../live/surface.js";
import { paint } from "./pictures.js";

const VALUES = 2; // of a point that are said: those that are drawn
const PAUSE = 120; // ms without a move after which the server is asked for what is not known here

export class Decoded {
  /** `shared` is the view: `theme`, `decoder`, `chosen`, `codeAt(place)`; it hears `choose(change)`. */
  constructor(section, shared) {
    this.shared = shared;
    this.scatter = new Scatter(shared.theme);
    const find = (selector) => section.querySelector(selector);
    this.section = section;
    [this.canvas, this.text, this.note] = ["canvas", ".at", ".note"].map(find);
    [this.rest, this.original] = [".rest", ".original"].map(find);
    this.select = find("select");
    this.select.onchange = () => shared.choose({ rest: this.select.value });
    this.stage = find(".stage");
    this.observer = new ResizeObserver(() => this.#size());
    this.observer.observe(this.stage);
  }

  /** Draw what is pointed at, in the time between two pictures of a screen. */
  show() {
    const begun = performance.now();
    const { decoder, chosen } = this.shared;
    const place = chosen.at ?? [0, 0];
    const { z, base } = this.shared.codeAt(place);
    this.z = z;
    clearTimeout(this.asking);
    this.point = null;
    if (decoder?.span && decoder.exact) {
      this.point = decoder.decode(z);
      this.#plot(decoder);
    } else if (decoder && z.length === decoder.dimensions) {
      this.#fit(decoder);
      decoder.draw(z, this.levels);
      this.#paint();
      if (!decoder.covers(z)) this.asking = setTimeout(() => this.#ask(), PAUSE);
    }
    this.#explain(place, base);
    const { dataset } = this.section;
    dataset.took = (performance.now() - begun).toFixed(2);
    dataset.at = place.map((value) => value.toFixed(4)).join();
    dataset.moves = Number(dataset.moves ?? 0) + 1;
  }

  /** Take up another decoder, code or theme. */
  refresh() {
    const { decoder, said, chosen, dimensions } = this.shared;
    this.stage.classList.toggle("blank", !decoder);
    write(this.note, said);
    this.rest.hidden = dimensions <= 2;
    this.select.value = chosen.rest;
    this.show();
  }

  describe() {
    const { chosen, decoder } = this.shared;
    if (!decoder) return `What the decoder makes of a place: ${this.shared.said || "not known yet"}`;
    return `What the decoder makes of ${(chosen.at ?? [0, 0]).map(coordinate).join(", ")}.`;
  }

  close() {
    clearTimeout(this.asking);
    this.observer.disconnect();
  }

  /** A point among those of the data. */
  #plot({ span, values }) {
    const { theme, pictures } = this.shared;
    const { clientWidth: width, clientHeight: height } = this.stage;
    const ratio = window.devicePixelRatio || 1;
    const size = { width: Math.round(width * ratio), height: Math.round(height * ratio) };
    Object.assign(this.canvas, size);
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    this.levels = null;
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const points = pictures.points ?? { shape: [0, values], data: new Float32Array(0) };
    const groups = [{ name: "", points, color: theme.line }];
    this.scatter.draw(context, width, height, ratio, { groups, span, marked: this.point });
  }

  /** A canvas of as many pixels as the image has. */
  #fit({ shape: [height, width, channels = 1], size }) {
    if (this.levels?.length === size) return;
    Object.assign(this.canvas, { width, height });
    this.levels = new Uint8Array(size);
    this.channels = channels;
    this.#size();
  }

  /** As large as there is room, by whole pixels of the screen where the image is small. */
  #size() {
    if (!this.levels) {
      if (this.point) this.#plot(this.shared.decoder);
      return;
    }
    const { width, height } = this.canvas;
    const { clientWidth, clientHeight } = this.stage;
    const ratio = pixels(this.stage);
    const most = Math.min(clientWidth / width, clientHeight / height) * ratio;
    const scale = (most >= 3 ? Math.floor(most) : most) / ratio;
    this.canvas.style.width = `${width * scale}px`;
    this.canvas.style.height = `${height * scale}px`;
    this.canvas.classList.toggle("crisp", most >= 3);
  }

  #paint() {
    paint(this.canvas, { levels: this.levels, channels: this.channels }, this.shared.theme);
  }

  /** The image of a code that the decoder here does not cover. */
  async #ask() {
    const { z } = this;
    const { api, run, decoder } = this.shared;
    const images = await decodeRemotely(api, run, decoder, Float32Array.from(z));
    if (!images || this.z !== z || images.data.length !== this.levels.length) return;
    this.levels.set(images.data);
    this.#paint();
  }

  #explain(place, base) {
    const { names, chosen, pictures, keyOf, nameOf, posteriors } = this.shared;
    const values = [...(this.point ?? [])].slice(0, VALUES);
    const named = (k) => (values.length > 1 ? `x${subscript(k + 1)}` : "x");
    const lines = [
      ...place.map((value, k) => `${names[k]} = ${coordinate(value)}`),
      ...values.map((value, k) => `${named(k)} = ${coordinate(value)}`),
    ];
    write(this.text, lines.join("\n"));
    const i = base ?? (posteriors ? this.shared.nearestTo(place) : null);
    const key = i === null ? null : keyOf(i);
    const known = key !== null && pictures.has(key);
    this.original.hidden = !known;
    if (!known) return;
    const canvas = this.original.querySelector("canvas");
    const picture = pictures.of(key);
    if (canvas.width !== picture.width) Object.assign(canvas, { width: picture.width, height: picture.height });
    canvas.getContext("2d").drawImage(picture, 0, 0);
    const which = base !== null && chosen.rest === "focus" ? "selected" : "nearest";
    write(this.original.querySelector("span"), `${which}: ${nameOf(i)}`);
  }
}
