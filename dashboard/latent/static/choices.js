/** What can be chosen on the page, and how the address says it. */

import { numbersOf, oneOf, plane, spell, unspell, VIEW, whole, WHOLE, WORDS } from "../live/address.js";

/** `at` is a place on the plane, `view` what of it is in view, `select` numbers of images of the split. */
export const CHOICES = {
  step: WHOLE,
  plane: plane(),
  split: oneOf(["test", "train"]),
  codes: oneOf(["means", "draws", "ellipses", "pictures", "none"]),
  field: oneOf(["contours", "difference", "none"]),
  rest: oneOf(["zero", "nearest", "focus"]),
  unit: {
    usual: null,
    read: (text) => (whole(text) ? whole(text) - 1 : null), // numbered from 1, as on the page
    write: (unit) => String(unit + 1),
  },
  at: { ...numbersOf(1, 2), passing: true },
  view: VIEW,
  select: { usual: null, read: unspell, write: spell },
  focus: WHOLE,
  hidden: WORDS,
};
