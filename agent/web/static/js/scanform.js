// What is declared about a scan when it is opened.

import { fill, h } from "./dom.js";

/** Whether a source holds masks rather than a scan. */
export function isMask(source) {
  return source.kind === "labels" || source.kind === "masks";
}

/**
 * @param {any} source the scan
 * @param {any[]} sources everything that may be opened, for masks and earlier scans
 * @param {{phases: string[], class_maps: string[]}} options
 */
export function scanForm(source, sources, options) {
  const beside = source.labels.map((one) => one.id);
  const masks = [
    ...source.labels,
    ...sources.filter((one) => isMask(one) && !beside.includes(one.id) && one.id !== source.id),
  ];
  const scans = sources.filter((one) => !isMask(one) && one.id !== source.id);
  // Of several of one name, as after a second upload, one is meant.
  const suggested = new Map(source.labels.map((one) => [one.name, one.id]).reverse());
  const labels = checks("labels", masks, new Set(suggested.values()));
  const priorLabels = checks(
    "prior_labels",
    sources.filter((one) => isMask(one)),
    new Set(),
  );
  const classMap = select("class_map", "The masks' own names", options.class_maps);
  const phase = select("phase", "Not known", options.phases);
  const prior = select("prior", "None", []);
  prior.append(...scans.map((one) => h("option", { value: one.id }, one.name)));
  const patient = h("input", {
    type: "text",
    placeholder: "age=63,sex=F",
    autocomplete: "off",
    data: { testid: "open-patient" },
  });
  const series = h("div", { class: "series" });
  const element = h(
    "form",
    { class: "scan-form", on: { submit: (event) => event.preventDefault() } },
    h("h3", { class: "name" }, source.name),
    series,
    h("fieldset", {}, h("legend", {}, "Masks"), labels.element),
    field("Names of the labels", classMap),
    field("Contrast phase", phase),
    field("Patient facts", patient),
    h(
      "details",
      {},
      h("summary", {}, "Compare with an earlier scan"),
      field("Earlier scan", prior),
      h("fieldset", {}, h("legend", {}, "Its masks"), priorLabels.element),
    ),
  );
  return {
    element,
    value: () => {
      const uid = series.querySelector("input:checked")?.value;
      const told = {
        source: source.id,
        labels: labels.chosen(),
        class_map: classMap.value,
        phase: phase.value,
        patient: patient.value.trim(),
        series: uid,
        prior: prior.value,
      };
      if (prior.value) told.prior_labels = priorLabels.chosen();
      return Object.fromEntries(Object.entries(told).filter(([, value]) => value));
    },
    /** Take over what was declared before, with masks that have just come, if any. */
    restore: (told, added) => {
      labels.set(new Set([...(told.labels ?? []), added]));
      prior.value = told.prior ?? "";
      priorLabels.set(new Set(told.prior_labels ?? []));
      classMap.value = told.class_map ?? "";
      phase.value = told.phase ?? "";
      patient.value = told.patient ?? "";
    },
    chooseSeries: (lines) => {
      const rows = Object.entries(lines).map(([uid, line], at) =>
        h(
          "label",
          { class: "check" },
          h("input", { type: "radio", name: "series", value: uid, checked: at === 0 }),
          h("span", {}, line),
        ),
      );
      fill(series, h("fieldset", { data: { testid: "series" } }, h("legend", {}, "Which series?"), rows));
      series.scrollIntoView({ block: "nearest" });
    },
  };
}

function field(label, control) {
  return h("label", { class: "field" }, h("span", {}, label), control);
}

function select(name, none, values) {
  return h(
    "select",
    { name, data: { testid: `open-${name}` } },
    h("option", { value: "" }, none),
    values.map((one) => h("option", { value: one }, one)),
  );
}

function checks(name, items, chosen) {
  const boxes = items.map((one) => h("input", { type: "checkbox", name, value: one.id, checked: chosen.has(one.id) }));
  const rows = items.map((one, at) => h("label", { class: "check" }, boxes[at], h("span", {}, one.name)));
  return {
    element: h(
      "div",
      { class: "checks" },
      rows.length > 0 ? rows : h("p", { class: "empty" }, "None beside it; upload some, or let the engines segment."),
    ),
    chosen: () => boxes.filter((box) => box.checked).map((box) => box.value),
    set: (ids) =>
      boxes.forEach((box) => {
        box.checked = ids.has(box.value);
      }),
  };
}
