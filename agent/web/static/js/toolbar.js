// The row above the image: planes, window, overlay, resolution.

import { button, h } from "./dom.js";

const LAYOUTS = [
  ["multi", "All", "M"],
  ["axial", "Axial", "A"],
  ["coronal", "Coronal", "C"],
  ["sagittal", "Sagittal", "S"],
  ["render", "3D", "D"],
];

/**
 * @param {import("./viewer.js").Viewer} viewer
 * @param {{name: string, level: number, width: number}[]} presets
 * @param {() => void} toggleSide shows and hides the lists beside the image
 */
export function toolbar(viewer, presets, toggleSide) {
  return h(
    "div",
    { class: "toolbar", role: "toolbar", "aria-label": "View" },
    layouts(viewer),
    windows(viewer, presets),
    overlay(viewer),
    h(
      "div",
      { class: "group end" },
      button("Lists", {
        icon: "panel",
        hide: true,
        class: "quiet",
        press: toggleSide,
        title: "Show or hide the lists (B)",
        test: "toggle-side",
      }),
    ),
  );
}

function layouts(viewer) {
  const buttons = LAYOUTS.map(([name, label, key]) =>
    button(label, { title: `${label} (${key})`, press: () => viewer.show(name), test: `layout-${name}` }),
  );
  const mark = () =>
    buttons.forEach((one, at) => one.setAttribute("aria-pressed", String(LAYOUTS[at][0] === viewer.layout)));
  viewer.addEventListener("layout", mark);
  mark();
  return h("div", { class: "group segments", role: "group", "aria-label": "Planes" }, buttons);
}

function windows(viewer, presets) {
  const select = h(
    "select",
    { "aria-label": "Window preset", data: { testid: "window-preset" } },
    presets.map((one, at) => h("option", { value: String(at) }, one.name)),
    h("option", { value: "own" }, "own"),
  );
  const field = (label, name) =>
    h("input", { type: "number", step: "10", "aria-label": label, title: label, data: { testid: `window-${name}` } });
  const level = field("Level (HU)", "level");
  const width = field("Width (HU)", "width");
  select.addEventListener("change", () => {
    const preset = presets[Number(select.value)];
    if (preset) viewer.setWindow(preset.level, preset.width);
  });
  const typed = () => {
    if (Number.isFinite(level.valueAsNumber) && width.valueAsNumber >= 1) {
      viewer.setWindow(level.valueAsNumber, width.valueAsNumber);
    }
  };
  level.addEventListener("change", typed);
  width.addEventListener("change", typed);
  const show = () => {
    const now = viewer.window;
    level.value = String(now.level);
    width.value = String(now.width);
    const at = presets.findIndex((one) => one.level === now.level && one.width === now.width);
    select.value = at < 0 ? "own" : String(at);
  };
  viewer.addEventListener("window", show);
  show();
  return h(
    "div",
    { class: "group window", role: "group", "aria-label": "Window" },
    select,
    caption("L", level),
    caption("W", width),
  );
}

function caption(text, field) {
  return h("label", { class: "caption" }, h("span", { "aria-hidden": "true" }, text), field);
}

function overlay(viewer) {
  const slider = h("input", {
    type: "range",
    min: "0",
    max: "100",
    step: "5",
    value: String(viewer.masks.opacity * 100),
    "aria-label": "Opacity of the masks",
    title: "Opacity of the masks",
    data: { testid: "opacity" },
  });
  slider.addEventListener("input", () => viewer.masks.fade(slider.valueAsNumber / 100));
  viewer.masks.addEventListener("change", () => {
    slider.value = String(Math.round(viewer.masks.opacity * 100));
  });
  const outline = button("Outline", {
    title: "Outlines instead of areas (X)",
    test: "outline",
    "aria-pressed": "false",
  });
  outline.addEventListener("click", () => {
    viewer.setOutline(!viewer.overlays.outline);
    outline.setAttribute("aria-pressed", String(viewer.overlays.outline));
  });
  return h("div", { class: "group", role: "group", "aria-label": "Masks" }, slider, outline);
}
