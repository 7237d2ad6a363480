// A sentence, cut where its numbers and names are bound to evidence.

import { h } from "./dom.js";

// Reasons, sources and methods are long; they are bound, but do not stand out.
const QUIET = new Set(["method", "reason"]);

/**
 * Cut a text at its bindings; one that lies beside the text or within another has nothing of its own to mark.
 * @param {string} text
 * @param {{start: number, end: number, evidence: string, field: string}[]} bindings in characters (code points)
 * @returns {{text: string, binding: object|null}[]}
 */
export function segments(text, bindings) {
  const characters = Array.from(text);
  const cut = (from, to) => characters.slice(from, to).join("");
  const parts = [];
  let at = 0;
  const ordered = [...bindings].sort((a, b) => a.start - b.start || a.end - b.end);
  for (const binding of ordered) {
    if (!(at <= binding.start && binding.start < binding.end && binding.end <= characters.length)) continue;
    if (binding.start > at) parts.push({ text: cut(at, binding.start), binding: null });
    parts.push({ text: cut(binding.start, binding.end), binding });
    at = binding.end;
  }
  if (at < characters.length) parts.push({ text: cut(at), binding: null });
  return parts;
}

/**
 * The sentence as nodes: bound text is a button that shows its evidence; evidence bound to no text follows as
 * numbered references.
 * @param {{text: string, bindings: object[], evidence: string[]}} sentence
 * @param {import("./evidence.js").Desk} desk
 * @param {string} run
 */
export function sentence(sentence, desk, run) {
  const bound = new Set(sentence.bindings.map((one) => one.evidence));
  const rest = sentence.evidence.filter((id) => !bound.has(id));
  return h(
    "span",
    { class: "said" },
    segments(sentence.text, sentence.bindings).map(({ text, binding }) => {
      if (!binding) return text;
      const quiet = QUIET.has(binding.field) || binding.field.startsWith("details.");
      return chip(text, binding.evidence, desk, run, quiet ? "bound quiet-bound" : "bound");
    }),
    rest.length > 0 &&
      h(
        "span",
        { class: "refs" },
        rest.map((id, at) => chip(String(at + 1), id, desk, run, "ref", `Evidence ${at + 1}`)),
      ),
  );
}

/**
 * What shows one piece of evidence when it is pressed. Not a button element: those cannot break across lines, and some
 * bound texts are long.
 */
export function chip(text, id, desk, run, kind, label = null) {
  const look = () => desk.peek(run, id);
  const leave = () => desk.peek(null, null);
  const go = (event) => desk.show(run, id, event.currentTarget);
  const key = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    go(event);
  };
  return h(
    "span",
    {
      class: kind,
      role: "button",
      tabindex: "0",
      "aria-label": label,
      data: { evidence: id, testid: "evidence-chip" },
      on: { click: go, keydown: key, mouseenter: look, mouseleave: leave, focus: look, blur: leave },
    },
    text,
  );
}
