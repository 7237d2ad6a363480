// How values are written: as the reports write them.

const DECIMALS = {
  mm3: 0,
  cm3: 1,
  ml: 1,
  cl: 2,
  dl: 3,
  l: 3,
  mm: 1,
  cm: 2,
  m: 4,
  HU: 1,
  "%": 1,
  1: 2,
  deg: 0,
  "HU/mm": 1,
};
const SYMBOLS = { mm3: "mm³", cm3: "cm³", 1: "", deg: "°" };

/** A unit's sign; empty for counts and ratios. */
export function unit(name) {
  return name === null || name === undefined ? "" : (SYMBOLS[name] ?? name);
}

/** A number with the decimals that its unit deserves, never fewer than three significant digits. */
export function number(value, of = null) {
  if ((of === null || of === "1") && Number.isInteger(value)) return String(value);
  let decimals = DECIMALS[of ?? "1"] ?? 2;
  const size = Math.abs(value);
  while (size > 0 && size < 10 ** (2 - decimals) && decimals < 6) decimals += 1;
  return value.toFixed(decimals);
}

/** A number with as many decimals as the value that it belongs to. */
export function alike(value, to, of = null) {
  const decimals = typeof to === "number" ? (number(to, of).split(".")[1] ?? "").length : 0;
  return typeof to === "number" ? value.toFixed(decimals) : number(value, of);
}

/** A value of any type with its unit, or a dash where there is none. */
export function quantity(value, of = null) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value);
  const sign = unit(of);
  return sign ? `${number(value, of)} ${sign}` : number(value, of);
}

/** Bytes for people. */
export function bytes(count) {
  if (count === null || count === undefined) return "";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  let rest = count;
  while (rest >= 1000 && at < units.length - 1) {
    rest /= 1000;
    at += 1;
  }
  return `${at === 0 || rest >= 100 ? Math.round(rest) : rest.toFixed(1)} ${units[at]}`;
}

/** Seconds for people. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return `${Math.round(seconds / 60)} min`;
}

/** A moment for people, in their own time zone. */
export function moment(text) {
  const date = new Date(typeof text === "number" ? text * 1000 : text);
  if (Number.isNaN(date.getTime())) return "";
  const today = new Date().toDateString() === date.toDateString();
  return date.toLocaleString(undefined, today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" });
}

/** An identifier as words. */
export function words(name) {
  return String(name).replaceAll("_", " ").replaceAll("+", " and ");
}

/** A word with a capital first letter. */
export function capital(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : text;
}

/** A position in millimetres, RAS. */
export function position(mm) {
  const sides = [
    ["R", "L"],
    ["A", "P"],
    ["S", "I"],
  ];
  return mm.map((value, axis) => `${sides[axis][value < 0 ? 1 : 0]} ${Math.abs(value).toFixed(1)}`).join("  ");
}
