/** Several figures as one, to be saved: side by side, each below its title. */

import { SvgContext } from "../live/svg.js";

const TITLE = 24; // px
const GAP = 14; // px between figures

export class Beside {
  /** `parts` are { figure, title, color }: the color is that of the title's first sign. */
  constructor(parts, columns, theme) {
    Object.assign(this, { theme });
    const width = Math.max(...parts.map(({ figure }) => figure.width));
    const height = Math.max(...parts.map(({ figure }) => figure.height)) + TITLE;
    this.placed = parts.map((part, i) => ({
      ...part,
      x: (i % columns) * (width + GAP),
      y: Math.floor(i / columns) * (height + GAP),
    }));
    this.width = columns * (width + GAP) - GAP;
    this.height = Math.ceil(parts.length / columns) * (height + GAP) - GAP;
  }

  svg(background) {
    const context = new SvgContext(this.width, this.height, background);
    for (const { figure, x, y, ...said } of this.placed) {
      this.#title(context, x, y, said);
      context.parts.push(figure.svg(background).replace("<svg ", `<svg x="${x}" y="${y + TITLE}" `));
    }
    return context.text;
  }

  canvas(background, scale) {
    const canvas = new OffscreenCanvas(this.width * scale, this.height * scale);
    const context = canvas.getContext("2d");
    context.fillStyle = background;
    context.fillRect(0, 0, canvas.width, canvas.height);
    for (const { figure, x, y, ...said } of this.placed) {
      context.setTransform(scale, 0, 0, scale, 0, 0);
      this.#title(context, x, y, said);
      context.resetTransform();
      context.drawImage(figure.canvas(background, scale), x * scale, (y + TITLE) * scale);
    }
    return canvas;
  }

  #title(context, x, y, { title: [sign, ...rest], color }) {
    context.font = this.theme.face(13, 600);
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillStyle = color;
    context.fillText(sign, x, y + TITLE / 2);
    context.fillStyle = this.theme.text;
    context.fillText(rest.join(""), x + context.measureText(`${sign} `).width, y + TITLE / 2);
  }
}
