// The left side of the page: the image with its tools, read-out and lists, and what it says while it loads.

import { Viewer } from "./viewer.js";
import { button, fill, h, svg } from "./dom.js";
import { legend } from "./legend.js";
import { lesionList } from "./lesions.js";
import { recall, remember } from "./memory.js";
import { readout } from "./readout.js";
import { toolbar } from "./toolbar.js";

const ROUGH =
  "Small structures are drawn larger than they are, so that none is missed. Every value is measured at full resolution.";

/**
 * Build the left side.
 * @param {HTMLElement} place
 * @param {{presets: any[], wrong: (thing: any) => void, reviewable: () => boolean, open: (name?: string) => void}} options
 */
export async function buildStage(place, { presets, wrong, reviewable, open }) {
  const canvas = h("canvas", { "aria-label": "Scan; arrow keys move through it", data: { testid: "canvas" } });
  const overlay = svg("svg", { class: "lines", "aria-hidden": "true" });
  const viewer = new Viewer(canvas, overlay);
  const message = h("div", { class: "stage-message" });
  const banner = h("div", { class: "part-note", role: "status", hidden: true, data: { testid: "part-note" } });
  const lesions = lesionList(viewer, wrong, reviewable);
  const masks = legend(viewer, wrong, reviewable, () => open(viewer.scan.name));
  const side = h("div", { class: "side" }, lesions.panel, masks.panel);
  const showSide = (on) => {
    side.hidden = !on;
    remember("side", on);
  };
  showSide(recall("side", true));
  const toggleSide = () => showSide(side.hidden);
  const first = presets[0];
  if (first) viewer.window = { level: first.level, width: first.width };
  const frame = h("div", { class: "frame" }, h("div", { class: "canvas-box" }, canvas), overlay, banner, message);
  fill(place, toolbar(viewer, presets, toggleSide), h("div", { class: "stage" }, frame, side), readout(viewer));
  messages(viewer, message, open);
  resolution(viewer, banner);
  canvas.addEventListener("webglcontextlost", (event) => {
    event.preventDefault();
    say(message, "The graphics card gave the image up; reload the page to see it again.");
  });
  canvas.addEventListener("wheel", (event) => magnify(viewer, event), { capture: true, passive: false });
  try {
    await viewer.attach();
  } catch (error) {
    const why = `The image cannot be shown: this browser has no WebGL 2 (${error.message})`;
    viewer.broken = `${why}; switch graphics acceleration on or take another browser. Values and questions work.`;
    say(message, viewer.broken);
  }
  return { viewer, lesions, masks, toggleSide, canvas };
}

/** A scan too big for the browser is shown coarsely as a whole, or finely in part. */
function resolution(viewer, place) {
  viewer.addEventListener("loaded", () => {
    place.hidden = !viewer.scan || !viewer.reduced;
    place.classList.toggle("part", viewer.box !== null);
    if (viewer.box) {
      fill(
        place,
        h("span", {}, "Full resolution of a part"),
        button("Back to whole", { press: () => viewer.whole(), test: "back-to-whole" }),
      );
    } else {
      const title = "Full resolution of the part around the crosshair (F)";
      fill(
        place,
        h("span", { title: ROUGH }, "Reduced resolution, outlines approximate"),
        button("Full resolution here", { press: () => viewer.part(), title, test: "full-resolution" }),
      );
    }
  });
}

function magnify(viewer, event) {
  if (!event.ctrlKey || !viewer.ready) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  viewer.zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15);
}

function say(place, text, ...more) {
  place.hidden = false;
  fill(place, h("p", {}, text), more);
}

function messages(viewer, place, open) {
  const empty = () => {
    if (viewer.broken) say(place, viewer.broken);
    else if (viewer.scan) place.hidden = true;
    else
      say(
        place,
        "No scan is open.",
        button("Open a scan", { icon: "open", class: "primary", press: () => open(), test: "open-empty" }),
      );
  };
  viewer.addEventListener("loaded", empty);
  viewer.addEventListener("failed", ({ detail }) =>
    say(place, detail, button("Load it again", { icon: "reset", press: () => viewer.again(), test: "load-again" })),
  );
  viewer.addEventListener("loading", ({ detail }) => {
    if (viewer.broken) return;
    if (!detail) return empty();
    const bar = h("progress", { "aria-label": detail.text, max: "1" });
    if (detail.part !== null) bar.value = detail.part;
    return say(place, `${detail.text}…`, bar);
  });
  empty();
}

/** Show how far the opening of a scan is, in the place of the image. */
export function opening(place, scan) {
  const message = place.querySelector(".stage-message");
  const { progress } = scan;
  const bar = h("progress", { "aria-label": "Opening", max: "1" });
  if (progress?.planned) bar.value = progress.finished / progress.planned;
  say(message, progress?.what ? `Opening ${scan.name}: ${progress.what}` : `Opening ${scan.name}…`, bar);
}

/** Show why a scan could not be opened. */
export function failed(place, text, ...more) {
  say(place.querySelector(".stage-message"), text, ...more);
}
