/** How Streamlit mounts a view: one for each component in the page, however often it calls. */

/** The function to export as `mount`: shows a `View` in the component's .lab, styled by `sheets`. */
export async function mounting(View, ...sheets) {
  const styles = await Promise.all(sheets.map(styleOf));

  /** Called on mounting, on new data and on a change of theme. */
  return function mount({ parentElement, data, setStateValue }) {
    const root = parentElement.querySelector(".lab");
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

async function styleOf(name) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(await (await fetch(new URL(name, import.meta.url))).text());
  return sheet;
}
