/** What can be chosen on the planes, and how the address says it. */

import { plane, spell, unspell, VIEW, WHOLE, WORDS } from "../live/address.js";
import { indexOf, keyOf, splitOf } from "./linked.js";

/** Of each split the numbers of its images: "0:1.2,1:~AQ". */
const IMAGES = {
  usual: null,
  read: (text) => {
    const keys = text.split(",").map((part) => {
      const [, split, rest] = /^([01]):(.+)$/.exec(part) ?? [];
      return split && unspell(rest)?.map((index) => keyOf(Number(split), index));
    });
    return keys.every(Boolean) ? keys.flat() : null;
  },
  write: (keys) => {
    const of = (split) => keys.filter((key) => splitOf(key) === split).map(indexOf);
    return [0, 1].filter((split) => of(split).length).map((split) => `${split}:${spell(of(split))}`).join();
  },
};

/** `of` names the data of the images selected. */
export const CHOICES = {
  step: WHOLE,
  plane: plane("pca"),
  view: VIEW,
  hidden: WORDS,
  select: IMAGES,
  of: { usual: null, read: (text) => text },
};
