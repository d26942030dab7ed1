/** The table beside a chart: what each estimate comes to, and what is to be known of it. */

import { coordinate, number } from "../live/format.js";
import { LINEAR, LOG } from "../live/scale.js";
import { write } from "../live/strip.js";

const HEAD = `<thead><tr>
  <th scope="col" class="where"></th>
  <th scope="col">nats</th>
  <th scope="col" title="standard deviation">± sd</th>
  <th scope="col" title="mean less exact">bias</th>
</tr></thead>`;

export class Table {
  /** `toggled(name)` hears which line is to be shown or hidden. */
  constructor(element, toggled) {
    this.element = element;
    element.onclick = (event) => {
      const button = event.target.closest("button");
      if (button) toggled(button.dataset.name);
    };
  }

  /** Have a row for each reference and each line of a study; see `Chart.show`. */
  set({ axis, exact, lines, references }) {
    Object.assign(this, { axis, exact, lines, references });
    const key = JSON.stringify([lines, references.map(({ points, ...said }) => said)]);
    if (key === this.key) return;
    this.key = key;
    this.element.innerHTML = HEAD;
    this.where = this.element.querySelector(".where");
    const body = this.element.createTBody();
    this.cells = {};
    for (const said of references) this.#add(body, said, "span");
    for (const said of lines) this.#add(body, said, "button");
  }

  /**
   * Show `values(name)`, [mean, sd], of each line, and the references at the place `at` of the axis
   * below, or at its end; `where` says in words what the values are of.
   */
  show(values, hidden, at, where) {
    write(this.where, where);
    for (const { name, points } of this.references) {
      write(this.cells[name].mean, nats(interpolate(points, at ?? this.axis.high, this.axis.log)));
    }
    for (const { name } of this.lines) {
      const { button, mean, sd, bias } = this.cells[name];
      const [value, spread] = values(name);
      const off = value == null ? value : value - this.exact;
      button.setAttribute("aria-pressed", !hidden.includes(name));
      write(mean, nats(value));
      write(sd, nats(spread));
      write(bias, off > 0 ? `+${nats(off)}` : nats(off));
    }
  }

  #add(body, { name, label, note, color, dashed }, kind) {
    const row = body.insertRow();
    row.dataset.name = name;
    const head = document.createElement("th");
    head.scope = "row";
    const button = document.createElement(kind);
    button.className = "named";
    button.dataset.name = name;
    const swatch = document.createElement("i");
    if (color) swatch.style.setProperty("--color", color);
    swatch.className = dashed ? "dashed" : "";
    button.append(swatch, label);
    const said = document.createElement("small");
    said.textContent = note;
    head.append(button);
    row.append(head);
    const [mean, sd, bias] = [0, 1, 2].map(() => row.insertCell());
    this.cells[name] = { button, mean, sd, bias };
    const remark = body.insertRow();
    remark.className = "remark";
    const cell = remark.insertCell();
    cell.colSpan = 4;
    cell.append(said);
  }
}

/** Two decimals, more than which no estimate deserves; large values as they are elsewhere. */
const nats = (value) => (Math.abs(value) < 100 ? coordinate(value) : number(value));

/** The value at `x` of a line through `points`, straight on the axis as it is drawn. */
function interpolate(points, x, log) {
  const { forward } = log ? LOG : LINEAR;
  const i = Math.max(1, points.findIndex(([right]) => right >= x));
  const [[x0, y0], [x1, y1]] = [points[i - 1], points[i]];
  return y0 + ((y1 - y0) * (forward(x) - forward(x0))) / (forward(x1) - forward(x0));
}
