// The list of masks: colour, name, shown or not, and who made them.

import { button, fill, h } from "./dom.js";
import { capital } from "./format.js";

const ORDER = ["lesion", "organ", "vessel", "bone", "muscle"];
const PLURALS = { lesion: "Lesions", organ: "Organs", vessel: "Vessels", bone: "Bones", muscle: "Muscles" };
const MADE = { engine: ["engine", "Segmented by an engine"], reviewer: ["reviewed", "Corrected by a reviewer"] };
const FOLDED_FROM = 12;

/**
 * @param {import("./viewer.js").Viewer} viewer
 * @param {(structure: any) => void} wrong opens the review of a mask
 * @param {() => boolean} reviewable whether there is a run whose masks may be corrected
 * @param {() => void} again opens the dialog in which masks are given
 */
export function legend(viewer, wrong, reviewable, again) {
  const { masks } = viewer;
  const list = h("div", { class: "legend-list" });
  const rows = new Map();
  const groups = [];
  const folded = new Map();
  const build = () => {
    rows.clear();
    groups.length = 0;
    const kinds = [...new Set(masks.structures.map((one) => one.kind))].sort((a, b) => rank(a) - rank(b));
    fill(
      list,
      kinds.map((kind) => group(kind)),
      masks.structures.length === 0 && none(),
      notes(),
    );
    mark();
  };
  const none = () => [
    h("p", { class: "empty" }, "No masks were given or made."),
    viewer.scan && button("Open it with masks", { class: "small", press: again, test: "give-masks" }),
  ];
  const notes = () =>
    (masks.masks?.notes ?? []).length > 0 &&
    h(
      "ul",
      { class: "mask-notes" },
      masks.masks.notes.map((note) => h("li", {}, note)),
    );
  const group = (kind) => {
    const members = masks.structures.filter((one) => one.kind === kind);
    const ids = members.map((one) => one.id);
    const name = PLURALS[kind] ?? capital(kind);
    const all = h("input", { type: "checkbox", "aria-label": `Show all: ${name}` });
    all.addEventListener("change", () => masks.toggleAll(ids, all.checked));
    groups.push([all, ids]);
    const open = folded.get(kind) ?? (kind === "lesion" || members.length < FOLDED_FROM);
    const block = h(
      "details",
      { class: "legend-group", open },
      h("summary", {}, h("span", {}, name), h("span", { class: "count" }, members.length)),
      h(
        "ul",
        {},
        members.map((one) => row(one)),
      ),
    );
    block.addEventListener("toggle", () => folded.set(kind, block.open));
    // Beside the fold, not in its heading: a control within a control cannot be reached by everybody.
    return h("div", { class: "legend-box" }, all, block);
  };
  const row = (structure) => {
    const box = h("input", { type: "checkbox", data: { testid: `mask-${structure.id}` } });
    box.addEventListener("change", () => masks.toggle(structure.id, box.checked));
    const made = MADE[structure.by];
    const item = h(
      "li",
      { class: "legend-row" },
      h(
        "label",
        {},
        box,
        h("span", { class: "swatch", style: { "--swatch": structure.colour } }),
        h("span", { class: "name" }, structure.name),
      ),
      made && h("span", { class: `made ${structure.by}`, title: made[1] }, made[0]),
      h(
        "span",
        { class: "row-tools" },
        structure.centre_mm &&
          button(`Go to ${structure.name}`, {
            icon: "zoom",
            hide: true,
            class: "quiet tiny",
            press: () => viewer.jump(structure.centre_mm),
          }),
        reviewable() &&
          button(`The mask of ${structure.name} is wrong`, {
            icon: "flag",
            hide: true,
            class: "quiet tiny",
            press: () => wrong(structure),
          }),
      ),
    );
    rows.set(structure.id, [box, item]);
    return item;
  };
  const mark = () => {
    for (const [id, [box, item]] of rows) {
      box.checked = masks.on.has(id);
      item.classList.toggle("highlighted", masks.highlighted.has(id));
    }
    for (const [all, ids] of groups) {
      const on = ids.filter((id) => masks.on.has(id)).length;
      all.checked = on === ids.length;
      all.indeterminate = on > 0 && on < ids.length;
    }
  };
  masks.addEventListener("replaced", build);
  masks.addEventListener("change", mark);
  build();
  const panel = h("section", { class: "panel legend", "aria-label": "Masks" }, h("h2", {}, "Masks"), list);
  return { panel, rebuild: build };
}

function rank(kind) {
  const at = ORDER.indexOf(kind);
  return at < 0 ? ORDER.length : at;
}
