/** How Streamlit mounts a view: one for each component in the page, however often it calls. */

/** The function to export as `mount`: shows a `View` in the component's .lab, in these styles. */
export function mounting(View, styles) {
  /** Called on mounting, on new data and on a change of theme. */
  return function mount({ parentElement, data, setStateValue }) {
    const root = parentElement.querySelector(".lab");
    mirror(root);
    if (!(root.view instanceof View)) {
      root.view?.close(); // that of an older version of these files
      parentElement.adoptedStyleSheets = styles;
      root.view = new View(root);
    }
    const { view } = root;
    view.update(data, setStateValue);
    return () => {
      // Also called when a later call overtakes this one: then the view is still in the page.
      if (!root.isConnected) view.close();
    };
  };
}

const roots = new Set();
const mark = (root) => root.toggleAttribute("data-present", "present" in document.documentElement.dataset);

new MutationObserver(() => {
  for (const root of roots) {
    if (root.isConnected) mark(root);
    else roots.delete(root);
  }
}).observe(document.documentElement, { attributeFilter: ["data-present"] });

/** Say on the root of a view, too, that the page is presented: style sheets see no farther. */
function mirror(root) {
  roots.add(root);
  mark(root);
}

/** The style sheet at an address that is relative to a module's. */
export const styleFrom = async (address, module) => {
  const style = new CSSStyleSheet();
  style.replaceSync(await (await fetch(new URL(address, module))).text());
  return style;
};
