// Light, dark, or as the system has it; remembered in this browser.

import { button, fill, icon, h } from "./dom.js";
import { recall, remember } from "./memory.js";

const CHOICES = ["auto", "light", "dark"];
const NAMES = { auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };

function apply(choice) {
  if (choice === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
}

/** The button that goes from one to the next. */
export function themeButton() {
  let choice = recall("theme", "auto");
  if (!CHOICES.includes(choice)) choice = "auto";
  const toggle = button(NAMES[choice], { class: "quiet round", hide: true, icon: choice, test: "theme" });
  apply(choice);
  toggle.addEventListener("click", () => {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
    remember("theme", choice);
    apply(choice);
    fill(toggle, icon(choice), h("span", { class: "hidden-text" }, NAMES[choice]));
    toggle.title = NAMES[choice];
    toggle.setAttribute("aria-label", NAMES[choice]);
  });
  return toggle;
}
