/** What the items of a run's data are called. Older runs do not say it. */

import { write } from "./strip.js";

/** Many of them, digits or faces; and one, an image or a point. */
export const nounOf = (about) => about?.noun ?? "images";
export const oneOf = (about) => (about?.kind === "points" ? "point" : "image");

/** A place for either in a text of the page. */
export const MANY = `<span data-noun="many">images</span>`;
export const ONE = `<span data-noun="one">image</span>`;

/** A text of the page without its elements, for attributes. */
export const bare = (html) => html.replace(/<[^>]*>/g, "");

/** Have the texts within `root` say what the data are. */
export function nameItems(root, about) {
  for (const place of root.querySelectorAll("[data-noun]")) {
    write(place, place.dataset.noun === "many" ? nounOf(about) : oneOf(about));
  }
  for (const button of root.querySelectorAll(".help")) {
    const title = button.parentElement.querySelector("h3")?.textContent;
    if (title) button.setAttribute("aria-label", `Help: ${title}`);
  }
}
