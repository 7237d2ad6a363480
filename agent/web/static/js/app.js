// What happens when something is opened, asked or reviewed: the parts of the page, and how they hang together.

import { get } from "./api.js";
import { button, fill } from "./dom.js";
import { Chat } from "./chat.js";
import { Desk } from "./evidence.js";
import { showFacts } from "./header.js";
import { showHistory } from "./history.js";
import { toast } from "./dialog.js";
import { OpenDialog } from "./opendialog.js";
import { ReviewPanel } from "./review.js";
import { ready } from "./scans.js";
import { buildStage, failed, opening } from "./stage.js";
import { starters } from "./starters.js";

/** The page. */
export class App {
  #opening = new AbortController();
  #masks = new Map();

  /** @param {any} status @param {any} options of the server */
  constructor(status, options) {
    this.status = status;
    this.scan = null;
    this.places = { viewer: byId("viewer"), chat: byId("chat"), facts: byId("scan-facts") };
    this.dialog = new OpenDialog({
      options,
      limit: status.limits?.upload_bytes ?? null,
      opened: (scan) => this.begin(scan),
    });
    this.presets = options.window_presets;
  }

  async build() {
    const reviewable = () => this.chat?.latest?.run?.reviewable ?? false;
    this.stage = await buildStage(this.places.viewer, {
      presets: this.presets,
      reviewable,
      wrong: (thing) => this.#wrongMask(thing),
      open: (name) => this.dialog.show([], name),
    });
    this.viewer = this.stage.viewer;
    this.desk = new Desk(
      this.viewer,
      (run) => this.useMasks(run),
      () => this.#rest(),
    );
    this.chat = new Chat(this.places.chat, {
      desk: this.desk,
      wrong: (thing) => this.#wrong(thing),
      limit: this.status.limits?.question_chars ?? 2000,
      starters: () => starters(this.scan, this.viewer.masks),
      history: () => this.history(),
      fresh: () => this.fresh(),
    });
    this.review = new ReviewPanel(this.places.chat, this.viewer, (run) => this.#reviewed(run));
    this.chat.addEventListener("conversation", () => this.#address());
    this.chat.addEventListener("changed", ({ detail }) => this.#turned(detail));
    this.viewer.masks.addEventListener("replaced", () => this.chat.update());
    showFacts(this.places.facts, null);
  }

  /** Open what the address names. */
  async restore() {
    const [, kind, id] = location.hash.match(/^#\/(c|s)\/([a-z0-9-]{1,64})$/) ?? [];
    try {
      if (kind === "c") await this.open(id);
      else if (kind === "s") await this.#openScan(await get(`/api/scans/${id}`));
    } catch (error) {
      toast(error.message);
      this.#put("");
    }
  }

  /** A scan was chosen: open it, and begin a conversation about it. */
  async begin(scan) {
    this.chat.set(null);
    await this.#openScan(scan);
    if (this.scan) this.chat.composer.focus();
  }

  /** Open an earlier conversation, and its scan. */
  async open(id) {
    try {
      const conversation = await get(`/api/conversations/${id}`);
      this.review.close();
      if (this.scan?.id !== conversation.scan) this.chat.setScan(null);
      this.chat.set(conversation);
      if (this.scan?.id === conversation.scan) {
        // Where something was answered, its masks come with the answer.
        if (!conversation.turns.some((one) => one.state === "done")) await this.#rest();
        return;
      }
      await this.#openScan(await get(`/api/scans/${conversation.scan}`));
    } catch (error) {
      if (error.code === "not_found" && this.chat.conversation?.id === id) this.#gone();
      else throw error;
    }
  }

  #gone() {
    this.scan = null;
    this.viewer.close();
    showFacts(this.places.facts, null);
    failed(
      this.places.viewer,
      "The scan of this conversation is not open any more; the conversation can still be read.",
      button("Open a scan", { press: () => this.dialog.show() }),
    );
  }

  async #openScan(scan) {
    this.#opening.abort();
    const mine = new AbortController();
    this.#opening = mine;
    this.scan = null;
    this.#masks.clear();
    this.desk.close();
    this.review.close();
    this.chat.setScan(null);
    this.viewer.close();
    try {
      const told = (now) => {
        if (mine.signal.aborted) return;
        showFacts(this.places.facts, now);
        if (now.state === "opening") opening(this.places.viewer, now);
      };
      const now = await ready(scan, told, mine.signal);
      if (mine.signal.aborted) return;
      if (now.state === "failed") this.#failed(now);
      else await this.#show(now);
    } catch (error) {
      if (error.name !== "AbortError")
        failed(this.places.viewer, error.message, button("Open a scan", { press: () => this.dialog.show() }));
    }
  }

  #failed(scan) {
    const text = scan.error?.message ?? "The scan could not be opened.";
    const again = button("Choose again", { class: "primary", press: () => this.dialog.show() });
    failed(this.places.viewer, text, again);
    if (scan.error?.series) this.dialog.series(scan.error.series);
  }

  async #show(scan) {
    this.scan = scan;
    document.title = `${scan.name} · TumorTrace`;
    this.#address();
    this.chat.setScan(scan);
    const masks = await get(`/api/scans/${scan.id}/masks`);
    if (this.scan !== scan) return;
    this.shown = null;
    await this.viewer.open(scan, masks, `/api/scans/${scan.id}/masks`);
    await this.useMasks(this.chat.latest?.id ?? null);
  }

