/** Entry: the latent planes of several runs. */

import { mounting, styleFrom } from "../live/mounting.js";
import { Planes } from "./planes.js";

const styles = ["../live/live.css", "planes.css"].map((name) => styleFrom(name, import.meta.url));

export const mount = mounting(Planes, await Promise.all(styles));
