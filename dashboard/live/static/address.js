/** What a viewer chose, in the address: opened elsewhere it shows the same, and Back undoes it. */

const LATER = 300; // ms between changes of the address: browsers refuse more
const LISTED = 60; // numbers that are listed one by one

export class Address {
  /**
   * `fields` is { name: { usual, read, write, passing } }: what is chosen where the address says
   * nothing; the value that a text stands for, null where it stands for none; the text of a value;
   * and whether it changes with the pointer, so that Back leads past it. `returned(chosen)` hears
   * what the address says after Back and Forward.
   */
  constructor(fields, returned) {
    Object.assign(this, { fields, path: location.pathname, waiting: 0, pushes: false });
    this.onpopstate = () => {
      clearTimeout(this.waiting);
      if (location.pathname !== this.path) return; // another page's
      this.silent = true;
      returned(this.read());
      this.silent = this.pushes = false;
    };
    window.addEventListener("popstate", this.onpopstate);
  }

  /** What is chosen where the address says nothing. */
  get usual() {
    return Object.fromEntries(Object.entries(this.fields).map(([name, { usual }]) => [name, usual]));
  }

  /** What the address says; what it does not say, or not so that it can be read, is as usual. */
  read() {
    const query = new URLSearchParams(location.search);
    const found = this.usual;
    for (const [name, { read, usual }] of Object.entries(this.fields)) {
      if (query.has(name)) found[name] = read(query.get(name)) ?? usual;
    }
    return found;
  }

  /** The text that the address has under a name, or null. */
  static says(name) {
    return new URLSearchParams(location.search).get(name);
  }

  /**
   * Put into the address what differs from the usual, a moment later; the rest of it stays. Back
   * does not return to what was before where that was only `passing`.
   */
  write(chosen, passing = false) {
    this.pushes ||= !passing && !this.silent;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.#put(chosen), LATER);
  }

  /** Do something that is no choice of the viewer's: Back does not return to what was before. */
  quietly(action) {
    const { pushes } = this;
    action();
    this.pushes = pushes;
  }

  close() {
    clearTimeout(this.waiting);
    window.removeEventListener("popstate", this.onpopstate);
  }

  #put(chosen) {
    if (location.pathname !== this.path) return;
    const query = new URLSearchParams(location.search);
    let other = false;
    for (const [name, { usual, write = String, passing }] of Object.entries(this.fields)) {
      const same = chosen[name] === null || String(chosen[name]) === String(usual);
      const text = same ? "" : write(chosen[name]);
      other ||= !passing && text !== (query.get(name) ?? "");
      if (text) query.set(name, text);
      else query.delete(name);
    }
    const put = this.pushes && other ? "pushState" : "replaceState";
    this.pushes = false;
    const said = query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%7E", "~");
    const search = said ? `?${said}` : "";
    if (search !== location.search) history[put](history.state, "", location.pathname + search);
  }
}

/** A field that is one of the `known` words, the first where nothing is said. */
export const oneOf = (known) => ({ usual: known[0], read: (text) => (known.includes(text) ? text : null) });

/** A field that is a whole number, or null. */
export const WHOLE = { usual: null, read: whole };

/** A field that is yes or no, and no where nothing is said. */
export const FLAG = { usual: false, read: (text) => text === "1", write: () => "1" };

/** A field that is a list of words. */
export const WORDS = { usual: [], read: (text) => text.split(","), write: (words) => words.join() };

/** A field that is a list of numbers, of one of these lengths where any are said; or null. */
export const numbersOf = (...lengths) => ({
  usual: null,
  read: (text) => numbers(text, lengths),
  write: (values) => Array.from(values, digits).join(),
});

/** A field that is the part of a plane in view: { x, y, reach }, or null for all of it. */
export const VIEW = {
  usual: null,
  passing: true,
  read: (text) => {
    const [x, y, reach] = numbers(text, [3]) ?? [];
    return reach > 0 ? { x, y, reach } : null;
  },
  write: ({ x, y, reach }) => [x, y, reach].map(digits).join(),
};

/** A field that is a plane: two different units, or "pca", which `usual` may be. */
export const plane = (usual = "") => ({
  usual,
  read: (text) => (text === "pca" || pair(text) ? text : null),
});

/** A field that is two different units, or null. */
export const PAIR = { usual: null, read: pair, write: (units) => units.join() };

/** A field that is a range of an axis: two rising numbers, or null for all of it. */
export const RANGE = {
  usual: null,
  passing: true,
  read: (text) => {
    const found = numbers(text, [2]);
    return found && found[0] < found[1] ? found : null;
  },
  write: (ends) => ends.map(digits).join(),
};

/** The two different whole numbers that a text stands for, or null. */
function pair(text) {
  const found = text.split(",").map(whole);
  return found.length === 2 && !found.includes(null) && found[0] !== found[1] ? found : null;
}

/** The whole number that a text stands for, or null. */
export function whole(text) {
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

function numbers(text, lengths) {
  const found = text.split(",").map((each) => (each.trim() ? Number(each) : NaN));
  const fits = !lengths.length || lengths.includes(found.length);
  return fits && found.every(Number.isFinite) ? found : null;
}

const digits = (value) => String(Number(value.toFixed(3)));

/** Whole numbers as text: a list, or where they are many a bit for each. */
export function spell(indices) {
  if (indices.length <= LISTED) return indices.join(".");
  const bytes = new Uint8Array(Math.floor(indices.reduce((a, b) => Math.max(a, b)) / 8) + 1);
  for (const i of indices) bytes[i >> 3] |= 1 << (i & 7);
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return `~${btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/** The numbers that a text stands for, or null. */
export function unspell(text) {
  if (!text.startsWith("~")) {
    const found = text.split(".").map(whole);
    return found.every((i) => i !== null) ? found : null;
  }
  try {
    const bits = atob(text.slice(1).replaceAll("-", "+").replaceAll("_", "/"));
    return [...bits].flatMap((byte, k) =>
      [0, 1, 2, 3, 4, 5, 6, 7].filter((i) => byte.charCodeAt(0) & (1 << i)).map((i) => 8 * k + i),
    );
  } catch {
    return null;
  }
}
