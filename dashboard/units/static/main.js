/** Entry: the units of a run. */

import { helpStyle } from "../live/help.js";
import { mounting, styleFrom } from "../live/mounting.js";
import { Units } from "./units.js";

const styles = ["../live/live.css", "../live/saving.css", "units.css"].map((name) => styleFrom(name, import.meta.url));

export const mount = mounting(Units, [...(await Promise.all(styles)), helpStyle]);
