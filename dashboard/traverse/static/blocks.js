/** What the sheet of traversals shows: blocks of rows of decoded images, or nets of points. */

import { unitName } from "../live/axes.js";
import { coordinate, number } from "../live/format.js";
import { along, evenly, manifold, norm, spherical, straight } from "./paths.js";
import { together } from "./subject.js";

// σ of a row for a dimension; t from one image to another; rows at most
const USUAL = { stops: evenly(-3, 3, 13), way: evenly(0, 1, 11), rows: 12 };
const PRESENTED = { stops: evenly(-3, 3, 9), way: evenly(0, 1, 7), rows: 8 };
const MINUS = /^-/;
const NAMES = { dimensions: 96, between: 150 }; // px for the names of rows

export class Blocks {
  /** `view` says what is chosen: mode, base, to, axes, and the subjects that are ready. */
  constructor(view) {
    this.view = view;
  }

  /** How much of it: fewer and larger images in a lecture hall. */
  get extent() {
    return "present" in this.view.root.dataset ? PRESENTED : USUAL;
  }

  /** What the sheet shows; null where images cannot be had. `told` hears of the share that is there. */
  async make(told) {
    const make = { manifold: () => this.#manifolds(told), dimensions: () => this.#rows(told), between: () => this.#ways(told) };
    try {
      return await make[this.view.mode]();
    } catch (error) {
      if (error instanceof Undecoded) return null;
      throw error;
    }
  }

  async #manifolds(told) {
    const { ready, quantiles } = this.view;
    const values = quantiles[ready.length > 1 ? 0 : 1];
    const shares = ready.map(() => 0);
    return Promise.all(ready.map((subject, i) => this.#manifold(subject, values, (share) => {
      shares[i] = share;
      told(shares.reduce((sum, each) => sum + each) / ready.length);
    })));
  }

  async #manifold(subject, values, told) {
    const axes = this.axesOf(subject);
    const grid = manifold(subject.codeOf(this.view.base), axes, values);
    if (subject.plane) return this.#net(subject, grid, axes);
    const images = await decoded(subject, grid.flat(), told);
    const names = axes.map(unitName);
    const rows = grid.map((codes, r) => ({
      subject,
      codes,
      tiles: part(images, r * values.length, values.length),
      name: "",
      says: (i) => axes.map((axis, k) => `${names[k]} = ${coordinate(codes[i][axis])}`).join("   "),
    }));
    const foot = names[1] ? `${names[0]} across, ${names[1]} up` : names[0];
    return { title: this.#title(subject), color: subject.run.color, rows, foot: `${foot}, at quantiles of N(0, 1)` };
  }

  /** Where a grid of codes comes to lie among the data, where those are points. */
  #net(subject, grid, axes) {
    const { decoder, codes, run } = subject;
    const names = axes.map(unitName).join(" and ");
    return {
      title: this.#title(subject),
      color: run.color,
      rows: [],
      foot: `Lines of equal ${names} at quantiles of N(0, 1), as they are decoded among held-out points`,
      net: {
        net: grid.map((row) => row.map((z) => decoder.decode(z))),
        span: decoder.span,
        groups: [{ name: "", points: codes.points, color: this.view.theme.muted }],
      },
    };
  }

  async #rows(told) {
    const { stops, rows: room } = this.extent;
    const each = Math.max(1, Math.floor(room / this.view.ready.length));
    const most = Math.max(...this.view.ready.map(({ dimensions }) => Math.min(dimensions, each)));
    const several = this.view.ready.length > 1;
    const rows = [];
    for (let rank = 0; rank < most; rank++) {
      for (const [i, subject] of this.view.ready.entries()) {
        const dimension = subject.order[rank];
        if (dimension === undefined) continue;
        told((rank + i / this.view.ready.length) / most);
        const codes = along(subject.codeOf(this.view.base), dimension, stops);
        const name = unitName(dimension);
        rows.push({
          subject,
          codes,
          tiles: await decoded(subject, codes),
          name,
          note: `${number(subject.codes.kl[dimension], 2)} nats`,
          glyph: several && subject.run.glyph,
          color: subject.run.color,
          opens: several && i === 0,
          says: (k) => `${name} = ${coordinate(stops[k])}`,
        });
      }
    }
    const heads = stops.map((value) => String(value).replace(MINUS, "−"));
    const title = several ? "" : this.#title(this.view.first);
    return [{ title, color: this.view.first.run.color, label: NAMES.dimensions, heads, rows, foot: this.#rest(most) }];
  }

  /** What the dimensions carry that are not shown. */
  #rest(shown) {
    const { order, codes, dimensions } = this.view.first;
    const rest = dimensions - shown;
    if (this.view.ready.length > 1 || rest <= 0) return "";
    return `${rest === 1 ? "1 more dimension" : `${rest} more dimensions`}, at most ${number(codes.kl[order[shown]], 2)} nats each`;
  }

  async #ways(told) {
    const { way: shares } = this.extent;
    const several = this.view.ready.length > 1;
    const rows = [];
    for (const subject of this.view.ready) {
      const [a, b] = [subject.codeOf(this.view.base), subject.codeOf({ image: this.view.to })];
      for (const [name, way] of [["straight", straight], ["spherical", spherical]]) {
        told(rows.length / (2 * this.view.ready.length));
        const codes = shares.map((t) => way(a, b, t));
        const images = await decoded(subject, codes);
        const ends = [this.view.base.z ? null : this.view.base.image, this.view.to].map((image) =>
          image == null || image >= subject.images ? null : subject.original(image));
        const tiles = together([ends[0] ?? part(images, 0, 1), images, ends[1] ?? part(images, shares.length - 1, 1)]);
        rows.push({
          subject,
          codes: [null, ...codes, null],
          tiles,
          name,
          note: several ? subject.run.name : "",
          glyph: several && subject.run.glyph,
          color: subject.run.color,
          opens: several && name === "straight",
          says: (i) => (codes[i - 1] ? `t = ${number(shares[i - 1], 2)}   ‖z‖ = ${number(norm(codes[i - 1]))}` : "the original"),
        });
      }
    }
    const heads = ["x", ...shares.map((t) => number(t, 2)), "x"];
    return [{ title: several ? "" : this.#title(this.view.first), color: this.view.first.run.color, label: NAMES.between, heads, rows }];
  }

  #title({ run }) {
    return `${run.glyph} ${run.name}${run.objective ? `  ${run.objective}` : ""}`;
  }

  /** The dimensions of a manifold: the chosen ones, else those of the highest rate. */
  axesOf({ dimensions, order }) {
    if (dimensions <= 2) return Array.from({ length: dimensions }, (_, i) => i);
    const fit = this.view.axes?.every((axis) => axis < dimensions);
    return fit ? this.view.axes : order.slice(0, 2);
  }
}

/** Images that neither the browser nor the server can decode now. */
class Undecoded extends Error {}

async function decoded(subject, codes, told) {
  const images = await subject.paint(codes, told);
  if (!images) throw new Undecoded();
  return images;
}

/** Some images of several. */
function part({ shape: [, ...size], data }, from, length) {
  const each = size.reduce((product, n) => product * n, 1);
  return { shape: [length, ...size], data: data.subarray(from * each, (from + length) * each) };
}
