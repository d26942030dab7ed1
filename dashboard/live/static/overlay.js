/** What the run's divergence sees, beside the codes: a map, colours of points, arrows, histograms. */

import { coordinate, number, tick } from "./format.js";
import { roundUp } from "./frame.js";
import { Heat } from "./heat.js";
import { write } from "./strip.js";
import { css, mix } from "./theme.js";

const LONGEST = 28; // px of an arrow as long as the range
const SHRUNK = 0.45; // share of the range below which values get another
const SHADES = 10; // of points, on each side of zero
const GAP = 4; // px between the key and the rim of the plane
const RESET = 28; // px that the button "Show all" takes
const STAYS = 0.5; // share of the codes covered below which another corner is better
const SIDES =
  "Red: too many codes; blue: too few. They are draws from q(z|x), not the means shown.";
const SAYINGS = {
  field: SIDES,
  points: `${SIDES} Of more than two dimensions a plane has no map: the points take the colour.`,
  flow: "Arrows show where codes at these places are pushed.",
  scores: "The less the two overlap, the better the critic tells what a code is of.",
};

export class Overlay {
  /** The parts of the plane's `section`; `toggled()` hears that the button was pressed. */
  constructor(section, theme, toggled) {
    const find = (selector) => section.querySelector(selector);
    this.theme = theme;
    this.button = find(".sees");
    this.button.onclick = toggled;
    this.key = find(".key");
    this.help = find(".sight");
    this.heat = new Heat();
    this.quantities = {}; // what the run says of its terms
    this.sight = null;
    this.on = false;
    this.corner = 0; // of the key, from the top left
  }

  /** What a snapshot's term sees, with a range for its values that changes as rarely as may be. */
  take(sight) {
    const { term, kind, range } = this.sight ?? {};
    const before = term === sight?.term && kind === sight?.kind ? range : 0;
    const enough = before && sight.scale <= before && sight.scale > SHRUNK * before;
    this.sight = sight && { ...sight, range: enough ? before : roundUp(sight.scale || 1) };
    return this.sight;
  }

  /** Say in the button and in the help what is seen, and whether it is shown. */
  refresh(on) {
    const { button, help, sight } = this;
    this.on = on;
    button.hidden = help.hidden = !sight;
    button.setAttribute("aria-pressed", on);
    if (!sight) return;
    const symbol = this.#symbol;
    write(button.querySelector("b"), symbol);
    button.setAttribute("aria-label", `What ${symbol} sees`);
    write(help.querySelector("b"), `What ${symbol} sees`);
    const said = this.quantities[sight.term]?.sight;
    write(help.querySelector("span"), `${said ? `: ${said}` : ""}. ${SAYINGS[sight.kind]}`);
  }

