// Uploads: how far each is, stopping it, and files dropped anywhere on the page.

import { upload } from "./api.js";
import { button, fill, h } from "./dom.js";
import { bytes } from "./format.js";

/**
 * Send files one after another.
 * @param {File[]} files
 * @param {HTMLElement} place where their progress is shown
 * @param {number|null} limit in bytes
 * @param {(source: any) => void} arrived
 */
export async function sendFiles(files, place, limit, arrived) {
  for (const file of files) await sendFile(file, place, limit, arrived);
}

async function sendFile(file, place, limit, arrived) {
  const stop = new AbortController();
  const bar = h("progress", { max: "1", value: 0, "aria-label": `Uploading ${file.name}` });
  const said = h("span", { class: "dim" }, bytes(file.size));
  const row = h(
    "div",
    { class: "upload", data: { testid: "upload" } },
    h("span", { class: "name" }, file.name),
    bar,
    said,
  );
  const cancel = button("Cancel", { class: "small", press: () => stop.abort() });
  row.append(cancel);
  place.append(row);
  try {
    if (limit && file.size > limit) {
      throw new Error(
        `${file.name} has ${bytes(file.size)}, and this server takes ${bytes(limit)} at most; put it into a folder that the server offers instead.`,
      );
    }
    const source = await upload(file, {
      signal: stop.signal,
      progress: (sent, total) => {
        bar.value = total ? sent / total : 0;
        fill(said, sent >= total ? "Checking…" : `${bytes(sent)} of ${bytes(total)}`);
      },
    });
    row.remove();
    arrived(source);
  } catch (error) {
    if (error.name === "AbortError") row.remove();
    else
      fill(
        row,
        h("span", { class: "error", role: "alert" }, error.message),
        button("Dismiss", { class: "small", press: () => row.remove() }),
      );
  }
}

/**
 * Take files that are dropped anywhere.
 * @param {HTMLElement} curtain shown while something is dragged over the page
 * @param {(files: File[]) => void} take
 */
export function dropZone(curtain, take) {
  let depth = 0;
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const show = (on) => {
    curtain.hidden = !on;
    // A modal dialog lies above everything but what is inside of it.
    if (on) (document.querySelector("dialog[open]") ?? document.body).append(curtain);
    else document.body.append(curtain);
  };
  addEventListener("dragenter", (event) => {
    if (!carries(event)) return;
    depth += 1;
    show(true);
  });
  addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  addEventListener("dragleave", (event) => {
    if (!carries(event)) return;
    depth -= 1;
    if (depth <= 0) show(false);
  });
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    take([...event.dataTransfer.files]);
  });
}
