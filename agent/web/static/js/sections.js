// The long parts of a report: findings by structure, lists that stay in view, pictures, checks.

import { debounced, fill, h } from "./dom.js";
import { capital, words } from "./format.js";

const OUTCOMES = { pass: "pass", fail: "fail", not_applicable: "not applicable" };
const FILTER_FROM = 8;

/**
 * Findings in groups by what they are about, folded, with a filter.
 * @param {any} told the report
 * @param {any[]} answers what they say is not said again
 * @param {(item: any, at: number) => HTMLElement} render
 */
export function findings(told, answers, render) {
  const said = new Set(answers.map((one) => one.text));
  // Numbered before any is left out: claims are found by their number.
  const items = (told.findings ?? []).map((item, at) => [item, at]).filter(([item]) => !said.has(item.text));
  if (items.length === 0) return null;
  const few = items.length <= FILTER_FROM;
  const groups = grouped(told, items);
  const blocks = groups.map(([name, members]) => group(name, members, render));
  return h(
    "section",
    { class: "part", data: { testid: "findings" } },
    h("h3", {}, "Findings", h("span", { class: "count" }, ` ${items.length}`)),
    !few && filter(groups, blocks),
    few
      ? h(
          "ul",
          { class: "sentences" },
          items.map(([item, at]) => h("li", {}, render(item, at))),
        )
      : blocks,
  );
}

function grouped(told, items) {
  const groups = new Map();
  items.forEach(([item, at]) => {
    const named = item.bindings.find((one) => one.field === "target");
    const id = named?.evidence ?? item.evidence[0];
    const target = told.evidence[id]?.target ?? "others";
    if (!groups.has(target)) groups.set(target, []);
    groups.get(target).push([item, at]);
  });
  return [...groups].map(([target, members]) => [called(target, members), members]);
}

/** What the sentences call a target, else its identifier as words. */
function called(target, members) {
  for (const [{ text, bindings }] of members) {
    const named = bindings.find((one) => one.field === "target");
    if (named) return Array.from(text).slice(named.start, named.end).join("");
  }
  return words(target);
}

function group(name, members, render) {
  const list = h("ul", { class: "sentences" });
  const block = h(
    "details",
    { class: "finding-group" },
    h("summary", {}, h("span", {}, capital(name)), h("span", { class: "count" }, members.length)),
    list,
  );
  // A report of everything has hundreds of findings: those that nobody opens are not built.
  block.addEventListener("toggle", () => {
    if (block.open && list.childNodes.length === 0)
      fill(
        list,
        members.map(([item, at]) => h("li", {}, render(item, at))),
      );
  });
  return block;
}

function filter(groups, blocks) {
  const field = h("input", {
    type: "search",
    class: "finding-filter",
    placeholder: "Filter findings",
    "aria-label": "Filter findings",
  });
  const apply = debounced(() => {
    const wanted = field.value.trim().toLowerCase();
    groups.forEach(([name, members], at) => {
      const found = name.toLowerCase().includes(wanted) || members.some(([item]) => item.text.toLowerCase().includes(wanted));
      blocks[at].hidden = wanted !== "" && !found;
    });
  }, 120);
  field.addEventListener("input", apply);
  return field;
}

/** What may not be overlooked stays open; what is long scrolls. */
export function listed(title, items, test) {
  if (!items?.length) return null;
  return h(
    "section",
    { class: "part caveat", data: { testid: test } },
    h("h3", {}, title, h("span", { class: "count" }, ` ${items.length}`)),
    h(
      "ul",
      { class: "caveats", tabindex: "0", "aria-label": title },
      items.map((text) => h("li", {}, text)),
    ),
  );
}

/** The pictures of a run, fetched when they are opened. */
export function pictures(run, given) {
  if (!given?.length) return null;
  const place = h("div", { class: "pictures" });
  const block = h(
    "details",
    { class: "part fold" },
    h("summary", {}, "Pictures", h("span", { class: "count" }, given.length)),
    place,
  );
  block.addEventListener("toggle", () => {
    if (!block.open || place.childNodes.length > 0) return;
    fill(
      place,
      given.map((picture) => {
        const name = picture.path.split("/").at(-1);
        return h(
          "figure",
          {},
          h("img", {
            src: `/api/runs/${run}/images/${encodeURIComponent(name)}`,
            alt: picture.caption,
            loading: "lazy",
          }),
          h("figcaption", {}, picture.caption),
        );
      }),
    );
  });
  return block;
}

/** What each gate said in each round. */
export function checks(told) {
  if (!told.verdicts?.length) return null;
  const rows = told.verdicts.map((one) =>
    h(
      "tr",
      {},
      h("td", {}, one.round),
      h("td", {}, one.gate),
      h("td", { class: `outcome ${one.outcome}` }, OUTCOMES[one.outcome] ?? one.outcome),
      h("td", {}, one.reason),
    ),
  );
  const head = h(
    "thead",
    {},
    h(
      "tr",
      {},
      ["Round", "Gate", "Outcome", "Reason"].map((name) => h("th", { scope: "col" }, name)),
    ),
  );
  return h(
    "details",
    { class: "part fold" },
    h("summary", {}, "Checks", h("span", { class: "count" }, rows.length)),
    h("div", { class: "wide" }, h("table", {}, head, h("tbody", {}, rows))),
  );
}
