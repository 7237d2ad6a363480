// Signing in with the server's token, where it asks for one.

import { get, post, remove } from "./api.js";
import { button, fill, h } from "./dom.js";
import { show } from "./dialog.js";

/** Resolves with the server's status once one may use it. */
export async function signedIn() {
  const status = await get("/api/status");
  if (!status.needs_token || status.signed_in) return status;
  await askToken();
  return get("/api/status");
}

/** The screen that asks for the token. */
export function askToken() {
  return new Promise((resolve) => {
    const field = h("input", {
      type: "password",
      id: "token",
      autocomplete: "off",
      required: true,
      data: { testid: "token" },
    });
    const error = h("p", { class: "error", role: "alert" });
    const submit = button("Sign in", { class: "primary", test: "sign-in", type: "submit" });
    const form = h(
      "form",
      { class: "sign-in" },
      h("p", {}, "This server asks for a token: the one that it was started with."),
      h("label", { class: "field" }, h("span", {}, "Token"), field),
      error,
      submit,
    );
    const dialog = show("Sign in", form, { class: "small", closable: false, test: "sign-in-dialog", closed: resolve });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      submit.disabled = true;
      fill(error);
      try {
        await post("/api/session", { token: field.value });
        dialog.close();
      } catch (problem) {
        fill(error, problem.message);
        field.select();
      }
      submit.disabled = false;
    });
    field.focus();
  });
}

/** Forget this browser's session. */
export async function signOut() {
  await remove("/api/session");
}
