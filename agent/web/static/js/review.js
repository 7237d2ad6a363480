// The review panel: a person approves, overrides or corrects what the machine concluded.

import { post } from "./api.js";
import { button, fill, h } from "./dom.js";
import { Edits } from "./edits.js";
import { recall, remember } from "./memory.js";

const KINDS = [
  ["approve", "Approve", "I agree with it."],
  ["override", "Override", "I conclude otherwise; both stand side by side."],
  ["correct", "Correct the mask", "The run concludes anew with the corrected mask."],
];
const PATHOLOGY = [
  ["diagnosis", "Diagnosis"],
  ["ct", "cT"],
  ["cn", "cN"],
  ["cm", "cM"],
  ["stage", "Stage"],
];

/** The panel over the chat; one at a time. */
export class ReviewPanel {
  #back = null;

  /** @param {HTMLElement} place @param {import("./viewer.js").Viewer} viewer @param {(run: any) => void} sent */
  constructor(place, viewer, sent) {
    this.place = place;
    this.viewer = viewer;
    this.sent = sent;
    this.panel = null;
  }

  get open() {
    return this.panel !== null;
  }

  /**
   * Open it.
   * @param {{run: any, claim: string|null, text: string, where: string, structure?: string}} thing what is meant
   */
  show(thing) {
    this.close();
    this.#back = document.activeElement;
    this.thing = thing;
    this.edits = new Edits(this.viewer, thing.run.id, thing.structure ?? null);
    this.edits.addEventListener("changed", () => this.#allow());
    this.name = h("input", {
      type: "text",
      maxlength: "80",
      autocomplete: "name",
      value: recall("reviewer", ""),
      data: { testid: "reviewer" },
    });
    this.says = h("textarea", { rows: "3", maxlength: "2000", data: { testid: "says" } });
    this.reason = h("textarea", { rows: "2", maxlength: "2000", data: { testid: "reason" } });
    this.fields = this.#pathology();
    this.error = h("p", { class: "error", role: "alert" });
    this.submit = button("Submit the review", { class: "primary", press: () => this.#send(), test: "submit-review" });
    this.body = h("div", { class: "review-body" });
    this.kinds = this.#kinds(thing.structure ? "correct" : "override");
    for (const field of [this.name, this.says, this.reason]) field.addEventListener("input", () => this.#allow());
    this.panel = h(
      "section",
      { class: "review-panel", "aria-label": "Review", tabindex: "-1", data: { testid: "review-panel" } },
      h(
        "div",
        { class: "panel-head" },
        h("h2", {}, "Review"),
        button("Close the review", { icon: "close", hide: true, class: "quiet round", press: () => this.close() }),
      ),
      h("blockquote", {}, thing.text),
      h("label", { class: "field" }, h("span", {}, "Your name"), this.name),
      this.kinds,
      this.body,
      this.error,
      h("div", { class: "row end" }, button("Cancel", { press: () => this.close() }), this.submit),
    );
    this.place.append(this.panel);
    this.#show();
    (this.name.value ? this.panel : this.name).focus();
  }

  /** Close it; nothing is sent. */
  close() {
    if (!this.panel) return;
    this.edits.close();
    this.panel.remove();
    this.panel = null;
    if (this.#back?.isConnected) this.#back.focus();
  }

  get kind() {
    return this.kinds.querySelector("input:checked").value;
  }

  #kinds(first) {
    const rows = KINDS.map(([kind, name, text]) => {
      const radio = h("input", {
        type: "radio",
        name: "review-kind",
        value: kind,
        checked: kind === first,
        data: { testid: `kind-${kind}` },
      });
      radio.addEventListener("change", () => this.#show());
      return h(
        "label",
        { class: "check" },
        radio,
        h("span", {}, h("strong", {}, name), h("span", { class: "dim" }, ` ${text}`)),
      );
    });
    return h("fieldset", {}, h("legend", {}, "What do you say?"), rows);
  }

  #pathology() {
    if (this.thing.where !== "pathology") return null;
    const told = this.thing.run.report.pathology ?? {};
    return new Map(
      PATHOLOGY.map(([key, name]) => {
        const field = h("input", {
          type: "text",
          maxlength: "200",
          placeholder: told[key] ?? "",
          "aria-label": name,
          data: { testid: `pathology-${key}` },
        });
        field.addEventListener("input", () => this.#allow());
        return [key, [name, field]];
      }),
    );
  }

  #show() {
    const { kind } = this;
    const reason = h(
      "label",
      { class: "field" },
      h("span", {}, kind === "approve" ? "Remark (not needed)" : "Reason"),
      this.reason,
    );
    const fields =
      this.fields &&
      h(
        "div",
        { class: "pathology-fields" },
        [...this.fields.values()].map(([name, field]) => h("label", { class: "field" }, h("span", {}, name), field)),
      );
    const says = h("label", { class: "field" }, h("span", {}, "Your conclusion"), this.says);
    fill(this.body, kind === "override" && [fields, says], kind === "correct" && this.edits.element, reason);
    this.#allow();
  }

  #own() {
    const told = [...(this.fields ?? [])]
      .map(([key, [, field]]) => [key, field.value.trim()])
      .filter(([, value]) => value);
    return told.length > 0 ? Object.fromEntries(told) : null;
  }

  #allow() {
    const { kind } = this;
    const named = this.name.value.trim() !== "";
    const reasoned = kind === "approve" || this.reason.value.trim() !== "";
    const said = kind !== "override" || this.says.value.trim() !== "" || this.#own() !== null;
    const edited = kind !== "correct" || this.edits.edits.length > 0;
    this.submit.disabled = !(named && reasoned && said && edited);
  }

  async #send() {
    const { kind, thing } = this;
    const reviewer = this.name.value.trim();
    remember("reviewer", reviewer);
    const decision = {
      reviewer,
      kind,
      about: thing.claim,
      reason: this.reason.value.trim() || null,
      edits: kind === "correct" ? this.edits.edits : [],
    };
    if (kind === "override") {
      decision.says = this.says.value.trim() || null;
      const own = this.#own();
      if (own) decision.pathology = own;
    }
    this.submit.disabled = true;
    fill(this.error);
    try {
      const run = await post(`/api/runs/${thing.run.id}/reviews`, decision);
      this.close();
      this.sent(run);
    } catch (error) {
      fill(this.error, error.message);
      this.#allow();
    }
  }
}
