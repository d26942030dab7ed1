/** Entry: one View for each mounted component, however often Streamlit calls. */

import { View } from "./view.js";

const style = new CSSStyleSheet();
style.replaceSync(await (await fetch(new URL("live.css", import.meta.url))).text());

/** Called by Streamlit on mounting, on new data and on a change of theme. */
export function mount({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".lab");
  if (!(root.view instanceof View)) {
    root.view?.close(); // that of an older version of these files
    parentElement.adoptedStyleSheets = [style];
    root.view = new View(root);
  }
  const { view } = root;
  view.update(data, setStateValue);
  return () => {
    // Also called when a later call overtakes this one: then the view is still in the page.
    if (!root.isConnected) view.close();
  };
}
