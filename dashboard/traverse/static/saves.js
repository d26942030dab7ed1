/** Saving what is shown: a picture, the codes as numbers, films over training and along the rows. */

import { count } from "../live/format.js";
import { SaveMenu, offersOf, printed } from "../live/saving.js";

const FILM = { width: 640, ratio: 1.5 }; // px of a film, and its pixels for one of them
const TALLEST = 640;
const MOST = 400; // pictures of a film, as the server takes them
const RATES = { training: 5, rows: 6 }; // pictures a second

export class Saves {
  constructor(element, view) {
    this.view = view;
    const { sheet, theme } = view;
    const film = (of, kind) => (told) => this.#film(of, kind, told);
    const panel = { surface: sheet.surface, refresh: () => sheet.refresh(), numbers: () => this.#numbers() };
    const offers = {
      ...offersOf(panel, theme, () => this.#name),
      "GIF over training": film("training", "gif"),
      "MP4 over training": film("training", "mp4"),
      "GIF along the rows": film("rows", "gif"),
      "MP4 along the rows": film("rows", "mp4"),
    };
    new SaveMenu(element, "the images", offers, theme);
  }

  get #name() {
    const { first, mode } = this.view;
    return [first?.run.id ?? "nothing", mode, first?.step].filter((part) => part != null).join("-");
  }

  /** A row for each image: its run, where it stands, and its code. */
  #numbers() {
    const rows = this.view.sheet.blocks.flatMap(({ rows }) => rows);
    const d = Math.max(0, ...this.view.ready.map(({ dimensions }) => dimensions));
    const head = ["run", "step", "row", "column", ...Array.from({ length: d }, (_, i) => `z${i + 1}`)];
    const lines = rows.flatMap(({ subject, codes, name }, r) =>
      codes.flatMap((code, column) =>
        code ? [[subject.run.id, subject.step, name || r, column, ...Array.from(code, (z) => z.toPrecision(6))]] : [],
      ),
    );
    return [head, ...lines];
  }

  async #film(of, kind, told) {
    const pictures = of === "training" ? await this.#overTraining(told) : await this.#alongRows();
    if (!pictures.length) throw new Error("nothing to film yet");
    told("…");
    const parts = [];
    for (const canvas of pictures) {
      const png = await canvas.convertToBlob({ type: "image/png" });
      parts.push(new Uint32Array([png.size]), png);
    }
    const response = await fetch(`/api/film?kind=${kind}&rate=${RATES[of]}`, { method: "POST", body: new Blob(parts) });
    if (!response.ok) throw new Error((await response.json()).error);
    return [`${this.#name}-${of}.${kind}`, await response.blob()];
  }

  /** The sheet at every step, and then as it was. */
  async #overTraining(told) {
    const { view } = this;
    const { step } = view.time;
    const steps = some(view.time.steps, MOST);
    const pictures = [];
    view.time.pause();
    view.filming = true; // the address stays at what it was before
    try {
      for (const [i, at] of steps.entries()) {
        told(`${i + 1} of ${count(steps.length)}`);
        await view.show(at);
        pictures.push(this.#picture(`step ${count(at)}`));
      }
    } finally {
      await view.show(step);
      view.filming = false;
    }
    return pictures;
  }

  /** What each row shows at its first image, its second, …, and back. */
  async #alongRows() {
    const { sheet } = this.view;
    const longest = Math.max(...sheet.blocks.flatMap(({ rows }) => rows.map(({ tiles }) => tiles.shape[0])));
    const there = Array.from({ length: longest }, (_, i) => i);
    const back = there.slice(1, -1).reverse();
    return [...there, ...back].map((column) => this.#picture("", column));
  }

  #picture(caption, column) {
    const { width, height } = this.view.sheet.surface;
    const scale = Math.min(1, FILM.width / width, TALLEST / height);
    const { sheet, theme } = this.view;
    return printed(sheet, theme, () => sheet.picture(width, height, FILM.ratio * scale, caption, column));
  }
}

/** At most so many of the elements of an array, evenly, with its first and its last. */
export function some(array, most) {
  if (array.length <= most) return array;
  return Array.from({ length: most }, (_, i) => array[Math.round((i * (array.length - 1)) / (most - 1))]);
}
