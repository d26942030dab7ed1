/** Entry: one Plane for each mounted component, however often Streamlit calls. */

import { helpStyle } from "../live/help.js";
import { Plane } from "./plane.js";

const style = new CSSStyleSheet();
style.replaceSync(await (await fetch(new URL("family.css", import.meta.url))).text());

/** Called by Streamlit on mounting, on new data and on a change of theme. */
export function mount({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".family");
  const plane = JSON.parse(data.plane);
  if (!(root.plane instanceof Plane)) {
    parentElement.adoptedStyleSheets = [style, helpStyle];
    root.plane = new Plane(root, plane);
  }
  root.plane.update(plane, (choice) => setTriggerValue("picked", choice));
}
