// Evidence in view: the card that tells one piece of evidence, and its place in the image.

import { get } from "./api.js";
import { button, debounced, fill, h } from "./dom.js";
import { alike, capital, quantity, unit, words } from "./format.js";
import { chip } from "./sentence.js";

const STATES = {
  measured: "Measured",
  absent: "Absent",
  not_measurable: "Not measurable",
  not_assessed: "Not assessed",
};
const PAUSE = 140;

/** Shows evidence in the chat and in the image at once. */
export class Desk {
  #kept = new Map();
  #card = null;
  #pinned = null;

  /**
   * @param {import("./viewer.js").Viewer} viewer
   * @param {(run: string) => Promise<void>} useMasks of that run
   * @param {() => void} closed the evidence was put away, and its run's masks are not asked for any more
   */
  constructor(viewer, useMasks, closed) {
    this.viewer = viewer;
    this.useMasks = useMasks;
    this.closed = closed;
    this.peek = debounced((run, id) => this.#look(run, id), PAUSE);
  }

  #fetch(run, id) {
    const key = `${run} ${id}`;
    if (!this.#kept.has(key)) {
      const asked = get(`/api/runs/${run}/evidence/${encodeURIComponent(id)}`);
      this.#kept.set(key, asked);
      asked.catch(() => this.#kept.delete(key));
    }
    return this.#kept.get(key);
  }

  /** What a run said may have changed: ask again. */
  forget(run) {
    for (const key of this.#kept.keys()) if (key.startsWith(`${run} `)) this.#kept.delete(key);
  }

  async #look(run, id) {
    if (!run) return this.#place(this.#pinned, false);
    const mine = this.#pinned;
    try {
      const { place } = await this.#fetch(run, id);
      if (mine === this.#pinned) this.#place(place, false);
    } catch {
      // Passing over a word asks for nothing that has to be answered; a click tells what went wrong.
    }
    return undefined;
  }

  #place(place, go) {
    const { viewer } = this;
    viewer.masks.highlight(place?.structures ?? [], place?.singles ?? []);
    viewer.lines.set(place?.lines ?? [], place?.box_mm ?? null);
    if (go && place?.mm) viewer.jump(place.mm);
  }

  /**
   * Show a piece of evidence: its card below the sentence, its place in the image.
   * @param {string} run
   * @param {string} id
   * @param {HTMLElement} from the button that was pressed
   */
  async show(run, id, from) {
    const again = this.#card?.dataset.evidence === id && this.#card.dataset.run === run;
    const inside = this.#card?.contains(from);
    if (again && !inside) return this.close();
    const host = inside ? this.#card : from.closest("[data-cards]");
    if (!inside) this.#putAway();
    const card = inside
      ? this.#card
      : h("aside", { class: "card", "aria-label": "Evidence", tabindex: "-1", data: { testid: "evidence-card" } });
    card.dataset.evidence = id;
    card.dataset.run = run;
    this.#card = card;
    this.from = inside ? this.from : from;
    this.from.classList.add("chosen");
    this.from.setAttribute("aria-expanded", "true");
    fill(card, h("p", { class: "dim" }, "Looking up the evidence…"));
    if (!inside) host.append(card);
    try {
      const found = await this.#fetch(run, id);
      if (this.#card !== card || card.dataset.evidence !== id) return undefined;
      fill(card, this.#told(run, id, found));
      if (inside) card.focus();
      card.scrollIntoView({ block: "nearest", behavior: "smooth" });
      this.#pinned = found.place;
      await this.useMasks(run);
      this.#place(found.place, true);
    } catch (error) {
      fill(card, h("p", { class: "error" }, error.message));
    }
    return undefined;
  }

  /** Put the card away; the image is as before. */
  close() {
    const { open, from } = this;
    // Who was in the card goes on where it came from.
    const within = this.#card?.contains(document.activeElement);
    this.#putAway();
    if (within) from?.focus();
    if (open) this.closed();
  }

  #putAway() {
    this.#card?.remove();
    this.#card = null;
    this.from?.classList.remove("chosen");
    this.from?.removeAttribute("aria-expanded");
    if (this.#pinned) this.#place(null, false);
    this.#pinned = null;
  }

  /** Whether a card is open. */
  get open() {
    return this.#card !== null;
  }

  #told(run, id, { text, evidence, place }) {
    const sure = evidence.uncertainty
      ? ` ± ${alike(evidence.uncertainty, evidence.value, evidence.unit)} ${unit(evidence.unit)}`
      : "";
    const rows = [
      [
        "At least",
        evidence.value === null && evidence.lower_bound !== null && quantity(evidence.lower_bound, evidence.unit),
      ],
      ["Reason", evidence.reason],
      ["Method", evidence.method],
      ["Tool", `${evidence.tool}, version ${evidence.version}`],
      ["Slice", (place?.slice ?? evidence.slice) !== null && String(place?.slice ?? evidence.slice)],
      ["Id", h("code", {}, id)],
    ];
    const reveal = () => {
      this.#place(place, true);
      this.viewer.reveal();
    };
    const go =
      place?.mm && button("Show in the image", { icon: "zoom", class: "small", press: reveal, test: "evidence-go" });
    return [
      h(
        "div",
        { class: "card-head" },
        h("p", { class: "card-title" }, text ?? `${capital(words(evidence.quantity))} of ${words(evidence.target)}`),
        button("Close the evidence", { icon: "close", hide: true, class: "quiet tiny", press: () => this.close() }),
      ),
      h(
        "p",
        { class: "card-value" },
        h("strong", {}, quantity(evidence.value, evidence.unit)),
        h("span", { class: "dim" }, evidence.value === null ? "" : sure),
        h("span", { class: `badge ${evidence.state}` }, STATES[evidence.state] ?? evidence.state),
      ),
      h(
        "dl",
        { class: "pairs" },
        rows.filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
      ),
      evidence.inputs.length > 0 &&
        h(
          "div",
          { class: "inputs" },
          h("span", { class: "dim" }, "From"),
          evidence.inputs.map((input) => chip(short(input), input, this, run, "input")),
        ),
      h("div", { class: "card-foot" }, go || h("span", { class: "dim" }, "It has no one place in the image.")),
    ];
  }
}

function short(id) {
  const [what, of] = id.split(".");
  return `${words(what)}${of ? `: ${words(of)}` : ""}`;
}
