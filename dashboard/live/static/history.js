/** The rows of a run or a study as columns that a plot can walk through. */

export const SPLITS = ["train", "test"];

export class History {
  constructor(splits = SPLITS) {
    this.splits = splits;
    this.clear();
  }

  clear() {
    this.length = 0;
    this.columns = Object.fromEntries(this.splits.map((split) => [split, { steps: [], values: {} }]));
  }

  /** Append `rows`, the first of which is the run's row number `first`. */
  add(first, rows) {
    if (first !== this.length) this.clear();
    for (const { split, step, values } of rows) {
      const column = this.columns[split];
      if (!column) continue;
      const place = column.steps.push(step) - 1;
      for (const [name, value] of Object.entries(values)) {
        (column.values[name] ??= [])[place] = value;
      }
    }
    this.length = first + rows.length;
  }

  /** The last step of which there is a row, or 0. */
  get last() {
    return Math.max(...this.splits.map((split) => this.columns[split].steps.at(-1) ?? 0));
  }

  /** The newest value of a quantity at or before `step`. */
  value(split, name, step = Infinity) {
    const { steps, values } = this.columns[split];
    return values[name]?.[place(steps, step)];
  }

  /** The steps of the rows of `split`. */
  steps(split) {
    return this.columns[split].steps;
  }
}

/** Index of the last element at or below `x` in an ascending array, or -1. */
export function place(array, x) {
  let [low, high] = [-1, array.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (array[middle] <= x) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The element of an ascending array that is nearest to `x`. */
export function nearest(array, x) {
  const i = Math.max(0, place(array, x));
  const next = array[i + 1];
  return next !== undefined && next - x < x - array[i] ? next : array[i];
}
