/** The images of selected codes above what the decoder makes of them; a press finds an image's code. */

import { decodeRemotely } from "../live/decoder.js";
import { count, number } from "../live/format.js";
import { write } from "../live/strip.js";
import { Figure } from "../live/surface.js";
import { nounOf, oneOf } from "../live/words.js";
import { paint } from "./pictures.js";

const MOST = 60; // images shown
const ABREAST = 20; // in a picture that is saved
const SCALE = 4; // px of that picture for one of the images
const AGAIN = 1500; // ms until the server is asked again, where it was busy
const EXAMPLES = 24; // where nothing is selected

export class Chosen {
  /** `shared` is the view; it hears `point(key)`, an image pressed, and `select([])`. */
  constructor(section, shared) {
    this.shared = shared;
    const find = (selector) => section.querySelector(selector);
    [this.list, this.said, this.clear, this.note] = [".picks", ".said", ".clear", ".note"].map(find);
    this.title = find("h3");
    this.section = section;
    this.clear.onclick = () => shared.select([]);
    this.list.onclick = (event) => {
      const pick = event.target.closest(".pick");
      if (pick) shared.point(pick.dataset.key);
    };
    this.list.onkeydown = (event) => this.#walk(event);
  }

  /** Show the images selected, or some of each class. */
  refresh() {
    const { posteriors, selection, pictures, keyOf, placeOf } = this.shared;
    this.clear.hidden = !selection;
    write(this.title, `${selection ? "Selected" : "Some"} ${nounOf(this.shared.about)}`);
    let keys = [];
    if (selection) keys = [...selection].filter((key) => placeOf(key) !== undefined);
    else if (posteriors) keys = this.#examples().map(keyOf);
    const shown = keys.filter((key) => pictures.has(key)).slice(0, selection ? MOST : EXAMPLES);
    this.#lay(shown);
    write(this.note, this.#sentence(keys, shown, selection !== null));
    this.#paint(shown);
    const { focus } = this.shared;
    for (const pick of this.list.children) pick.setAttribute("aria-pressed", pick.dataset.key === focus);
    write(this.said, this.#facts());
    Object.assign(this.section.dataset, { shown: shown.join(), focus: focus ?? "" });
  }

  /** The images shown with their posteriors as rows of numbers. */
  numbers() {
    const { posteriors, classes, placeOf, dimensions: d } = this.shared;
    const each = (name) => Array.from({ length: d }, (_, j) => `${name}${j + 1}`);
    const rows = [...this.list.children].map(({ dataset: { key } }) => {
      const i = placeOf(key);
      const all = (of) => Array.from({ length: d }, (_, j) => of(i, j).toPrecision(6));
      const about = [posteriors.split, posteriors.indices[i], classes[posteriors.labels[i]] ?? ""];
      return [...about, ...all(posteriors.mean), ...all(posteriors.std)];
    });
    return [["split", "index", "class", ...each("mean "), ...each("std ")], ...rows];
  }

  /** The images shown, on one sheet, to be saved: each above what is made of it. */
  get figure() {
    const { pictures, decoder } = this.shared;
    const keys = [...this.list.children].map(({ dataset }) => dataset.key);
    if (!keys.length) return null;
    const [height, width] = decoder?.shape ?? [pictures.height, pictures.width];
    const [wide, high] = [Math.max(pictures.width, width), Math.max(pictures.height, height)];
    const columns = Math.min(keys.length, ABREAST);
    const [across, down] = [wide + 1, 2 * high + 2];
    return new Figure(columns * across * SCALE, Math.ceil(keys.length / columns) * down * SCALE, (context) => {
      context.imageSmoothingEnabled = false;
      keys.forEach((key, k) => {
        const [x, y] = [(k % columns) * across, Math.floor(k / columns) * down];
        const both = [pictures.of(key), this.#rebuiltOf(key)];
        both.forEach((picture, row) => {
          if (picture) context.drawImage(picture, x * SCALE, (y + row * high) * SCALE, wide * SCALE, high * SCALE);
        });
      });
    });
  }

  /** What is made of an image as a picture of its own, or null. */
  #rebuiltOf(key) {
    const { decoder, theme } = this.shared;
    const levels = this.rebuilt?.get(key);
    if (!levels || levels.length !== decoder?.size) return null;
    const [height, width, channels = 1] = decoder.shape;
    const picture = new OffscreenCanvas(width, height);
    paint(picture, { levels, channels }, theme);
    return picture;
  }

  /** The indices of codes in which the classes take turns, of those that have a picture. */
  #examples() {
    const { posteriors, pictures, keyOf } = this.shared;
    const turns = [];
    const seen = new Map();
    posteriors.labels.forEach((label, i) => {
      if (!pictures.has(keyOf(i))) return;
      const turn = seen.get(label) ?? 0;
      seen.set(label, turn + 1);
      if (turn < EXAMPLES) turns.push({ turn, label, i });
    });
    turns.sort((a, b) => a.turn - b.turn || a.label - b.label);
    return turns.map(({ i }) => i);
  }

  /** A button for each image; those that stay keep the focus of the keyboard. */
  #lay(keys) {
    if (String(keys) === this.laid) return;
    this.laid = String(keys);
    const kept = new Map([...this.list.children].map((pick) => [pick.dataset.key, pick]));
    this.list.replaceChildren(...keys.map((key) => kept.get(key) ?? this.#pick(key)));
  }

  #pick(key) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "pick" });
    button.dataset.key = key;
    button.append(document.createElement("canvas"), document.createElement("canvas"));
    return button;
  }

  async #paint(keys) {
    const { pictures, theme, decoder, placeOf, nameOf, colorOf } = this.shared;
    const places = keys.map(placeOf);
    for (const [k, key] of keys.entries()) {
      const pick = this.list.children[k];
      const [original] = pick.children;
      const picture = pictures.of(key);
      Object.assign(original, { width: picture.width, height: picture.height });
      original.getContext("2d").drawImage(picture, 0, 0);
      pick.style.setProperty("--color", colorOf(places[k]));
      pick.setAttribute("aria-label", nameOf(places[k]));
      pick.title = nameOf(places[k]) + said(pictures.valuesOf(key));
    }
    if (!decoder || !keys.length) return;
    const task = (this.task = {});
    const images = await this.reconstruct(places);
    if (task !== this.task) return;
    if (!images) {
      setTimeout(() => task === this.task && this.section.isConnected && this.#paint(keys), AGAIN);
      return;
    }
    const [height, width, channels = 1] = decoder.shape;
    this.rebuilt = new Map();
    for (const [k, key] of keys.entries()) {
      const rebuilt = this.list.children[k].children[1];
      Object.assign(rebuilt, { width, height });
      const levels = images.subarray(k * decoder.size, (k + 1) * decoder.size);
      this.rebuilt.set(key, levels);
      paint(rebuilt, { levels, channels }, theme);
    }
  }

  /** What the decoder makes of the means of codes, one after the other; null where it cannot. */
  async reconstruct(places) {
    const { api, run, decoder, posteriors } = this.shared;
    const d = posteriors.dimensions;
    const z = Float32Array.from({ length: places.length * d }, (_, k) =>
      posteriors.mean(places[Math.floor(k / d)], k % d),
    );
    if (!decoder.exact) return (await decodeRemotely(api, run, decoder, z))?.data ?? null;
    const images = new Uint8Array(places.length * decoder.size);
    places.forEach((_, k) => decoder.draw(z.subarray(k * d, (k + 1) * d), images, k * decoder.size));
    return images;
  }

  /** How many of which class are selected, and of how many there are pictures. */
  #sentence(keys, shown, selected) {
    const { posteriors, pictures, classes, placeOf } = this.shared;
    if (!posteriors) return "";
    if (!pictures.whole && pictures.data && !shown.length) {
      return `This run kept pictures of ${count(pictures.places.size)} held-out ${nounOf(this.shared.about)} only.`;
    }
    if (!selected) return `Drag around codes or click on one. Press ${oneOf(this.shared.about) === "image" ? "an image" : "a point"} to find its code.`;
    const tally = new Map();
    for (const key of keys) {
      const label = posteriors.labels[placeOf(key)];
      tally.set(label, (tally.get(label) ?? 0) + 1);
    }
    const parts = [...tally]
      .sort((a, b) => b[1] - a[1])
      .map(([label, n]) => `${classes[label] ?? "no class"} ×${count(n)}`);
    const rest = shown.length < keys.length ? ` ${count(shown.length)} shown.` : "";
    return `${count(keys.length)}: ${parts.join(", ")}.${rest}`;
  }

  /** What is known of the image pointed at. */
  #facts() {
    const { posteriors, focused, nameOf, dimensions } = this.shared;
    if (focused === undefined || !posteriors) return "";
    let [rate, square] = [0, 0];
    for (let j = 0; j < dimensions; j++) {
      const [mean, std] = [posteriors.mean(focused, j), posteriors.std(focused, j)];
      rate += (std * std + mean * mean - 1) / 2 - Math.log(std);
      square += mean * mean;
    }
    return `${nameOf(focused)}: KL(q(z|x) ‖ p(z)) ${number(rate)} nats, ‖μ‖ ${number(Math.sqrt(square))}`;
  }

  /** Arrow keys go from image to image. */
  #walk(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const picks = [...this.list.children];
    const at = picks.indexOf(event.target.closest(".pick"));
    if (!by || at < 0) return;
    event.preventDefault();
    const next = picks[Math.min(Math.max(at + by, 0), picks.length - 1)];
    next.focus();
    this.shared.point(next.dataset.key);
  }
}

/** The values of a point, for a title. */
const said = (values) => (values ? `: ${Array.from(values, (value) => number(value)).join(", ")}` : "");
