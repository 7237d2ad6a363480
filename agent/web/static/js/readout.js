// What lies below the crosshair: position, slice, exact attenuation, structures.

import { get } from "./api.js";
import { debounced, fill, h } from "./dom.js";
import { position, words } from "./format.js";

const PAUSE = 120;
const DASH = "–";

/**
 * The line below the image. The server is asked for the exact value once the crosshair rests.
 * @param {import("./viewer.js").Viewer} viewer
 */
export function readout(viewer) {
  let asking = new AbortController();
  const cells = Object.fromEntries(
    ["mm", "slice", "hu", "structures"].map((name) => [
      name,
      h("output", { class: name, data: { testid: `read-${name}` } }, DASH),
    ]),
  );
  const ask = debounced(async () => {
    const { mm, scan } = viewer;
    if (!mm || !scan) return;
    asking = new AbortController();
    const [x, y, z] = mm.map((value) => value.toFixed(3));
    try {
      const voxel = await get(`/api/scans/${scan.id}/voxel?x=${x}&y=${y}&z=${z}`, asking.signal);
      if (viewer.mm !== mm) return;
      viewer.voxel = voxel;
      tell(voxel);
    } catch (error) {
      // A read-out that failed shows dashes; the next movement asks again.
      if (error.name !== "AbortError") tell(null);
    }
  }, PAUSE);
  const tell = (voxel) => {
    const seen = voxel?.inside && voxel.hu !== null;
    fill(cells.slice, voxel?.inside ? String(voxel.file_slice) : DASH);
    fill(cells.hu, seen ? `${Math.round(voxel.hu * 10) / 10} HU` : DASH, voxel?.padding ? " (padding)" : "");
    const names = (voxel?.structures ?? []).map((id) => viewer.masks.structure(id)?.name ?? words(id));
    fill(cells.structures, names.length > 0 ? names.join(", ") : DASH);
    cells.structures.title = names.join(", ");
    for (const cell of [cells.slice, cells.hu, cells.structures]) cell.classList.remove("stale");
  };
  viewer.addEventListener("moved", () => {
    asking.abort();
    fill(cells.mm, `${position(viewer.mm)} mm`);
    for (const cell of [cells.slice, cells.hu, cells.structures]) cell.classList.add("stale");
    ask();
  });
  viewer.addEventListener("loaded", () => {
    if (viewer.scan) return;
    fill(cells.mm, DASH);
    tell(null);
  });
  const row = (label, cell, title = null) => h("div", { title }, h("span", { class: "dim" }, label), cell);
  return h(
    "div",
    { class: "readout", "aria-label": "Below the crosshair", role: "group" },
    row("At", cells.mm),
    row("Slice", cells.slice, "Axial slice as the file counts, from 0"),
    row("HU", cells.hu, "Value of the file at full resolution"),
    row("In", cells.structures),
    h(
      "span",
      { class: "convention dim", title: "Radiological convention: the patient's right is on the left" },
      "R on the left",
    ),
  );
}
