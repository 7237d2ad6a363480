// The dialog that opens a scan: what there is, what belongs to it, what is known about the patient.

import { get, post, remove } from "./api.js";
import { button, debounced, fill, h } from "./dom.js";
import { confirmed, show } from "./dialog.js";
import { bytes, moment } from "./format.js";
import { isMask, scanForm } from "./scanform.js";
import { sendFiles } from "./upload.js";

const KINDS = { nifti: "NIfTI", dicom: "DICOM", zip: "zip", masks: "folder of masks", labels: "masks" };

/** The open dialog. */
export class OpenDialog {
  #sources = [];
  #chosen = null;
  #dialog = null;
  #last = null;

  /** @param {{options: any, limit: number|null, opened: (scan: any) => void}} hands */
  constructor(hands) {
    this.hands = hands;
  }

  /**
   * Show it, and send what was dropped.
   * @param {File[]} [files]
   * @param {string} [name] of the scan that is chosen at first
   */
  async show(files = [], name = null) {
    if (!this.#dialog?.open) this.#build();
    await this.#refresh();
    const meant = name && this.#sources.find((one) => one.name === name);
    if (meant) {
      this.#choose(meant);
      this.#list();
    }
    if (files.length > 0) await this.#send(files);
  }

  #build() {
    this.#chosen = null;
    this.filter = h("input", {
      type: "search",
      placeholder: "Filter",
      "aria-label": "Filter the list",
      autofocus: true,
      data: { testid: "source-filter" },
    });
    this.filter.addEventListener(
      "input",
      debounced(() => this.#list(), 80),
    );
    this.list = h(
      "div",
      { class: "sources", role: "radiogroup", "aria-label": "Scans and masks", data: { testid: "sources" } },
      h("p", { class: "dim" }, "Loading…"),
    );
    this.list.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.type === "radio" && !this.confirm.disabled) this.#open();
    });
    this.note = h("p", { class: "dim" });
    this.recent = h("div", { class: "recent" });
    this.uploads = h("div", { class: "uploads" });
    this.detail = h("div", { class: "open-detail" }, h("p", { class: "empty" }, "Choose a scan from the list."));
    this.error = h("p", { class: "error", role: "alert" });
    this.confirm = button("Open", {
      class: "primary",
      press: () => this.#open(),
      disabled: true,
      test: "open-confirm",
    });
    const file = h("input", {
      type: "file",
      multiple: true,
      class: "hidden-text",
      tabindex: "-1",
      "aria-hidden": "true",
      data: { testid: "file" },
    });
    file.addEventListener("change", () => {
      this.#send([...file.files]);
      file.value = "";
    });
    const upload = button("Upload files", {
      press: () => file.click(),
      title: "NIfTI, or a zip of DICOM files; dropping them on the page does the same",
    });
    const left = h(
      "div",
      { class: "open-left" },
      this.recent,
      h("div", { class: "row" }, this.filter, upload, file),
      this.uploads,
      this.list,
      this.note,
    );
    this.#dialog = show("Open a scan", h("div", { class: "open-columns" }, left, this.detail), {
      class: "wide",
      test: "open-dialog",
      footer: [this.error, button("Cancel", { press: () => this.#dialog.close() }), this.confirm],
    });
  }

  async #refresh(choose = null) {
    try {
      const [told, { scans }] = await Promise.all([get("/api/sources"), get("/api/scans")]);
      this.#sources = told.sources;
      fill(
        this.note,
        [told.note, told.truncated && "Not all are listed; use the filter or name a smaller folder."]
          .filter(Boolean)
          .join(" "),
      );
      this.#recent(scans);
      if (choose) this.#choose(this.#sources.find((one) => one.id === choose.id) ?? choose);
      this.#list();
    } catch (error) {
      fill(this.list, h("p", { class: "error" }, error.message));
    }
  }

  #recent(scans) {
    const rows = scans
      .slice(0, 4)
      .map((scan) =>
        h(
          "li",
          {},
          button(scan.name, {
            class: "recent-open",
            title: `${scan.patient ?? ""} ${moment(scan.created)}`,
            press: () => this.#reopen(scan),
          }),
          h("span", { class: "dim" }, scan.state === "ready" ? "open" : scan.state === "failed" ? "failed" : ""),
          button(`Forget ${scan.name}`, {
            icon: "bin",
            hide: true,
            class: "quiet tiny",
            press: () => this.#forget(scan),
          }),
        ),
      );
    fill(this.recent, rows.length > 0 && [h("h3", {}, "Opened before"), h("ul", {}, rows)]);
  }

  #reopen(scan) {
    this.#dialog.close();
    this.hands.opened(scan);
  }

  async #forget(scan) {
    await this.#try(async () => {
      await remove(`/api/scans/${scan.id}`);
      await this.#refresh();
    });
  }

  #list() {
    const wanted = this.filter.value.trim().toLowerCase();
    const found = this.#sources.filter((one) => `${one.name} ${one.root}`.toLowerCase().includes(wanted));
    const empty =
      this.#sources.length === 0 ? "The server offers no scan; upload one." : "Nothing in the list has this name.";
    fill(this.list, found.length > 0 ? found.map((one) => this.#row(one)) : h("p", { class: "empty" }, empty));
    this.list.querySelector("input:checked")?.scrollIntoView({ block: "nearest" });
  }

  #row(source) {
    const radio = h("input", {
      type: "radio",
      name: "source",
      value: source.id,
      checked: this.#chosen?.id === source.id,
    });
    radio.addEventListener("change", () => this.#choose(source));
    return h(
      "div",
      { class: "source", data: { testid: `source-${source.id}` } },
      h(
        "label",
        {},
        radio,
        h("span", { class: "name" }, source.name),
        h("span", { class: "tag" }, KINDS[source.kind] ?? source.kind),
        h(
          "span",
          { class: "dim" },
          [source.uploaded ? "uploaded" : source.root, bytes(source.bytes)].filter(Boolean).join(" · "),
        ),
      ),
      source.uploaded &&
        button(`Delete ${source.name}`, {
          icon: "bin",
          hide: true,
          class: "quiet tiny",
          press: () => this.#drop(source),
        }),
    );
  }

  async #drop(source) {
    if (!(await confirmed("Delete the upload?", `${source.name} is deleted from the server.`, "Delete"))) return;
    await this.#try(async () => {
      await remove(`/api/uploads/${source.id}`);
      if (this.#chosen?.id === source.id) this.#choose(null);
      await this.#refresh();
    });
  }

  #choose(source) {
    this.#chosen = source;
    this.confirm.disabled = !source;
    fill(this.error);
    this.form = source && scanForm(source, this.#sources, this.hands.options);
    fill(this.detail, this.form?.element ?? h("p", { class: "empty" }, "Choose a scan from the list."));
  }

  async #send(files) {
    await sendFiles(files, this.uploads, this.hands.limit, async (source) => {
      // A scan that comes is chosen; masks that come belong to the scan that was chosen before.
      const scan = isMask(source) ? null : source;
      const before = this.form?.value();
      await this.#refresh(scan ?? this.#chosen);
      if (!scan && before) this.form?.restore(before, source.id);
    });
  }

  async #open() {
    this.confirm.disabled = true;
    await this.#try(async () => {
      this.#last = [this.#chosen, this.form.value()];
      const scan = await post("/api/scans", this.#last[1]);
      this.#dialog.close();
      this.hands.opened(scan);
    });
    this.confirm.disabled = this.#chosen === null;
  }

  async #try(work) {
    fill(this.error);
    try {
      await work();
    } catch (error) {
      fill(this.error, error.message);
      if (error.series) this.form?.chooseSeries(error.series);
    }
  }

  /** Ask which series of the folder opened last is meant; what else was declared stays. */
  async series(series) {
    const [source, told] = this.#last ?? [];
    await this.show();
    if (!source) return;
    this.#choose(source);
    this.#list();
    this.form.restore(told, null);
    this.form.chooseSeries(series);
  }
}
