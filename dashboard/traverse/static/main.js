/** Entry: traversals of latent space. */

import { helpStyle } from "../live/help.js";
import { mounting, styleFrom } from "../live/mounting.js";
import { Traverse } from "./traverse.js";

const styles = ["../live/live.css", "../live/scrubber.css", "../live/saving.css", "traverse.css"];
const sheets = styles.map((name) => styleFrom(name, import.meta.url));

export const mount = mounting(Traverse, [...(await Promise.all(sheets)), helpStyle]);
