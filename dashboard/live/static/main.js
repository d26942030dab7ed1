/** Entry: the live view of a run. */

import { helpStyle } from "./help.js";
import { mounting, styleFrom } from "./mounting.js";
import { View } from "./view.js";

export const mount = mounting(View, [await styleFrom("live.css", import.meta.url), helpStyle]);
