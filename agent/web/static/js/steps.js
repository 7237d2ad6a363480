// What a run is doing and has done: plan, tools, gates, rounds.

import { follow } from "./events.js";
import { fill, h } from "./dom.js";
import { duration } from "./format.js";

const KINDS = {
  plan: "Plan",
  tool: "Tool",
  model: "Model",
  gate: "Check",
  round: "Round",
  hops: "Follow-up",
  mask: "Masks",
  intake: "Intake",
  report: "Report",
  review: "Review",
  start: "Start",
  end: "End",
};
const SIGNS = { running: "", ok: "✓", warn: "!", fail: "✕", info: "·" };
const SAID = { running: "running", ok: "done", warn: "warning", fail: "failed", info: "" };

/** The list of steps, and the line that tells the latest. */
export class Steps {
  #rows = new Map();

  constructor() {
    this.list = h("ol", { class: "steps", data: { testid: "steps" } });
    this.now = h("span", { class: "now" }, "Starting…");
    this.bar = h("progress", { "aria-label": "Progress", max: "1", hidden: true });
    this.left = h("span", { class: "dim left" });
    this.line = h(
      "div",
      { class: "live-line", data: { testid: "live-line" } },
      h("span", { class: "spinner", "aria-hidden": "true" }),
      this.now,
      this.bar,
      this.left,
    );
  }

  /** Take a step; a later one of the same key replaces the earlier. */
  step(step) {
    const row = h(
      "li",
      { class: `step ${step.state}` },
      h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[step.state] ?? ""),
      h("span", { class: "kind" }, KINDS[step.kind] ?? step.kind),
      h("span", { class: "what" }, step.title, step.detail && h("span", { class: "dim detail" }, ` ${step.detail}`)),
      h("span", { class: "seconds dim" }, duration(step.seconds)),
      h("span", { class: "hidden-text" }, SAID[step.state] ?? step.state),
    );
    const before = step.key ? this.#rows.get(step.key) : null;
    if (before) before.replaceWith(row);
    else this.list.append(row);
    if (step.key) this.#rows.set(step.key, row);
    fill(this.now, step.round ? `Round ${step.round} · ` : "", step.title);
    this.bar.hidden = true;
    fill(this.left);
  }

  /** How far the present step is. */
  progress({ what, finished, planned, seconds_left: left }) {
    fill(this.now, what);
    this.bar.hidden = !planned;
    if (planned) this.bar.value = Math.min(1, finished / planned);
    fill(this.left, left ? `${duration(left)} left` : planned ? `${finished} of ${planned}` : "");
  }

  /** The model writes. */
  writing({ characters }) {
    fill(this.now, `The model writes (${characters} characters)`);
    this.bar.hidden = true;
    fill(this.left);
  }

  /** The server does not answer. */
  away() {
    fill(this.now, "The server does not answer; trying again…");
    this.bar.hidden = true;
    fill(this.left);
  }

  /** Where the run stands while it waits. */
  waiting(position) {
    fill(this.now, position ? `Waiting: ${position} before this one` : "Waiting to start");
  }

  /** Forget the steps; the stream will tell them again. */
  clear() {
    this.#rows.clear();
    fill(this.list);
  }
}

/**
 * Follow a run's events into its steps.
 * @param {string} run
 * @param {Steps} steps
 * @param {(summary: any) => void} state told of each change of the run's state
 * @param {() => void} [lost]
 */
export function followRun(run, steps, state, lost) {
  return follow(
    `/api/runs/${run}/events`,
    {
      step: (data) => steps.step(data),
      progress: (data) => steps.progress(data),
      writing: (data) => steps.writing(data),
      state,
    },
    lost,
    () => steps.away(),
  );
}
