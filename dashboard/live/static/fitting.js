/** A view as high as the window leaves room for. */

import { enlarged } from "./surface.js";

const LOWEST = 560; // px
const HIGHEST = 1100;
const PRESENTED = [200, Infinity]; // the same in a lecture hall, where it is enlarged
const MARGIN = 16; // px that the view leaves free at the window's bottom

export class Fitting {
  /**
   * Views up to `stacked` px wide are as high as they like. `resized()` hears of the window's new
   * size; `height`, where it is set, is taken in place of what there is room for.
   */
  constructor(root, stacked, resized = () => {}) {
    Object.assign(this, { root, stacked, height: null });
    this.onresize = () => {
      this.fit();
      resized();
    };
    window.addEventListener("resize", this.onresize);
  }

  close() {
    window.removeEventListener("resize", this.onresize);
  }

  /** Fill what the window leaves below the view's top, so that nothing needs to be scrolled. */
  fit() {
    const scrolled = scroller(this.root)?.scrollTop ?? 0;
    const top = this.root.getBoundingClientRect().top + scrolled;
    const free = Math.floor((window.innerHeight - top - MARGIN) / enlarged(this.root));
    const presented = "present" in this.root.dataset;
    const [lowest, highest] = presented ? PRESENTED : [LOWEST, HIGHEST];
    const fitting = (!presented && this.height) || Math.min(Math.max(free, lowest), highest);
    const height = presented || this.root.clientWidth > this.stacked ? `${fitting}px` : "auto";
    if (this.fitted === height) return;
    this.fitted = height;
    this.root.style.setProperty("--height", height);
  }
}

/** The element that scrolls the page under `node`, which may lie in a shadow tree. */
function scroller(node) {
  for (let at = node; at; at = at.parentElement ?? at.getRootNode().host) {
    if (at.scrollHeight > at.clientHeight && /auto|scroll/.test(getComputedStyle(at).overflowY)) {
      return at;
    }
  }
  return null;
}
