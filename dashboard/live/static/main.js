/** Entry: the live view of a run. */

import { helpStyle } from "./help.js";
import { mounting, styleFrom } from "./mounting.js";
import { View } from "./view.js";

const styles = ["live.css", "scrubber.css", "saving.css"].map((name) => styleFrom(name, import.meta.url));

export const mount = mounting(View, [...(await Promise.all(styles)), helpStyle]);
