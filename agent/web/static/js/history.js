// The list of earlier conversations.

import { get, remove } from "./api.js";
import { button, fill, h } from "./dom.js";
import { confirmed, show } from "./dialog.js";
import { moment } from "./format.js";

/**
 * @param {{open: (id: string) => void, current: () => string|null, gone: (id: string) => void}} hands
 */
export async function showHistory({ open, current, gone }) {
  const list = h("div", { class: "history", data: { testid: "history-list" } }, h("p", { class: "dim" }, "Loading…"));
  const dialog = show("Conversations", list, { class: "drawer", test: "history-dialog" });
  const row = (one) =>
    h(
      "li",
      { class: one.id === current() ? "current" : "" },
      h(
        "button",
        {
          type: "button",
          class: "history-open",
          "aria-current": one.id === current() ? "true" : null,
          on: {
            click: () => {
              dialog.close();
              open(one.id);
            },
          },
        },
        h("span", { class: "name" }, one.title || "Without a question"),
        h("span", { class: "dim" }, `${one.scan_name ?? ""} · ${moment(one.updated)}`),
      ),
      button(`Delete ${one.title}`, { icon: "bin", hide: true, class: "quiet tiny", press: () => forget(one) }),
    );
  const forget = async (one) => {
    const sure = await confirmed(
      "Delete the conversation?",
      `“${one.title}” goes from this list; its runs and their traces stay on the disk.`,
      "Delete",
    );
    if (!sure) return;
    try {
      await remove(`/api/conversations/${one.id}`);
      gone(one.id);
      await build();
    } catch (error) {
      fill(list, h("p", { class: "error" }, error.message));
    }
  };
  const build = async () => {
    try {
      const { conversations } = await get("/api/conversations");
      fill(
        list,
        conversations.length > 0
          ? h("ul", {}, conversations.map(row))
          : h("p", { class: "empty" }, "No conversations yet."),
      );
    } catch (error) {
      fill(list, h("p", { class: "error" }, error.message));
    }
  };
  await build();
}
