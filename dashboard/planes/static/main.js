/** Entry: the latent planes of several runs. */

import { helpStyle } from "../live/help.js";
import { mounting, styleFrom } from "../live/mounting.js";
import { Planes } from "./planes.js";

const sheets = ["../live/live.css", "../live/scrubber.css", "../live/saving.css", "planes.css"];
const styles = sheets.map((name) => styleFrom(name, import.meta.url));

export const mount = mounting(Planes, [...(await Promise.all(styles)), helpStyle]);
