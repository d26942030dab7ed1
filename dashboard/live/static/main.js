/** Entry: the live view of a run. */

import { mounting } from "./mounting.js";
import { View } from "./view.js";

export const mount = await mounting(View, "live.css");
