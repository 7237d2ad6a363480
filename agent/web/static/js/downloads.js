// What a finished run leaves: the report in three forms, its print, its trace and the check of the trace.

import { get } from "./api.js";
import { button, fill, h } from "./dom.js";
import { toast } from "./dialog.js";

const FORMS = [
  ["html", "HTML"],
  ["md", "Markdown"],
  ["json", "JSON"],
];

/** @param {string} run @param {(() => void)|null} review of the whole report */
export function downloads(run, review) {
  const checked = h("span", { class: "trace-check", role: "status", data: { testid: "trace-check" } });
  const check = button("Check trace", { class: "link", press: () => checkTrace(run, checked), test: "check-trace" });
  return h(
    "div",
    { class: "downloads", role: "group", "aria-label": "Downloads", data: { testid: "downloads" } },
    h("span", { class: "dim" }, "Report"),
    FORMS.map(([form, name]) =>
      h("a", { href: `/api/runs/${run}/report?format=${form}&download=true`, download: "" }, name),
    ),
    button("Print / PDF", { class: "link", press: () => print(run), test: "print" }),
    h("span", { class: "dim" }, "Trace"),
    h("a", { href: `/api/runs/${run}/trace?download=true`, download: "" }, "Download"),
    check,
    checked,
    review && button("Review the whole", { class: "link", press: review, test: "review-whole" }),
  );
}

function print(run) {
  const tab = window.open(`/api/runs/${run}/report?format=html`, "_blank");
  if (!tab) toast("The browser did not open the report; allow this page to open tabs, or download the HTML.");
  else tab.addEventListener("load", () => tab.print(), { once: true });
}

async function checkTrace(run, place) {
  fill(place, "Checking…");
  try {
    const { ok, events, problems } = await get(`/api/runs/${run}/trace/check`);
    place.className = `trace-check ${ok ? "ok" : "fail"}`;
    fill(place, ok ? `Unchanged: ${events} events` : problems.join(" "));
  } catch (error) {
    place.className = "trace-check fail";
    fill(place, error.message);
  }
}
