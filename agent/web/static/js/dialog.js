// Modal dialogs: the browser's own element traps the focus, closes on Escape and gives the focus back.

import { button, h } from "./dom.js";

let count = 0;

/**
 * A dialog that is shown at once, and leaves the page when it is closed.
 * @param {string} title
 * @param {Node|Node[]} body
 * @param {{footer?: Node[], class?: string, test?: string, closable?: boolean, closed?: () => void}} [options]
 * @returns {HTMLDialogElement}
 */
export function show(title, body, { footer = [], class: kind = "", test, closable = true, closed } = {}) {
  count += 1;
  const id = `dialog-${count}`;
  const dialog = h(
    "dialog",
    { class: kind, "aria-labelledby": id, data: test ? { testid: test } : {} },
    h(
      "div",
      { class: "dialog-head" },
      h("h2", { id }, title),
      closable && button("Close", { icon: "close", hide: true, class: "quiet round", press: () => dialog.close() }),
    ),
    h("div", { class: "dialog-body" }, body),
    footer.length > 0 && h("div", { class: "dialog-foot" }, footer),
  );
  dialog.addEventListener("cancel", (event) => {
    if (!closable) event.preventDefault();
  });
  dialog.addEventListener("click", (event) => {
    if (closable && event.target === dialog && outside(dialog, event)) dialog.close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

function outside(dialog, event) {
  const box = dialog.getBoundingClientRect();
  return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
}

/** Ask before something is lost. @returns {Promise<boolean>} */
export function confirmed(title, text, action) {
  return new Promise((resolve) => {
    let said = false;
    const dialog = show(title, h("p", {}, text), {
      class: "small",
      footer: [
        button("Cancel", { press: () => dialog.close() }),
        button(action, {
          class: "danger",
          press: () => {
            said = true;
            dialog.close();
          },
        }),
      ],
      closed: () => resolve(said),
    });
  });
}

/** A short message that passes, for what went wrong besides the point. */
export function toast(text, kind = "fail") {
  const note = h("div", { class: `toast ${kind}`, role: "alert" }, h("span", {}, text));
  note.append(button("Dismiss", { icon: "close", hide: true, class: "quiet round", press: () => note.remove() }));
  for (const old of document.querySelectorAll(".toast")) old.remove();
  (document.querySelector("dialog[open]") ?? document.body).append(note);
  setTimeout(() => note.remove(), 12000);
}
