// Building the page. Text reaches the DOM as text nodes only, whatever it holds: names and answers are untrusted.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with its attributes, listeners and children.
 * @param {string} tag
 * @param {Object<string, any>} [props] `class`, `data` (data-*), `on` (listeners by event), `style` (custom
 *   properties and others, set through the object model), properties such as `value`, else attributes; null and
 *   false leave an attribute out.
 * @param {...(Node|string|number|null|undefined|false|Array)} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  dress(element, props);
  append(element, children);
  return element;
}

/** The same for SVG. @returns {SVGElement} */
export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  dress(element, props);
  append(element, children);
  return element;
}

const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "indeterminate", "open", "selected", "readOnly"]);

function dress(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.setAttribute("class", value);
    else if (name === "data") for (const [key, text] of Object.entries(value)) element.dataset[key] = String(text);
    else if (name === "on") for (const [event, heard] of Object.entries(value)) element.addEventListener(event, heard);
    else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else if (PROPERTIES.has(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** Put these children in the place of those that were there. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

const ICONS = {
  open: "M3 7.5V18a1.5 1.5 0 0 0 1.5 1.5h15A1.5 1.5 0 0 0 21 18V9a1.5 1.5 0 0 0-1.5-1.5H12L10 5H4.5A1.5 1.5 0 0 0 3 6.5z",
  history: "M4 6h16M4 12h16M4 18h10",
  add: "M12 5v14M5 12h14",
  help: "M9 9a3 3 0 1 1 4.2 2.8c-.8.4-1.2 1-1.2 1.9v.6M12 17.5v.5",
  light:
    "M12 7.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M5 5l1.7 1.7M17.3 17.3 19 19M5 19l1.7-1.7M17.3 6.7 19 5",
  dark: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  auto: "M12 3.5a8.5 8.5 0 1 0 0 17zM12 3.5a8.5 8.5 0 0 1 0 17",
  close: "M6 6l12 12M18 6 6 18",
  send: "M4 12 20 4.5 14.5 20l-3-6.5zM11.5 13.5 20 4.5",
  stop: "M7 7h10v10H7z",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
  panel: "M4 5h16v14H4zM14.5 5v14",
  bin: "M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.4L17 7M10.5 10.5v6M13.5 10.5v6",
  flag: "M6 21V4M6 4.5h11l-2 4 2 4H6",
  key: "M14.5 9.5a4 4 0 1 1-3 3.9L4 21v-3h2.5v-2.500H9l2.500-2.500",
  zoom: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  outline: "M12 4c5 0 8 3 7.500 7.500S16 20 11.500 20 4 16.500 4 12s3-8 8-8z",
  reset: "M5 12a7 7 0 1 1 2.200 5.100M5 19v-4.500h4.500",
};

/** A small line drawing; decoration only. */
export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));
}

/** A button; `label` is its name for those who can't see the icon. */
export function button(
  label,
  { icon: drawn = null, hide = false, class: kind = "", press, test, title, ...props } = {},
) {
  return h(
    "button",
    {
      type: "button",
      class: kind || null,
      title: title ?? (hide ? label : null),
      "aria-label": hide ? label : null,
      data: test ? { testid: test } : {},
      on: press ? { click: press } : {},
      ...props,
    },
    drawn && icon(drawn),
    !hide && h("span", {}, label),
  );
}

/** Say something to those who listen to the page rather than look at it. */
export function announce(text) {
  const place = document.getElementById("announce");
  if (place && place.textContent !== text) place.textContent = text;
}

/** A function that runs when calls have ceased for some milliseconds. */
export function debounced(run, milliseconds) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...values), milliseconds);
  };
}
