// A report in the chat: status, answers, pathology, impression, findings, what was not assessed.

import { button, h } from "./dom.js";
import { quantity } from "./format.js";
import { checks, findings, listed, pictures } from "./sections.js";
import { chip, sentence } from "./sentence.js";

const STATES = {
  measured: "Measured",
  absent: "Absent",
  not_measurable: "Not measurable",
  not_assessed: "Not assessed",
};
const PATHOLOGY = [
  ["diagnosis", "Diagnosis"],
  ["ct", "cT"],
  ["cn", "cN"],
  ["cm", "cM"],
  ["stage", "Stage"],
];
const VERBS = { approve: "Approved by", override: "Overridden by", correct: "Masks corrected by" };

/**
 * @param {any} run with its report
 * @param {{desk: import("./evidence.js").Desk, ask: (question: string) => void, wrong: (thing: any) => void}} hands
 * @returns {HTMLElement}
 */
export function report(run, hands) {
  const { report: told } = run;
  const teller = new Teller(run, hands);
  return h(
    "div",
    { class: "report", data: { testid: "report" } },
    teller.answers(),
    teller.choices(),
    teller.status(),
    teller.pathology(),
    teller.sentences("Impression", "impression", told.impression),
    findings(told, teller.given, (item, at) => teller.sentence(item, "finding", at)),
    listed("Not assessed", told.not_assessed, "not-assessed"),
    listed("Limitations", told.limitations, "limitations"),
    teller.reviews(),
    pictures(run.id, told.pictures),
    checks(told),
  );
}

/** Questions that may be asked next. */
export function suggestions(run, hands) {
  if (!run.next?.length) return null;
  return h(
    "div",
    { class: "next", role: "group", "aria-label": "Suggested questions", data: { testid: "next" } },
    run.next.map((question) => button(question, { class: "suggestion", press: () => hands.ask(question) })),
  );
}

class Teller {
  constructor(run, hands) {
    this.run = run;
    this.told = run.report;
    this.hands = hands;
    this.claims = new Map(run.claims.map((one) => [`${one.where} ${one.index}`, one.id]));
    this.said = this.told.reviews ?? [];
  }

  get given() {
    return this.told.answers?.length > 0 ? this.told.answers : [this.told.answer].filter(Boolean);
  }

  answers() {
    const { given } = this;
    const order = this.told.said?.length > 0 ? this.told.said : given.map((_, at) => at);
    return order.map((at) => {
      const answer = given[at];
      return h(
        "div",
        { class: `answer ${answer.state}`, data: { testid: "answer" } },
        given.length > 1 && answer.question && h("p", { class: "part-question dim" }, answer.question),
        answer.read_as && h("p", { class: "dim" }, "Read as: ", answer.read_as),
        this.sentence(answer, "answer", at),
        h(
          "p",
          { class: "answer-foot" },
          h("span", { class: `badge ${answer.state}` }, STATES[answer.state]),
          answer.option &&
            h("span", { class: "option", data: { testid: "option" } }, "Option ", h("strong", {}, answer.option)),
          answer.reason && !answer.text.includes(answer.reason) && h("span", { class: "dim" }, answer.reason),
        ),
      );
    });
  }

  choices() {
    const { choices } = this.run;
    if (!choices?.length) return null;
    return h(
      "div",
      { class: "choices", role: "group", "aria-label": "Which do you mean?", data: { testid: "choices" } },
      h("p", {}, "Which do you mean?"),
      choices.map((question) => button(question, { class: "choice", press: () => this.hands.ask(question) })),
    );
  }

  status() {
    const { status, rounds } = this.told;
    const { word, meaning, tone, reasons } = this.run.shown;
    const names = [...new Set(this.said.map((one) => one.reviewer))];
    return h(
      "div",
      { class: `status ${tone}`, data: { testid: "status", status } },
      h(
        "p",
        {},
        h("span", { class: `badge ${tone}` }, word),
        names.length > 0 && h("span", { class: "badge reviewed" }, `Reviewed by ${names.join(", ")}`),
        h("span", { class: "dim" }, `${meaning} ${rounds} round${rounds === 1 ? "" : "s"}.`),
      ),
      reasons.length > 0 &&
        h(
          "ul",
          { class: "reasons" },
          reasons.map((text) => h("li", {}, text)),
        ),
    );
  }

  wrong(claim, text, where) {
    this.hands.wrong({ run: this.run, claim, text, where });
  }

