// Keys, and the dialog that lists them.

import { h } from "./dom.js";
import { show } from "./dialog.js";
import { recall, remember } from "./memory.js";

const LISTED = [
  ["/", "Go to the question box"],
  ["Enter", "Send the question"],
  ["Shift+Enter", "New line in the question"],
  ["M|A|C|S|D", "All planes, axial, coronal, sagittal, 3D"],
  ["Arrows", "Move the crosshair (image focused)"],
  ["Page Up|Page Down", "Slice up, slice down (image focused)"],
  ["Wheel", "Through the slices; with Ctrl, zoom"],
  ["Right drag", "Window: across is width, down is level"],
  ["Shift+drag", "Move the image"],
  ["+|−|0", "Zoom in, out, reset"],
  ["[|]", "Lesion before, next lesion"],
  ["F", "Full resolution around the crosshair, and back"],
  ["X", "Outlines instead of areas"],
  ["B", "Show or hide the lists"],
  ["O", "Open a scan"],
  ["H", "Conversations"],
  ["N", "New conversation"],
  ["Escape", "Close the evidence, a panel, a dialog"],
  ["?", "This list"],
];

const FIELDS = "input, textarea, select, [contenteditable]";

/**
 * Listen for keys.
 * @param {Object<string, () => void>} actions by key
 * @param {() => void} escape
 */
export function listen(actions, escape) {
  addEventListener("keydown", (event) => {
    if (
      event.defaultPrevented ||
      event.ctrlKey ||
      event.altKey ||
      event.metaKey ||
      document.querySelector("dialog[open]")
    )
      return;
    if (event.key === "Escape") {
      escape();
      return;
    }
    const field = event.target instanceof Element && event.target.matches(FIELDS);
    if (field || !recall("keys", true)) return;
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

/** Keys that move through the image, while it has the focus. */
export function listenImage(canvas, viewer) {
  const moves = {
    ArrowLeft: [-1, 0, 0],
    ArrowRight: [1, 0, 0],
    ArrowUp: [0, 1, 0],
    ArrowDown: [0, -1, 0],
    PageUp: [0, 0, 1],
    PageDown: [0, 0, -1],
  };
  // Up is the head where the plane shows the head at its top.
  const upright = new Set(["coronal", "sagittal"]);
  canvas.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const [left, front, up] = move;
    if (viewer.layout === "sagittal" && left !== 0) viewer.step(0, left, 0);
    else if (upright.has(viewer.layout) && front !== 0) viewer.step(0, 0, front);
    else if (upright.has(viewer.layout) && up !== 0) {
      if (viewer.layout === "coronal") viewer.step(0, up, 0);
      else viewer.step(up, 0, 0);
    } else viewer.step(left, front, up);
  });
}

/** The dialog that lists the keys, and turns single keys off for those whom they bother. */
export function showKeys() {
  const box = h("input", { type: "checkbox", checked: recall("keys", true) });
  box.addEventListener("change", () => remember("keys", box.checked));
  const rows = LISTED.map(([key, text]) =>
    h(
      "tr",
      {},
      h(
        "td",
        {},
        key.split("|").map((one) => [h("kbd", {}, one), " "]),
      ),
      h("td", {}, text),
    ),
  );
  show(
    "Keys",
    [
      h("table", { class: "keys" }, h("tbody", {}, rows)),
      h("label", { class: "check" }, box, h("span", {}, "Single keys work")),
    ],
    { test: "keys-dialog" },
  );
}
