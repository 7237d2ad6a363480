// The start of the page: sign in, build, open what the address names.

import { get, session } from "./api.js";
import { App } from "./app.js";
import { button, fill, h } from "./dom.js";
import { toast } from "./dialog.js";
import { listen, listenImage, showKeys } from "./keys.js";
import { askToken, signedIn, signOut } from "./session.js";
import { themeButton } from "./theme.js";
import { dropZone } from "./upload.js";

const LAYOUTS = { m: "multi", a: "axial", c: "coronal", s: "sagittal", d: "render" };

function actions(app, status) {
  return [
    button("Open a scan", { icon: "open", press: () => app.dialog.show(), test: "open", title: "Open a scan (O)" }),
    themeButton(),
    button("Keys", {
      icon: "help",
      hide: true,
      class: "quiet round",
      press: showKeys,
      test: "keys",
      title: "Keys (?)",
    }),
    status.needs_token &&
      button("Sign out", {
        icon: "key",
        hide: true,
        class: "quiet round",
        press: () => signOut().then(() => location.reload()),
        test: "sign-out",
      }),
  ];
}

function keys(app) {
  const { viewer, stage, chat } = app;
  const heard = Object.fromEntries(Object.entries(LAYOUTS).map(([key, layout]) => [key, () => viewer.show(layout)]));
  return {
    ...heard,
    "/": () => chat.composer.focus(),
    "?": showKeys,
    o: () => app.dialog.show(),
    h: () => app.history(),
    n: () => app.fresh(),
    b: stage.toggleSide,
    x: () => document.querySelector("[data-testid=outline]").click(),
    f: () => viewer.ready && viewer.reduced && (viewer.box ? viewer.whole() : viewer.part()),
    "[": () => stage.lesions.next(-1),
    "]": () => stage.lesions.next(1),
    "+": () => viewer.zoom(1.25),
    "=": () => viewer.zoom(1.25),
    "-": () => viewer.zoom(0.8),
    0: () => viewer.zoom(0),
  };
}

async function start() {
  const status = await signedIn();
  if (status.notice) fill(document.getElementById("notice"), status.notice);
  const app = new App(status, await get("/api/options"));
  await app.build();
  fill(document.getElementById("actions"), actions(app, status));
  listen(keys(app), () => app.escape());
  listenImage(app.stage.canvas, app.viewer);
  document.querySelector(".skip").addEventListener("click", (event) => {
    // The address holds the conversation; a jump within the page must not take its place.
    event.preventDefault();
    app.chat.composer.focus();
  });
  // Somebody who comes back to this page may have asked in another one.
  addEventListener("focus", () => app.chat.refresh());
  dropZone(document.getElementById("drop"), (files) => app.dialog.show(files));
  let asking = false;
  session.addEventListener("lost", async () => {
    if (asking) return;
    asking = true;
    await askToken();
    app.chat.composer.keep();
    location.reload();
  });
  addEventListener("hashchange", () => app.restore());
  addEventListener("unhandledrejection", (event) =>
    toast(event.reason?.message ?? "Something went wrong on this page; reload it."),
  );
  app.chat.composer.kept();
  await app.restore();
  return app;
}

function broken(error) {
  fill(document.querySelector("main"), h("p", { class: "error page-error", role: "alert" }, error.message));
}

// For tests, read only: `tumortrace.viewer.state()` gives {mm, hu, window, layout, level, box, visible, highlighted,
// singles, slice} as copies (mm RAS; hu and slice null until the server has told them); `tumortrace.ready` settles once the page
// is built and what its address names is open.
let state = () => null;
const ready = start().then((app) => {
  state = () => app.viewer.state();
});
Object.defineProperty(window, "tumortrace", {
  value: Object.freeze({ viewer: Object.freeze({ state: () => state() }), ready }),
});
ready.catch(broken);
