// The question box.

import { button, h } from "./dom.js";
import { recall, remember } from "./memory.js";

const DRAFT = "draft";

/**
 * @param {{ask: (question: string|null, options: string[]) => void, stop: () => void, limit: number}} hands
 */
export function composer({ ask, stop, limit }) {
  const box = h("textarea", {
    id: "question",
    rows: "2",
    maxlength: String(limit),
    placeholder: "Ask about this scan",
    "aria-label": "Question",
    data: { testid: "question" },
  });
  const send = button("Ask", { class: "primary", icon: "send", test: "ask" });
  const halt = button("Stop", { class: "danger", icon: "stop", test: "stop", hidden: true });
  const everything = button("Report on everything", { class: "quiet", test: "everything" });
  const options = h("textarea", {
    rows: "3",
    placeholder: "One option a line, for a multiple-choice question",
    "aria-label": "Options to choose from, one a line",
    data: { testid: "options" },
  });
  const choose = h("details", { class: "options-fold" }, h("summary", {}, "Options"), options);
  const given = () =>
    options.value
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);
  const grow = () => {
    box.style.setProperty("height", "auto");
    box.style.setProperty("height", `${Math.min(box.scrollHeight + 2, 180)}px`);
  };
  const submit = () => {
    const question = box.value.trim();
    if (!question || send.disabled || send.hidden) return;
    ask(question, given());
    box.value = "";
    options.value = "";
    choose.open = false;
    grow();
    box.focus();
  };
  box.addEventListener("input", grow);
  box.addEventListener("keydown", (event) => {
    // Enter also ends the composing of a word in some scripts; that one is not for us.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  send.addEventListener("click", submit);
  halt.addEventListener("click", stop);
  everything.addEventListener("click", () => ask(null, []));
  const foot = [everything, choose, h("span", { class: "dim hint" }, "Enter sends, Shift+Enter breaks the line")];
  return {
    element: h(
      "form",
      { class: "composer", on: { submit: (event) => event.preventDefault() } },
      h("div", { class: "composer-box" }, box, h("div", { class: "composer-buttons" }, halt, send)),
      h("div", { class: "composer-foot" }, foot),
    ),
    focus: () => box.focus(),
    /** Keep what is typed over a reload of the page. */
    keep: () => remember(DRAFT, box.value),
    kept: () => {
      box.value = recall(DRAFT, "");
      remember(DRAFT, "");
      grow();
    },
    /** Put a question into the box without asking it. */
    fill: (text) => {
      box.value = text;
      grow();
      box.focus();
    },
    /** @param {{ready: boolean, sending: boolean, running: boolean}} state */
    update: ({ ready, sending, running }) => {
      // A control that goes takes the focus with it.
      const going = running ? [send, everything] : sending ? [everything] : [halt];
      if (going.includes(document.activeElement)) box.focus();
      send.disabled = !ready || sending;
      everything.disabled = !ready || sending || running;
      box.placeholder = ready ? "Ask about this scan" : "Open a scan to ask about it";
      halt.hidden = !running;
      send.hidden = running;
    },
  };
}
