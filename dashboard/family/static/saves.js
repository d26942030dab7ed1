/** Saving the plane of objectives: the drawing in the page with its styles written out, and its points. */

import { offersOf, SaveMenu } from "../live/saving.js";
import { css, Theme } from "../live/theme.js";
import { HEIGHT, WIDTH } from "./geometry.js";

const STYLES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-linejoin",
  "paint-order",
  "opacity",
  "font-family",
  "font-size",
  "font-style",
  "font-weight",
];

export class Saves {
  /** `plane` is the view, whose `points` are rows of name, α and λ. */
  constructor(element, root, plane) {
    Object.assign(this, { root, plane });
    const theme = new Theme(root);
    this.theme = theme;
    this.figure = { svg: (background) => this.#svg(background), canvas: (...said) => this.#canvas(...said) };
    new SaveMenu(element, "the plane of objectives", offersOf(this, theme, () => "objectives"), theme);
  }

  /** Nothing is painted ahead. */
  refresh() {}

  numbers() {
    return [["objective", "alpha", "lambda"], ...this.plane.points];
  }

  #svg(background) {
    const { style } = this.root;
    style.setProperty("--st-text-color", css(this.theme.ink));
    style.setProperty("--st-background-color", background);
    try {
      return written(this.root.querySelector("svg"), background);
    } finally {
      style.removeProperty("--st-text-color");
      style.removeProperty("--st-background-color");
    }
  }

  async #canvas(background, scale) {
    const picture = new Image();
    picture.src = `data:image/svg+xml,${encodeURIComponent(this.#svg(background))}`;
    await picture.decode();
    const canvas = new OffscreenCanvas(WIDTH * scale, HEIGHT * scale);
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    return canvas;
  }
}

/** A colour as browsers compute it, as every reader of SVG knows it. */
function plain(value) {
  const parts = /^color\(srgb ([^)]*)\)$/.exec(value)?.[1].split(/[ /]+/).map(Number);
  if (!parts) return value;
  const [r, g, b, alpha = 1] = parts;
  return `rgba(${[r, g, b].map((part) => Math.round(255 * part)).join(", ")}, ${alpha})`;
}

/** A drawing of the page as text that needs no style sheet. */
function written(svg, background) {
  const copy = svg.cloneNode(true);
  const [from, to] = [svg, copy].map((each) => [...each.querySelectorAll("*")]);
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    if (style.display === "none") {
      to[i].remove();
      return;
    }
    for (const name of STYLES) to[i].style.setProperty(name, plain(style.getPropertyValue(name)));
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", WIDTH);
  copy.setAttribute("height", HEIGHT);
  for (const name of ["class", "tabindex", "role", "aria-roledescription", "style"]) copy.removeAttribute(name);
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ width: "100%", height: "100%", fill: background })) {
    paper.setAttribute(name, value);
  }
  copy.prepend(paper);
  return new XMLSerializer().serializeToString(copy);
}
