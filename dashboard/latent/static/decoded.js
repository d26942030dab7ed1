/** What the decoder makes of the place pointed at, drawn as the pointer moves. */

import { decodeRemotely } from "../live/decoder.js";
import { coordinate, subscript } from "../live/format.js";
import { Scatter } from "../live/scatter.js";
import { write } from "../live/strip.js";
import { Figure, pixels } from "../live/surface.js";
import { paint } from "./pictures.js";

const VALUES = 2; // of a point that are said: those that are drawn
const SAVED = 280; // px of an image that is saved, about
const PAUSE = 120; // ms without a move after which the server is asked for what is not known here
const RETRIES = [500, 1000, 2000, 4000]; // ms until it is asked again, where it did not answer
const NEAREST = "nearest decoded";
const BUSY = `${NEAREST}; the server is busy, it is asked again`;

export class Decoded {
  /** `shared` is the view: `theme`, `decoder`, `chosen`, `codeAt(place)`; it hears `choose(change)`. */
  constructor(section, shared) {
    this.shared = shared;
    this.scatter = new Scatter(shared.theme);
    const find = (selector) => section.querySelector(selector);
    this.section = section;
    [this.canvas, this.text, this.note] = ["canvas", ".at", ".note"].map(find);
    [this.rest, this.original, this.mark] = [".rest", ".original", ".mark"].map(find);
    this.asked = null; // what the server decoded last: { decoder, z, levels }
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
    if (!decoder || decoder.exact) this.#say("");
    if (decoder?.span && decoder.exact) {
      this.point = decoder.decode(z);
      this.#plot();
    } else if (decoder && z.length === decoder.dimensions) {
      this.#fit(decoder);
      this.#look(decoder, z);
      this.#paint();
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

  /** What is shown, to be saved; null where nothing is. */
  get figure() {
    const { levels, channels, canvas, stage } = this;
    if (this.point) return new Figure(stage.clientWidth, stage.clientHeight, (...c) => this.#draw(...c));
    if (!levels) return null;
    const { width, height } = canvas;
    const scale = Math.max(1, Math.round(SAVED / Math.max(width, height)));
    return new Figure(width * scale, height * scale, (context) => {
      const picture = new OffscreenCanvas(width, height);
      paint(picture, { levels, channels }, this.shared.theme);
      context.imageSmoothingEnabled = false;
      context.drawImage(picture, 0, 0, width * scale, height * scale);
    });
  }

  /** The code and what is made of it: grey levels or colours of 255, or a point. */
  numbers() {
    const made = this.point ?? this.levels ?? [];
    const names = (name, values, from) => Array.from(values, (_, i) => `${name}${i + from}`);
    const head = [...names("z", this.z, 1), ...(this.point ? names("x", made, 1) : names("pixel ", made, 0))];
    return [head, [...Array.from(this.z, (value) => value.toPrecision(6)), ...made]];
  }

  describe() {
    const { chosen, decoder } = this.shared;
    if (!decoder) return `What the decoder makes of a place: ${this.shared.said || "not known yet"}`;
    return `What the decoder makes of ${(chosen.at ?? [0, 0]).map(coordinate).join(", ")}.`;
  }

  close() {
    this.closed = true;
    clearTimeout(this.asking);
    this.observer.disconnect();
  }

  /** A point among those of the data. */
  #plot() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const ratio = window.devicePixelRatio || 1;
    const size = { width: Math.round(width * ratio), height: Math.round(height * ratio) };
    Object.assign(this.canvas, size);
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    this.levels = null;
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#draw(context, width, height, ratio);
  }

  #draw(context, width, height, ratio) {
    const { theme, pictures, decoder: { span, values } } = this.shared;
    const points = pictures.points ?? { shape: [0, values], data: new Float32Array(0) };
    const groups = [{ name: "", points, color: theme.line }];
    this.scatter.draw(context, width, height, ratio, { groups, span, marked: this.point });
  }

  /** The image of a code, or the nearest that is known here until the server has decoded it. */
  #look(decoder, z) {
    const { asked } = this;
    if (decoder.covers(z)) {
      decoder.draw(z, this.levels);
      this.#say("");
    } else if (asked?.decoder === decoder && String(asked.z) === String(z)) {
      this.levels.set(asked.levels);
      this.#say("");
    } else {
      decoder.draw(z, this.levels);
      this.#say(NEAREST);
      this.asking = setTimeout(() => this.#ask(0), PAUSE);
    }
  }

  /** Mark what is shown as not quite what was asked for. */
  #say(text) {
    write(this.mark, text);
    this.stage.classList.toggle("near", text !== "");
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
      if (this.point) this.#plot();
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
  async #ask(times) {
    const { z } = this;
    const { api, run, decoder } = this.shared;
    const images = await decodeRemotely(api, run, decoder, Float32Array.from(z));
    if (this.z !== z || this.closed || this.shared.decoder !== decoder) return;
    if (!images) {
      this.#say(BUSY);
      this.asking = setTimeout(() => this.#ask(times + 1), RETRIES[Math.min(times, RETRIES.length - 1)]);
      return;
    }
    this.asked = { decoder, z, levels: images.data };
    this.levels.set(images.data);
    this.#say("");
    this.#paint();
  }

  #explain(place, base) {
    const { names, chosen, pictures, keyOf, nameOf, posteriors } = this.shared;
    const values = [...(this.point ?? [])].slice(0, VALUES);
    const named = (k) => (values.length > 1 ? `x${subscript(k + 1)}` : "x");
    const lines = [
      ...names.map((name, k) => `${name} = ${coordinate(place[k])}`),
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
