/** Entry: one Plane for each mounted component, however often Streamlit calls. */

import { helpStyle } from "../live/help.js";
import { styleFrom } from "../live/mounting.js";
import { Plane } from "./plane.js";

const styles = await Promise.all(["family.css", "../live/saving.css"].map((name) => styleFrom(name, import.meta.url)));

/** Called by Streamlit on mounting, on new data and on a change of theme. */
export function mount({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".family");
  const plane = JSON.parse(data.plane);
  if (!(root.plane instanceof Plane)) {
    parentElement.adoptedStyleSheets = [...styles, helpStyle];
    root.plane = new Plane(root, plane);
  }
  root.plane.update(plane, (choice) => setTriggerValue("picked", choice));
}
