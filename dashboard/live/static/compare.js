/** Entry of the planes side by side: one Planes for each mounted component. */

import { Planes } from "./planes.js";

const styles = await Promise.all(
  ["live.css", "compare.css"].map(async (name) => {
    const style = new CSSStyleSheet();
    style.replaceSync(await (await fetch(new URL(name, import.meta.url))).text());
    return style;
  }),
);

/** Called by Streamlit on mounting, on new data and on a change of theme. */
export function mount({ parentElement, data }) {
  const root = parentElement.querySelector(".lab");
  if (!(root.view instanceof Planes)) {
    root.view?.close(); // that of an older version of these files
    parentElement.adoptedStyleSheets = styles;
    root.view = new Planes(root);
  }
  const { view } = root;
  view.update(data);
  return () => {
    // Also called when a later call overtakes this one: then the view is still in the page.
    if (!root.isConnected) view.close();
  };
}