  /** Show the masks that a run ended with; null: those that were given with the scan. */
  async useMasks(run) {
    const { scan } = this;
    if (!scan || this.viewer.scan?.id !== scan.id) return;
    this.shown = run;
    const path = run ? `/api/runs/${run}/masks` : `/api/scans/${scan.id}/masks`;
    if (!this.#masks.has(run)) {
      const asked = get(path);
      this.#masks.set(run, asked);
      asked.catch(() => this.#masks.delete(run));
    }
    const masks = await this.#masks.get(run);
    // Answers may come in another order than they were asked for.
    if (this.scan === scan && this.shown === run) await this.viewer.replaceMasks(masks, path);
  }

  /** Masks as the conversation has them: of its latest report, or as given. */
  async #rest() {
    try {
      await this.useMasks(this.chat.latest?.id ?? null);
    } catch (error) {
      toast(error.message);
    }
  }

  /** A turn changed: the masks of the latest report are those that are shown. */
  async #turned(turn) {
    if (turn.running) {
      this.#masks.delete(turn.id);
      return;
    }
    const rows = turn.run?.reviewable && this.rows !== turn.run;
    if (rows) {
      this.rows = turn.run;
      this.stage.lesions.rebuild();
      this.stage.masks.rebuild();
    }
    if (turn.run && turn === this.chat.latest && !this.desk.open) await this.#rest();
  }

  #wrong(thing) {
    this.desk.close();
    this.useMasks(thing.run.id)
      .catch((error) => toast(error.message))
      .then(() => this.review.show(thing));
  }

  #wrongMask(thing) {
    // What is meant was chosen in the lists, which may show an earlier run than the latest.
    const { run } = this.chat.turn(this.shown) ?? this.chat.latest;
    this.desk.close();
    this.useMasks(run.id).catch((error) => toast(error.message));
    if (thing.centre_mm) this.viewer.jump(thing.centre_mm);
    this.review.show({
      run,
      claim: null,
      text: `The mask of ${thing.name}`,
      where: "mask",
      structure: thing.structure ?? thing.id,
    });
  }

  #reviewed(run) {
    this.desk.close();
    this.desk.forget(run.id);
    this.chat.turn(run.id)?.take(run);
  }

  /** A new conversation about the same scan. */
  fresh() {
    this.review.close();
    this.chat.set(null);
    this.#rest();
    this.chat.composer.focus();
  }

  history() {
    showHistory({
      open: (id) => this.open(id).catch((error) => toast(error.message)),
      current: () => this.chat.conversation?.id ?? null,
      gone: (id) => id === this.chat.conversation?.id && this.fresh(),
    });
  }

  /** Escape closes what lies on top. */
  escape() {
    if (this.review.open) this.review.close();
    else if (this.desk.open) this.desk.close();
  }

  #address() {
    if (this.chat.conversation) this.#put(`#/c/${this.chat.conversation.id}`);
    else this.#put(this.scan ? `#/s/${this.scan.id}` : "");
  }

  #put(hash) {
    if (location.hash !== hash) history.replaceState(null, "", hash || location.pathname);
  }
}

function byId(id) {
  return fill(document.getElementById(id));
}
