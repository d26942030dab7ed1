/** Entry: the latent space of a run. */

import { helpStyle } from "../live/help.js";
import { mounting, styleFrom } from "../live/mounting.js";
import { Latent } from "./latent.js";

const sheets = ["../live/live.css", "../live/scrubber.css", "../live/saving.css", "latent.css"];
const styles = sheets.map((name) => styleFrom(name, import.meta.url));

export const mount = mounting(Latent, [...(await Promise.all(styles)), helpStyle]);
