/** Help texts: each opens beside its button. */

const WIDTH = 300; // px, as in the style sheets
const MENU = 190;
const MARGIN = 8;

export const helpStyle = new CSSStyleSheet();
helpStyle.replaceSync(await (await fetch(new URL("help.css", import.meta.url))).text());

/** Open each help text and menu within `root` below its button, or above it in the window's lower half. */
export function placeHelp(root) {
  for (const button of root.querySelectorAll(".help, .save")) {
    const help = button.popoverTargetElement;
    help.onbeforetoggle = () => {
      const { left, top, bottom } = button.getBoundingClientRect();
      const { innerWidth, innerHeight } = window;
      const below = top < innerHeight / 2;
      const width = button.matches(".save") ? MENU : WIDTH;
      help.style.left = `${Math.max(MARGIN, Math.min(left - MARGIN, innerWidth - width - MARGIN))}px`;
      help.style.top = below ? `${bottom + 6}px` : "auto";
      help.style.bottom = below ? "auto" : `${innerHeight - top + 6}px`;
    };
  }
}
