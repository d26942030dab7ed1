/** Entry: the button, the key and the address of the presentation mode. */

const ASKED = "present";
const KEY = "p";
const page = new CSSStyleSheet();
const own = new CSSStyleSheet();
const text = async (name) => (await fetch(new URL(name, import.meta.url))).text();
page.replaceSync(await text("page.css"));
own.replaceSync(await text("button.css"));
document.adoptedStyleSheets = [...document.adoptedStyleSheets, page];

// What a lecture hall is to see of a view, in px at the usual size; the window is enlarged to it.
const [WIDTH, HEIGHT] = [740, 480];

const asks = () => new URLSearchParams(location.search).get(ASKED) === "1";
const isTyping = (event) =>
  event.composedPath()[0].matches?.("input, textarea, select, [contenteditable=true]");

class Presentation {
  constructor(root) {
    root.innerHTML = `<button type="button" title="Larger type and only the plots (P); Escape leaves">
      <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M2 3H14M3 3V11H13V3M8 11V13M5 14.5L8 12.5L11 14.5" /></svg>
      <span>Present</span></button>`;
    this.button = root.querySelector("button");
    this.button.onclick = () => this.set(!this.on);
    this.onkeydown = (event) => this.#press(event);
    this.onpopstate = () => this.set(asks());
    this.onresize = () => this.#size();
    window.addEventListener("keydown", this.onkeydown, true); // before a view takes Escape for itself
    window.addEventListener("popstate", this.onpopstate);
    window.addEventListener("resize", this.onresize);
    this.on = false;
  }

  close() {
    window.removeEventListener("keydown", this.onkeydown, true);
    window.removeEventListener("popstate", this.onpopstate);
    window.removeEventListener("resize", this.onresize);
  }

  /** Turn it on or off, and say so. */
  set(on) {
    if (on === this.on) return;
    this.on = on;
    document.documentElement.toggleAttribute("data-present", on);
    this.button.setAttribute("aria-pressed", on);
    this.#size();
    this.write();
    requestAnimationFrame(() => window.dispatchEvent(new Event("resize"))); // views fill the window
    this.report("on", on);
  }

  /** Put it into the address, beside what else that says. */
  write() {
    const url = new URL(location.href);
    if (asks() === this.on) return;
    if (this.on) url.searchParams.set(ASKED, "1");
    else url.searchParams.delete(ASKED);
    const search = url.search.replaceAll("%2C", ",").replaceAll("%7E", "~");
    history.replaceState(history.state, "", url.pathname + search + url.hash);
  }

  #press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && this.on) {
      event.stopPropagation();
      this.set(false);
    } else if (event.key.toLowerCase() === KEY && !isTyping(event)) {
      this.set(!this.on);
    }
  }

  #size() {
    const factor = Math.max(1, Math.min(window.innerWidth / WIDTH, window.innerHeight / HEIGHT));
    const { style } = document.documentElement;
    if (this.on) style.setProperty("--enlarged", factor.toFixed(3));
    else style.removeProperty("--enlarged");
  }
}

/** Called by Streamlit on mounting and on another page. */
export function mount({ parentElement, setStateValue }) {
  const root = parentElement.querySelector(".present");
  const begun = root.presentation === undefined;
  if (begun) {
    parentElement.adoptedStyleSheets = [own];
    root.presentation = new Presentation(root);
  }
  const { presentation } = root;
  presentation.report = setStateValue;
  if (begun) presentation.set(asks());
  else presentation.write();
  return () => {
    if (!root.isConnected) presentation.close();
  };
}
