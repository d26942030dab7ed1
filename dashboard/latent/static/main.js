/** Entry: the latent space of a run. */

import { helpStyle } from "../live/help.js";
import { mounting, styleFrom } from "../live/mounting.js";
import { Latent } from "./latent.js";

const styles = ["live", "scrubber", "saving"]
  .map((name) => `../live/${name}.css`)
  .concat("latent.css")
  .map((name) => styleFrom(name, import.meta.url));

export const mount = mounting(Latent, [...(await Promise.all(styles)), helpStyle]);
