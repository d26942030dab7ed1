/** Numbers and times as a reader wants them. */

const significant = [2, 3].map(
  (digits) =>
    new Intl.NumberFormat("en", {
      minimumSignificantDigits: digits,
      maximumSignificantDigits: digits,
    }),
);
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
const LOWERED = "₀₁₂₃₄₅₆₇₈₉";

const minus = (text) => text.replace("-", "−");

/** Three significant digits, or two where there is little room. */
export function number(value, digits = 3) {
  if (value == null || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e6) return minus(significant[digits - 2].format(value));
  const [leading, power] = value.toExponential(digits - 1).split("e");
  return `${minus(leading)}·10${raised(Number(power))}`;
}

/** A count: 12,300. */
export const count = (value) => grouped.format(value);

/** A tick's label, as short as the distance between ticks allows. */
export function tick(value, step) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) {
    const power = Math.floor(Math.log10(size) + 1e-9);
    const digits = minus(String(Number((value / 10 ** power).toPrecision(2))));
    return digits === "1" ? `10${raised(power)}` : `${digits}·10${raised(power)}`;
  }
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return minus(value.toLocaleString("en", { maximumFractionDigits: Math.min(places + 1, 6) }));
}

/** A coordinate with two decimals, its sign always in the same place. */
export const coordinate = (value) => minus(value.toFixed(2));

/** The symbol of an axis: z₁₂ for the twelfth. */
export const subscript = (index) => [...String(index)].map((digit) => LOWERED[digit]).join("");

/** How long something takes: 1 min 20 s. */
export function duration(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.round(seconds));
  const [days, hours, minutes] = [86400, 3600, 60].map((unit) => Math.floor(whole / unit));
  if (days) return `${days} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes % 60} min`;
  if (minutes) return `${minutes} min ${whole % 60} s`;
  return `${whole} s`;
}

function raised(power) {
  return [...String(power)].map((character) => RAISED[character]).join("");
}

/** A text as it begins a sentence. */
export const capitalised = (text) => text[0].toUpperCase() + text.slice(1);
