/** What a viewer chose, in the address: opened elsewhere it shows the same. */

const LATER = 300; // ms between changes of the address: browsers refuse more
const LISTED = 60; // selected images that are listed one by one

/**
 * What can be chosen, each as it stands where the address says nothing. `at` is a place on the
 * plane, `view` what of it is in view, `select` the numbers of images of the split.
 */
export const DEFAULTS = {
  step: null,
  plane: "",
  split: "test",
  codes: "means",
  field: "contours",
  rest: "zero",
  unit: null,
  at: null,
  view: null,
  select: null,
  focus: null,
  hidden: [],
};

const digits = (value) => String(Number(value.toFixed(3)));

const WRITE = {
  at: (place) => place.map(digits).join(),
  view: ({ x, y, reach }) => [x, y, reach].map(digits).join(),
  select: (indices) => spell(indices),
  hidden: (names) => names.join(),
  unit: (unit) => String(unit + 1),
};

const READ = {
  step: whole,
  unit: (text) => (whole(text) ? whole(text) - 1 : null),
  focus: whole,
  plane: (text) => (/^(pca|\d+(,\d+)?)$/.test(text) ? text : ""),
  split: (text) => one(text, ["train", "test"]),
  codes: (text) => one(text, ["means", "draws", "ellipses", "pictures", "none"]),
  field: (text) => one(text, ["contours", "difference", "none"]),
  rest: (text) => one(text, ["zero", "nearest", "focus"]),
  at: (text) => numbers(text, [1, 2]),
  view: (text) => {
    const [x, y, reach] = numbers(text, [3]) ?? [];
    return reach > 0 ? { x, y, reach } : null;
  },
  select: read,
  hidden: (text) => text.split(","),
};

/** What the address says; what it does not say, or not so that it can be read, is as usual. */
export function readAddress() {
  const query = new URLSearchParams(location.search);
  const found = { ...DEFAULTS };
  for (const [name, parse] of Object.entries(READ)) {
    if (query.has(name)) found[name] = parse(query.get(name)) ?? DEFAULTS[name];
  }
  return found;
}

let waiting = 0;

/** Put into the address what differs from the usual, a moment later; the rest of it stays. */
export function writeAddress(chosen) {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const query = new URLSearchParams(location.search);
    for (const [name, usual] of Object.entries(DEFAULTS)) {
      const value = chosen[name];
      const text = value === null ? "" : (WRITE[name] ?? String)(value);
      if (text && text !== (usual === null ? "" : String(usual))) query.set(name, text);
      else query.delete(name);
    }
    const said = query.toString().replaceAll("%2C", ",").replaceAll("%7E", "~");
    const search = said ? `?${said}` : "";
    if (search !== location.search) history.replaceState(history.state, "", location.pathname + search);
  }, LATER);
}

/** What was to be put into the address is forgotten: it is another page's now. */
export const leaveAddress = () => clearTimeout(waiting);

function whole(text) {
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

const one = (text, known) => (known.includes(text) ? text : null);

function numbers(text, lengths) {
  const found = text.split(",").map(Number);
  return lengths.includes(found.length) && found.every(Number.isFinite) ? found : null;
}

/** Numbers of images as text: a list, or where they are many a bit for each. */
function spell(indices) {
  if (indices.length <= LISTED) return indices.join(".");
  const bytes = new Uint8Array(Math.floor(Math.max(...indices) / 8) + 1);
  for (const i of indices) bytes[i >> 3] |= 1 << (i & 7);
  return `~${btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

function read(text) {
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
