/** What a drag over a canvas encloses. */

const NEAR = 10; // px within which a click finds a point
const CLICK = 4; // px up to which a drag is a click

export class Lasso {
  /** `mode` is "lasso" or "box"; `at` is where the drag begins, in pixels. */
  constructor(mode, at) {
    this.mode = mode;
    this.places = [at];
  }

  move(at) {
    if (this.mode === "lasso") this.places.push(at);
    else this.places[1] = at;
  }

  /** Whether it has enclosed nothing. */
  get isClick() {
    const [[x, y]] = this.places;
    return this.places.every(([px, py]) => Math.hypot(px - x, py - y) <= CLICK);
  }

  /** Its corners, as a path that closes itself. */
  get outline() {
    if (this.mode === "lasso" || this.places.length < 2) return this.places;
    const [[x0, y0], [x1, y1]] = this.places;
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
  }

  /** Indices of the points inside, of those that `each(visit)` visits with (i, x, y). */
  enclosed(each) {
    if (this.isClick) {
      const i = nearest(each, this.places[0], NEAR);
      return i === null ? [] : [i];
    }
    const { outline } = this;
    const found = [];
    each((i, x, y) => {
      if (encloses(outline, x, y)) found.push(i);
    });
    return found;
  }

  draw(context, theme) {
    context.beginPath();
    for (const [x, y] of this.outline) context.lineTo(x, y);
    context.closePath();
    context.fillStyle = theme.text;
    context.globalAlpha = 0.07;
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = theme.text;
    context.lineWidth = 1.25;
    context.stroke();
  }
}

/** The point nearest to a place, or null where all are farther than `within`. */
export function nearest(each, [px, py], within) {
  let [best, least] = [null, within * within];
  each((i, x, y) => {
    const distance = (x - px) ** 2 + (y - py) ** 2;
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}

/** Whether a polygon holds a place: by the number of its sides on the way there from the left. */
function encloses(corners, x, y) {
  let inside = false;
  let [x0, y0] = corners.at(-1);
  for (const [x1, y1] of corners) {
    if (y0 > y !== y1 > y && x < x0 + ((y - y0) / (y1 - y0)) * (x1 - x0)) inside = !inside;
    [x0, y0] = [x1, y1];
  }
  return inside;
}
