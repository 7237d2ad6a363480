// What the top of the page says of the scan that is open.

import { fill, h } from "./dom.js";

/** @param {HTMLElement} place @param {any|null} scan */
export function showFacts(place, scan) {
  if (!scan) return fill(place, h("span", { class: "dim" }, "No scan open"));
  const facts = [];
  if (scan.shape) facts.push(`${scan.shape.join(" × ")} voxels`);
  if (scan.spacing) facts.push(`${scan.spacing.map((one) => Number(one.toFixed(2))).join(" × ")} mm`);
  if (scan.phase) facts.push(`${scan.phase} phase`);
  if (scan.patient) facts.push(scan.patient);
  return fill(
    place,
    h("strong", { class: "scan-name", title: scan.name, data: { testid: "scan-name" } }, scan.name),
    scan.synthetic && h("span", { class: "tag synthetic", title: "Not a patient: made by a program" }, "synthetic"),
    h("span", { class: "dim facts-line", title: facts.join(" · ") }, facts.join(" · ")),
    scan.state === "ready" && !scan.has_labels && h("span", { class: "tag" }, "no masks given"),
  );
}
