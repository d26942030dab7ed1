/** A view as high as the window leaves room for, so that nothing needs to be scrolled. */

const LOWEST = 560; // px
const HIGHEST = 1100;
const STACKED = 640; // px of width up to which the style sheet stacks the panels
const MARGIN = 16; // px that the view leaves free at the window's bottom

/** Fill what the window leaves below the top of `root`; `height` is how high it is to be instead. */
export function fit(root, height = null) {
  const scrolled = scroller(root)?.scrollTop ?? 0;
  const top = root.getBoundingClientRect().top + scrolled;
  const free = Math.round(window.innerHeight - top - MARGIN);
  const fitting = height ?? Math.min(Math.max(free, LOWEST), HIGHEST);
  const wanted = root.clientWidth > STACKED ? `${fitting}px` : "auto";
  if (root.style.getPropertyValue("--height") !== wanted) root.style.setProperty("--height", wanted);
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
