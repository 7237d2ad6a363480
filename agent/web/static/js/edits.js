// Corrections of masks: which component goes, which stays, where a lesion is missing.

import { post } from "./api.js";
import { button, fill, h } from "./dom.js";
import { number, position } from "./format.js";

const VERBS = { remove: "Reject", keep: "Keep", add: "Add" };
const REACH = 15;

/** The part of the review that edits masks. Tells `changed` when the edits do. */
export class Edits extends EventTarget {
  /**
   * @param {import("./viewer.js").Viewer} viewer
   * @param {string} run
   * @param {string|null} structure that is meant at first
   */
  constructor(viewer, run, structure) {
    super();
    this.viewer = viewer;
    this.run = run;
    /** @type {{kind: string, structure: string, point: number[], radius_mm?: number, beyond_organ?: boolean}[]} */
    this.edits = [];
    this.error = h("p", { class: "error", role: "alert" });
    this.changes = h("div", { class: "changes", "aria-live": "polite", data: { testid: "changes" } });
    this.rows = h("ol", { class: "edit-list", data: { testid: "edit-list" } });
    this.components = h("ul", { class: "components" });
    const { structures } = viewer.masks;
    const first = structure ?? structures.find((one) => one.kind === "lesion")?.id ?? structures[0]?.id ?? "";
    this.select = h(
      "select",
      { "aria-label": "Structure", data: { testid: "edit-structure" } },
      structures.length > 0 &&
        h("optgroup", { label: "In the masks" }, structures.map((one) => h("option", { value: one.id, selected: one.id === first }, one.name))),
      addable(viewer.masks.addable),
    );
    this.select.addEventListener("change", () => this.#list());
    this.reach = h("input", {
      type: "number",
      min: "1",
      max: "100",
      step: "1",
      value: String(REACH),
      "aria-label": "Reach of an added lesion in mm",
      data: { testid: "edit-reach" },
    });
    this.beyond = h("input", { type: "checkbox", data: { testid: "edit-beyond" } });
    this.where = h("span", { class: "dim" });
    this.preview = button("Preview", { press: () => this.#preview(), test: "edit-preview", disabled: true });
    this.element = h(
      "div",
      { class: "edits" },
      h("label", { class: "field" }, h("span", {}, "Structure"), this.select),
      this.components,
      h("p", { class: "dim" }, "Or click in the image, then:"),
      h(
        "div",
        { class: "row" },
        ["remove", "keep", "add"].map((kind) =>
          button(`${VERBS[kind]} here`, { class: "small", press: () => this.#here(kind), test: `edit-${kind}` }),
        ),
        h("label", { class: "caption" }, "reach", this.reach, "mm"),
      ),
      h("label", { class: "check" }, this.beyond, "An added lesion may reach beyond the mask of its organ"),
      this.where,
      this.rows,
      h("div", { class: "row" }, this.preview),
      this.error,
      this.changes,
    );
    this.moved = () => fill(this.where, viewer.mm ? `Crosshair at ${position(viewer.mm)} mm` : "");
    viewer.addEventListener("moved", this.moved);
    this.moved();
    this.#list();
  }

  #list() {
    const lesions = this.viewer.masks.lesions.filter((one) => one.structure === this.select.value);
    fill(
      this.components,
      lesions.map((lesion) => this.#component(lesion)),
    );
  }

  #component(lesion) {
    const act = (kind) => () => this.#push({ kind, structure: lesion.structure, point: lesion.centre_mm }, lesion.name);
    return h(
      "li",
      {},
      button(lesion.name, { class: "link", press: () => this.viewer.jump(lesion.centre_mm) }),
      button("Reject", { class: "small", press: act("remove"), title: `Reject ${lesion.name}` }),
      button("Keep", { class: "small", press: act("keep"), title: `Keep ${lesion.name}` }),
    );
  }

  #here(kind) {
    if (!this.viewer.mm || !this.select.value) return;
    const edit = { kind, structure: this.select.value, point: [...this.viewer.mm] };
    if (kind === "add") {
      edit.radius_mm = Number.isFinite(this.reach.valueAsNumber) ? this.reach.valueAsNumber : REACH;
      edit.beyond_organ = this.beyond.checked;
    }
    this.#push(edit, this.select.selectedOptions[0]?.textContent ?? edit.structure);
  }

  #push(edit, name) {
    this.edits.push(edit);
    const where = edit.beyond_organ ? ", also beyond the mask of its organ" : "";
    const reach = edit.radius_mm ? `, reach ${edit.radius_mm} mm${where}` : "";
    const row = h("li", {}, h("span", {}, `${VERBS[edit.kind]}: ${name} at ${position(edit.point)} mm${reach}`));
    row.append(
      button("Take back", {
        class: "quiet tiny",
        icon: "close",
        hide: true,
        press: () => {
          this.edits = this.edits.filter((one) => one !== edit);
          row.remove();
          this.#changed();
        },
      }),
    );
    this.rows.append(row);
    this.#changed();
  }

  #changed() {
    this.preview.disabled = this.edits.length === 0;
    fill(this.changes);
    fill(this.error);
    this.viewer.preview(null);
    this.dispatchEvent(new Event("changed"));
  }

  async #preview() {
    fill(this.error);
    this.preview.disabled = true;
    try {
      const { id, changes } = await post(`/api/runs/${this.run}/corrections`, { edits: this.edits });
      fill(this.changes, table(changes), key());
      await this.viewer.preview(`/api/runs/${this.run}/corrections/${id}`);
    } catch (error) {
      fill(this.error, error.message);
    }
    this.preview.disabled = this.edits.length === 0;
  }

  /** Leave the viewer as it was. */
  close() {
    this.viewer.removeEventListener("moved", this.moved);
    this.viewer.preview(null);
  }
}

/** Classes of lesions that have no voxel yet, by organ. */
function addable(classes) {
  const organs = [...new Set(classes.map((one) => one.organ))];
  return organs.map((organ) =>
    h(
      "optgroup",
      { label: `New in the ${organ}` },
      classes.filter((one) => one.organ === organ).map((one) => h("option", { value: one.id }, one.name)),
    ),
  );
}

function table(changes) {
  const amount = ({ lesions, volume_cm3: volume }) => `${lesions} · ${number(volume, "cm3")} cm³`;
  return h(
    "table",
    {},
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ["Structure", "Before", "After"].map((name) => h("th", { scope: "col" }, name)),
      ),
    ),
    h(
      "tbody",
      {},
      changes.map((one) =>
        h(
          "tr",
          {},
          h("td", {}, one.name, one.note && h("p", { class: "dim" }, one.note)),
          h("td", {}, amount(one.before)),
          h("td", {}, amount(one.after)),
        ),
      ),
    ),
  );
}

function key() {
  const entry = (kind, text) => h("span", { class: `change-key ${kind}` }, text);
  return h(
    "p",
    { class: "change-keys dim" },
    entry("kept", "stays"),
    entry("removed", "goes"),
    entry("added", "comes"),
  );
}