  /** What is seen in words, on axes of these names. */
  describe(names) {
    if (!this.on || !this.sight) return "";
    const { kind, scale, bound, means, values } = this.sight;
    const begin = ` What ${this.#symbol} sees: `;
    if (kind === "scores") {
      const [together, apart] = means.map((mean) => number(mean));
      return `${begin}critic's mean output ${together} on pairs together, ${apart} on pairs apart; ${this.#bound(bound)}.`;
    }
    const size = number(scale);
    if (kind === "flow") return `${begin}pushes of up to ${size} along ${names.join(" and ")}.`;
    const ends = `from −${size}, too few codes, to ${size}, too many`;
    if (kind === "points") return `${begin}${ends}, by the points' colours.`;
    const [most, least] = [1, -1].map((sign) => this.#extreme(values[0], sign));
    return `${begin}${ends}; most at ${most}, least at ${least}.`;
  }

  // Drawing. `sight` is on the way from the last one to the present one.

  /** Behind the codes: the map. */
  drawBehind(context, frame, sight) {
    if (sight.kind === "field") this.heat.draw(context, frame, sight, this.theme);
  }

  /** Colours of points, and the index of that of point i; null where they keep their own. */
  shades({ kind, values, range }) {
    if (kind !== "points") return null;
    const { few, many, paper, ink } = this.theme;
    const neutral = mix(paper, ink, 0.3);
    const shade = (share) => css(mix(neutral, share < 0 ? few : many, Math.abs(share)));
    const side = Array.from({ length: 2 * SHADES + 1 }, (_, i) => shade(i / SHADES - 1));
    const place = (value) => Math.min(Math.max((value || 0) / range, -1), 1); // 0 for NaN
    return { colors: side, of: (i) => Math.round(SHADES * (1 + place(values[0][i]))) };
  }

  /** Above the codes: arrows at those that `each(visit)` visits with their pixels. */
  drawAbove(context, sight, each) {
    if (sight.kind !== "flow") return;
    const arrows = new Map(Array.from(sight.pushed, (i, k) => [i, k]));
    const pixels = LONGEST / sight.range;
    context.beginPath();
    each((i, x, y) => {
      if (!arrows.has(i)) return;
      const [dx, dy] = [0, 1].map((axis) => (sight.values[axis]?.[arrows.get(i)] ?? 0) * pixels);
      arrow(context, x, y, dx, -dy);
    });
    context.lineCap = context.lineJoin = "round";
    const { background, text } = this.theme;
    for (const [width, color] of [[3.5, background], [1.25, text]]) {
      context.lineWidth = width;
      context.strokeStyle = color;
      context.stroke();
    }
    context.lineCap = "butt";
  }

  /** Say in the key what is drawn; null hides it. */
  explain(sight) {
    const { key } = this;
    key.hidden = !sight;
    if (!sight) return;
    key.dataset.kind = sight.kind === "points" ? "field" : sight.kind;
    const say = (selector, text) => write(key.querySelector(selector), text);
    if (sight.kind === "scores") {
      const [low, high] = sight.ends;
      const highest = Math.max(...sight.values.flatMap((shares) => [...shares]));
      for (const [i, name] of ["together", "apart"].entries()) {
        key.querySelector(`.${name}`).setAttribute("d", outline(sight.values[i], highest));
      }
      say(".least", tick(low, (high - low) / 10));
      say(".most", tick(high, (high - low) / 10));
      say(".bound", this.#bound(sight.bound));
      return;
    }
    const size = tick(this.sight.range, this.sight.range);
    say(".length", `|φ| = ${size}`);
    say(".low", `−${size}`);
    say(".high", size);
    const colors = sight.kind === "points" ? this.shades(sight).colors : this.heat.colors(this.theme);
    key.querySelector(".ramp").style.background = `linear-gradient(to right, ${colors.join()})`;
  }

  /** Put the key into the corner of `box` where it covers the fewest codes that `each(visit)` visits. */
  place({ left, right, top, bottom }, lowered, each) {
    const { key } = this;
    if (key.hidden) return;
    const { offsetWidth: w, offsetHeight: h } = key;
    const [x0, x1, y1] = [left + GAP, right - w - GAP, bottom - h - GAP];
    const y0 = top + GAP;
    const corners = [[x0, y0], [x1, lowered ? y0 + RESET : y0], [x0, y1], [x1, y1]];
    const covered = corners.map(() => 0);
    each((i, x, y) => {
      for (const [k, [cx, cy]] of corners.entries()) {
        if (x >= cx && x <= cx + w && y >= cy && y <= cy + h) covered[k] += 1;
      }
    });
    const best = covered.indexOf(Math.min(...covered));
    if (covered[best] < STAYS * covered[this.corner]) this.corner = best;
    const [x, y] = corners[this.corner];
    key.style.transform = `translate(${x}px, ${y}px)`;
    Object.assign(key.dataset, { corner: this.corner, covered: covered.join() });
  }

  get #symbol() {
    const { term } = this.sight;
    return (this.quantities[term]?.label ?? term).split("(")[0];
  }

  /** The bound with its unit. */
  #bound(value) {
    const { label, unit } = this.quantities[this.sight.term] ?? { label: "bound", unit: "" };
    return `${label} = ${number(value)} ${unit.replace(/ per (image|point)|no unit/, "")}`.trim();
  }

  /** The place of the largest value of a map, or of the smallest where the sign is -1. */
  #extreme(values, sign) {
    const { places, reach } = this.sight;
    const size = (i) => (Number.isNaN(values[i]) ? -Infinity : sign * values[i]);
    let best = 0;
    values.forEach((_, i) => (best = size(i) > size(best) ? i : best));
    const indices = places.length === 1 ? [best] : [Math.floor(best / places[1]), best % places[1]];
    return indices.map((i, k) => coordinate((2 * i * reach) / (places[k] - 1) - reach)).join(", ");
  }
}

function arrow(context, x, y, dx, dy) {
  const length = Math.hypot(dx, dy);
  if (!(length > 1)) return;
  const head = Math.min(4.5, length / 2) / length;
  const [tx, ty] = [x + dx, y + dy];
  context.moveTo(x, y);
  context.lineTo(tx, ty);
  for (const side of [-0.6, 0.6]) {
    context.moveTo(tx, ty);
    context.lineTo(tx - head * (dx - side * dy), ty - head * (dy + side * dx));
  }
}

/** A histogram's outline as a path in a box of 100 by 100. */
function outline(shares, highest) {
  const wide = 100 / shares.length;
  const steps = Array.from(shares, (share, i) => {
    const y = 100 - (98 * share) / (highest || 1);
    return `L${(i * wide).toFixed(2)} ${y.toFixed(2)}H${((i + 1) * wide).toFixed(2)}`;
  });
  return `M0 100${steps.join("")}L100 100`;
}