  /** A claim with its evidence, the way to object, and what reviewers said of it. */
  sentence(item, where, at) {
    const claim = this.claims.get(`${where} ${at}`) ?? null;
    return h(
      "div",
      { class: "sentence", data: { cards: "" } },
      h(
        "p",
        {},
        sentence(item, this.hands.desk, this.run.id),
        claim && this.run.reviewable && this.#flag(claim, item.text, where),
      ),
      this.#overridden(claim),
    );
  }

  #flag(claim, text, where) {
    return button("This is wrong", {
      icon: "flag",
      hide: true,
      class: "quiet tiny flag",
      press: () => this.wrong(claim, text, where),
      test: "wrong",
    });
  }

  #overridden(claim) {
    if (!claim) return null;
    return this.said.filter((one) => one.about === claim).map((one) => this.#review(one));
  }

  #review(one) {
    const fields = one.pathology
      ? PATHOLOGY.filter(([key]) => one.pathology[key]).map(([key, name]) => `${name} ${one.pathology[key]}`)
      : [];
    const says = [one.says, fields.join(", ")].filter(Boolean).join("; ");
    const changes = (one.changes ?? []).map(changed);
    return h(
      "div",
      { class: `review-note ${one.kind}`, data: { testid: "review-note" } },
      h(
        "p",
        {},
        h("strong", {}, `${VERBS[one.kind] ?? one.kind} ${one.reviewer}`),
        says && `: ${says}`,
        one.reason && h("span", { class: "dim" }, ` (${one.reason})`),
      ),
      changes.length > 0 &&
        h(
          "ul",
          {},
          changes.map((text) => h("li", {}, text)),
        ),
      h(
        "p",
        { class: "dim" },
        h(
          "a",
          { href: `/api/runs/${this.run.id}/reviews/${one.number}/report?format=html&download=true`, download: "" },
          "The report before it",
        ),
      ),
      one.kind === "override" && one.machine && h("p", { class: "dim" }, "The machine said: ", one.machine),
    );
  }

  pathology() {
    const { pathology } = this.told;
    if (!pathology) return null;
    const claim =
      this.claims.get("pathology 0") ?? this.run.claims.find((one) => one.where === "pathology")?.id ?? null;
    const text = PATHOLOGY.map(([key, name]) => `${name}: ${pathology[key] ?? "–"}`).join(", ");
    const rows = PATHOLOGY.map(([key, name]) => [name, pathology[key] ?? "–"]);
    if (pathology.differential?.length > 0) rows.push(["Differential", pathology.differential.join(", ")]);
    if (pathology.confidence !== null && pathology.confidence !== undefined)
      rows.push(["Confidence", pathology.confidence.toFixed(2)]);
    return h(
      "section",
      { class: "part pathology", data: { cards: "", testid: "pathology" } },
      h("h3", {}, "Pathology", claim && this.run.reviewable && this.#flag(claim, text, "pathology")),
      h(
        "dl",
        { class: "facts" },
        this.run.pathology_of.map(([name, value]) =>
          h("div", { class: "wide-fact" }, h("dt", {}, name), h("dd", {}, value)),
        ),
        rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
      ),
      pathology.evidence?.length > 0 &&
        h(
          "p",
          { class: "refs-line dim" },
          "Rests on ",
          pathology.evidence.map((id, at) =>
            chip(String(at + 1), id, this.hands.desk, this.run.id, "ref", `Evidence ${at + 1}`),
          ),
        ),
      this.#overridden(claim),
    );
  }

  sentences(title, where, items) {
    if (!items?.length) return null;
    return h(
      "section",
      { class: "part" },
      h("h3", {}, title),
      h(
        "ul",
        { class: "sentences" },
        items.map((item, at) => h("li", {}, this.sentence(item, where, at))),
      ),
    );
  }

  /** Reviews of the whole, and of what is no longer said. */
  reviews() {
    const shown = new Set(this.claims.values());
    const rest = this.said.filter((one) => !shown.has(one.about));
    if (rest.length === 0) return null;
    return h(
      "section",
      { class: "part" },
      h("h3", {}, "Reviews"),
      rest.map((one) => this.#review(one)),
    );
  }
}

/** A correction of a mask in words. */
function changed({ name, before, after, note }) {
  const amount = ({ lesions, volume_cm3: volume }) =>
    `${lesions} component${lesions === 1 ? "" : "s"}, ${quantity(volume, "cm3")}`;
  return `${name}: ${amount(before)} before, ${amount(after)} after.${note ? ` ${note}` : ""}`;
}
