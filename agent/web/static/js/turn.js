// One question and what comes of it: waiting, steps while it runs, the report, or why there is none.

import { get, post } from "./api.js";
import { announce, button, fill, h } from "./dom.js";
import { downloads } from "./downloads.js";
import { moment } from "./format.js";
import { report, suggestions } from "./report.js";
import { Steps, followRun } from "./steps.js";
import { toast } from "./dialog.js";

const ENDED = new Set(["done", "failed", "cancelled"]);
const EVERYTHING = "Report on everything";

/** A turn of the conversation. Tells `changed` when its state or its report does. */
export class Turn extends EventTarget {
  #stream = null;

  /** @param {any} summary of the run @param {any} hands as the report needs them */
  constructor(summary, hands) {
    super();
    this.summary = summary;
    this.hands = hands;
    /** The run with its report, once it is there. */
    this.run = null;
    this.steps = new Steps();
    this.live = h("div", { class: "live" });
    this.result = h("div", { class: "result" });
    this.element = h(
      "article",
      { class: "turn", tabindex: "-1", data: { testid: "turn", run: summary.id }, "aria-label": summary.question ?? EVERYTHING },
      h(
        "div",
        { class: "question" },
        h("p", {}, summary.question ?? EVERYTHING),
        h("time", { class: "dim" }, moment(summary.created)),
      ),
      this.live,
      this.result,
    );
    this.#show();
  }

  get id() {
    return this.summary.id;
  }

  get running() {
    return !ENDED.has(this.summary.state);
  }

  /** Start following what runs; what has ended is loaded when it is looked at. */
  start() {
    if (this.running) this.#follow();
  }

  /** Stop following; the run goes on. */
  leave() {
    this.#stream?.close();
    this.#stream = null;
  }

  async cancel() {
    await this.#command("cancel");
  }

  /** Take what the server says of the run now. */
  take(summary) {
    const was = this.running;
    this.summary = { ...this.summary, ...summary };
    if (this.running && !was) this.#follow();
    this.#show();
    this.dispatchEvent(new Event("changed"));
  }

  /** Load the report, if there is one and it is not there yet. */
  async load() {
    if (this.run || this.loading || this.summary.state !== "done") return;
    this.loading = true;
    try {
      this.run = await get(`/api/runs/${this.id}`);
      this.summary = { ...this.summary, status: this.run.status, state: this.run.state };
      this.#show();
      this.dispatchEvent(new Event("changed"));
    } catch (error) {
      fill(this.result, h("p", { class: "error" }, error.message), button("Try again", { press: () => this.load() }));
    } finally {
      this.loading = false;
    }
  }

  #follow() {
    this.leave();
    this.steps.clear();
    this.#stream = followRun(
      this.id,
      this.steps,
      (summary) => this.#state(summary),
      () => this.#lost(),
    );
  }

  #state(summary) {
    this.summary = { ...this.summary, ...summary };
    if (!this.running) {
      this.leave();
      this.run = null;
      this.hands.desk.forget(this.id);
      this.load();
      announce(
        this.summary.state === "done"
          ? `Answer ready. ${this.summary.answer ?? ""}`
          : `The run has ${this.summary.state === "failed" ? "failed" : "been stopped"}.`,
      );
    }
    this.#show();
    this.dispatchEvent(new Event("changed"));
  }

  async #lost() {
    this.leave();
    try {
      this.take(await get(`/api/runs/${this.id}`));
    } catch (error) {
      fill(this.live, h("p", { class: "error" }, error.message), button("Try again", { press: () => this.#follow() }));
    }
  }

  async #command(what) {
    try {
      this.take(await post(`/api/runs/${this.id}/${what}`));
    } catch (error) {
      toast(error.message);
    }
  }

  #show() {
    const within = this.element.contains(document.activeElement);
    this.#showState();
    // A button that was pressed may be gone now; its user goes on from here.
    if (within && !this.element.contains(document.activeElement)) this.element.focus({ preventScroll: true });
  }

  #showState() {
    const { state } = this.summary;
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", String(this.running));
    if (this.running) this.#showLive();
    else fill(this.live);
    if (state === "done") this.#showDone();
    else if (state === "failed")
      this.#showBroken(
        this.summary.error?.message ?? this.summary.error ?? "The run failed without a reason.",
        "error",
      );
    else if (state === "cancelled") this.#showBroken("Stopped before it was done.", "dim");
    else if (!this.run) fill(this.result);
  }

  #showLive() {
    if (this.summary.state === "queued") this.steps.waiting(this.summary.position);
    if (this.live.childNodes.length > 0) return;
    fill(
      this.live,
      this.steps.line,
      h("details", { class: "step-fold", open: true }, h("summary", {}, "Steps"), this.steps.list),
    );
  }

  #showDone() {
    if (!this.run) {
      fill(
        this.result,
        h(
          "div",
          { class: "skeleton", "aria-busy": "true" },
          this.summary.answer ? h("p", {}, this.summary.answer) : h("p", { class: "bone" }),
        ),
      );
      return;
    }
    const { run, hands } = this;
    const whole = () => hands.wrong({ run, claim: null, text: "The whole report", where: "whole" });
    fill(
      this.result,
      run.report && report(run, hands),
      this.#fold(),
      downloads(this.id, run.reviewable ? whole : null),
      run.choices?.length ? null : suggestions(run, hands),
    );
  }

  #showBroken(text, kind) {
    fill(
      this.result,
      h("p", { class: kind, data: { testid: "turn-error" } }, text),
      h("p", {}, button("Go on with it", { icon: "reset", press: () => this.#command("resume"), test: "resume" })),
      this.#fold(),
    );
  }

  /** The steps under a finished turn; the stream tells them again when they are looked at. */
  #fold() {
    const fold = h("details", { class: "part fold" }, h("summary", {}, "Steps"), this.steps.list);
    fold.addEventListener("toggle", () => {
      if (!fold.open || this.steps.list.childNodes.length > 0 || this.running) return;
      const stream = followRun(
        this.id,
        this.steps,
        (summary) => ENDED.has(summary.state) && stream.close(),
        () => stream.close(),
      );
    });
    return fold;
  }
}
