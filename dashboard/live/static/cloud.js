/** The codes of a snapshot, moving from where they were drawn last to where they are now. */

const DURATION = 350; // ms
const FRAME = 40; // ms between pictures: smooth enough, at a part of the cost of every frame

const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Cloud {
  /** `changed()` is called for every picture to be drawn. */
  constructor(changed) {
    this.changed = changed;
    this.clear();
  }

  clear() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    Object.assign(this, { labels: [], splits: [], origin: null, target: null });
    this.#be({ points: [], centers: null, density: null, sight: null, reach: 1, width: 1, spread: 0 });
  }

  get count() {
    return this.labels.length;
  }

  /**
   * Go to the codes of `snapshot`, in a frame of that `reach`, with so many classes: evenly in so
   * many `ms`, where that is given, as one step of a film.
   */
  go(snapshot, reach, classes, ms = 0) {
    const { points, labels, splits, density, sight, width } = snapshot;
    const same = points.length === this.points.length && labels.length === this.count;
    this.labels = labels;
    this.splits = splits;
    const centers = medians(points, labels, classes);
    const spread = Math.max(...points.map(range));
    this.target = { points, centers, density, sight, reach, width, spread };
    this.origin = same && !still.matches ? this.shape : this.target;
    this.started = performance.now();
    this.duration = ms || DURATION;
    this.eased = ms ? (share) => share : (share) => 1 - (1 - share) ** 3;
    this.#settle(0);
    if (this.origin !== this.target) this.#next();
    this.changed();
  }

  close() {
    cancelAnimationFrame(this.frame);
  }

  #next() {
    this.frame ||= requestAnimationFrame((now) => this.#move(now));
  }

  #move(now) {
    this.frame = 0;
    const passed = Math.min(1, (now - this.started) / this.duration);
    if (passed === 1 || now - (this.drawn ?? 0) >= FRAME) {
      this.drawn = now;
      this.#settle(this.eased(passed));
      this.changed();
    }
    if (passed < 1) this.#next();
  }

  /** Be the given share of the way from origin to target. */
  #settle(share) {
    const { origin, target } = this;
    if (share === 1 || origin === target) {
      this.#be(target);
      return;
    }
    const number = (name) => origin[name] + (target[name] - origin[name]) * share;
    const axes = (name) => target[name].map((axis, i) => blend(origin[name][i], axis, share));
    this.#be({
      points: axes("points"),
      centers: axes("centers"),
      density: target.density && blend(origin.density, target.density, share),
      sight: between(origin.sight, target.sight, share),
      reach: number("reach"),
      width: number("width"),
      spread: number("spread"),
    });
  }

  #be(shape) {
    this.shape = shape;
    Object.assign(this, shape);
  }
}

function blend(a, b, share) {
  return b.map((value, i) => a[i] + (value - a[i]) * share);
}

/** What a term sees, on the way; what is of another kind is there at once. */
function between(a, b, share) {
  const sizes = (sight) => [sight?.kind, ...(sight?.values ?? []).map((axis) => axis.length)].join();
  if (!a || !b || sizes(a) !== sizes(b)) return b;
  const number = (name) => a[name] + (b[name] - a[name]) * share;
  const values = b.values.map((axis, i) => blend(a.values[i], axis, share));
  return { ...b, values, reach: number("reach"), range: number("range") };
}

/** The distance between the 5th and the 95th hundredth of the values. */
export function range(values) {
  const sorted = values.filter(Number.isFinite).sort();
  const at = (share) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return at(0.95) - at(0.05);
}

/** Median code of each class, an array for each axis. */
export function medians(points, labels, classes) {
  const members = Array.from({ length: classes }, () => []);
  labels.forEach((label, i) => members[label]?.push(i));
  return points.map((axis) =>
    Float32Array.from(members, (indices) => {
      const sorted = Float32Array.from(indices, (i) => axis[i]).sort();
      return sorted[sorted.length >> 1] ?? NaN;
    }),
  );
}
