/** The page's colours, read from Streamlit's variables, for canvases that know no CSS. */

const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

/** Violet, ochre, teal, umber: hues that mean no objective, apart for every colour vision. */
const TERMS = {
  light: ["#6a51a3", "#a66d00", "#0e7c8b", "#8c4a3c"],
  dark: ["#b3a2e0", "#e0b04a", "#63c3d1", "#d69a86"],
};

/** What a saved picture stands on, whatever the page does. */
const PRINT = { ink: [20, 24, 29], paper: [255, 255, 255] };

/** Blue and red that stay apart for every colour vision: too little and too much of something. */
const SIDES = { light: [[33, 102, 172], [178, 24, 43]], dark: [[103, 169, 207], [244, 109, 97]] };

export class Theme {
  constructor(element) {
    this.element = element;
    this.read();
  }

  /** Read the colours anew. */
  read() {
    const style = getComputedStyle(this.element);
    const variable = (name, otherwise) =>
      style.getPropertyValue(`--st-${name}`).trim() || otherwise;
    this.font = variable("font", "sans-serif");
    this.accent = variable("primary-color", "#2c4a7e");
    this.page = {
      ink: rgb(variable("text-color", "#31333f")),
      paper: rgb(variable("background-color", "#ffffff")),
    };
    this.#be(this.page);
    this.element.style.colorScheme = this.dark ? "dark" : "light"; // of sliders and menus
  }

  /** What `draw()` gives while the colours are those of a printed page; it is to draw at once. */
  onPaper(draw) {
    this.#be(PRINT);
    try {
      return draw();
    } finally {
      this.#be(this.page);
    }
  }

  #be({ ink, paper }) {
    Object.assign(this, { ink, paper });
    this.dark = luminance(this.paper) < luminance(this.ink);
    const scheme = this.dark ? "dark" : "light";
    this.alarm = this.dark ? "#e5a50a" : "#b35900";
    this.terms = TERMS[scheme];
    [this.few, this.many] = SIDES[scheme];
    this.text = css(this.ink);
    this.background = css(this.paper);
    this.muted = css(mix(this.paper, this.ink, 0.66));
    this.line = css(mix(this.paper, this.ink, 0.28));
    this.grid = css(mix(this.paper, this.ink, 0.09));
    this.tile = mix(this.paper, this.ink, 0.045);
  }

  /** A colour of the run's quantities: the total is the text's, the terms have their own. */
  quantity(index) {
    return index === 0 ? this.text : this.terms[(index - 1) % this.terms.length];
  }

  /** A CSS font of so many pixels. */
  face(size, weight = 400) {
    return `${weight} ${size}px ${this.font}`;
  }
}

const known = new Map();

/** Any CSS colour as [red, green, blue]. */
export function rgb(color) {
  if (!known.has(color)) {
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = color;
    probe.fillRect(0, 0, 1, 1);
    known.set(color, [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)]);
  }
  return known.get(color);
}

export const mix = (a, b, share) => a.map((value, i) => Math.round(value + (b[i] - value) * share));

export const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;

const luminance = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
