// The list of lesions: size at a glance; choosing one shows it.

import { button, fill, h } from "./dom.js";
import { quantity } from "./format.js";

/**
 * @param {import("./viewer.js").Viewer} viewer
 * @param {(lesion: any) => void} wrong opens the review of a lesion's mask
 * @param {() => boolean} reviewable
 */
export function lesionList(viewer, wrong, reviewable) {
  const { masks } = viewer;
  const body = h("div", { class: "lesion-list" });
  let chosen = -1;
  const mark = () => {
    const meant = new Set(masks.singles.map((one) => one.structure));
    body.querySelectorAll(".lesion").forEach((row, index) => {
      row.classList.toggle("chosen", index === chosen);
      row.classList.toggle("highlighted", meant.has(masks.lesions[index].id));
    });
  };
  const go = (lesion, at) => {
    chosen = at;
    viewer.jump(lesion.centre_mm);
    mark();
  };
  const row = (lesion, at) =>
    h(
      "li",
      { class: "lesion" },
      h(
        "button",
        {
          type: "button",
          class: "lesion-go",
          data: { testid: `lesion-${lesion.id}` },
          on: { click: () => go(lesion, at) },
        },
        h("span", { class: "swatch", style: { "--swatch": masks.structure(lesion.structure)?.colour ?? "#888888" } }),
        h(
          "span",
          { class: "name" },
          lesion.name,
          !lesion.counted && h("span", { class: "dim", title: "Too small to be counted" }, " (not counted)"),
        ),
        h(
          "span",
          { class: "size" },
          `${quantity(lesion.long_axis_mm, "mm")} · ${quantity(lesion.volume_cm3, "cm3")} · slice ${lesion.slice}`,
        ),
      ),
      reviewable() &&
        button(`${lesion.name} is wrong`, {
          icon: "flag",
          hide: true,
          class: "quiet tiny",
          press: () => wrong(lesion),
        }),
    );
  // Without masks nobody has looked: that is not the same as none.
  const none = () => (masks.structures.length > 0 ? "No lesion in the masks." : "No masks to list lesions of.");
  const build = () => {
    chosen = -1;
    const { lesions } = masks;
    fill(
      body,
      lesions.length > 0 ? h("ol", {}, lesions.map(row)) : h("p", { class: "empty" }, none()),
    );
    fill(count, lesions.length > 0 ? ` ${lesions.length}` : "");
  };
  const count = h("span", { class: "count" });
  masks.addEventListener("replaced", build);
  masks.addEventListener("change", mark);
  build();
  return {
    panel: h("section", { class: "panel lesions", "aria-label": "Lesions" }, h("h2", {}, "Lesions", count), body),
    rebuild: build,
    /** The next lesion, or the one before. */
    next(by) {
      const { lesions } = masks;
      if (lesions.length === 0) return;
      const at = (Math.max(chosen + by, chosen < 0 ? 0 : -1) + lesions.length) % lesions.length;
      go(lesions[at], at);
    },
  };
}
