/** Entry: a study of estimators. */

import { helpStyle } from "../live/help.js";
import { mounting, styleFrom } from "../live/mounting.js";
import { Study } from "./study.js";

const styles = ["../live/live.css", "../live/saving.css", "study.css"].map((name) => styleFrom(name, import.meta.url));

export const mount = mounting(Study, [...(await Promise.all(styles)), helpStyle]);
