// The right side of the page: one conversation, its turns and the question box.

import { get, post } from "./api.js";
import { button, fill, h } from "./dom.js";
import { composer } from "./composer.js";
import { toast } from "./dialog.js";
import { Turn } from "./turn.js";

const NEAR = 160;

/** Tells `changed` when turns come or change, and `conversation` when it is another one. */
export class Chat extends EventTarget {
  #looking;
  #asked = null;
  #sending = false;

  /**
   * @param {HTMLElement} place
   * @param {{desk: any, wrong: (thing: any) => void, limit: number, starters: () => string[], history: () => void,
   *   fresh: () => void}} hands
   */
  constructor(place, hands) {
    super();
    this.hands = hands;
    this.conversation = null;
    this.scan = null;
    /** @type {Turn[]} */
    this.turns = [];
    this.title = h("h2", { class: "chat-title" }, "New conversation");
    this.log = h("div", {
      class: "turns",
      role: "log",
      "aria-label": "Conversation",
      "aria-live": "off",
      data: { testid: "turns" },
    });
    this.empty = h("div", { class: "chat-empty" });
    this.scroll = h("div", { class: "chat-scroll", tabindex: "-1" }, this.empty, this.log);
    this.composer = composer({
      limit: hands.limit,
      ask: (question, options) => this.ask(question, options),
      stop: () => this.stop(),
    });
    const head = h(
      "div",
      { class: "chat-head" },
      this.title,
      button("Conversations", {
        icon: "history",
        class: "quiet",
        hide: true,
        press: hands.history,
        test: "history",
        title: "Conversations (H)",
      }),
      button("New conversation", {
        icon: "add",
        class: "quiet",
        hide: true,
        press: hands.fresh,
        test: "new-conversation",
        title: "New conversation (N)",
      }),
    );
    fill(place, head, this.scroll, this.composer.element);
    this.#looking = new IntersectionObserver((seen) => this.#seen(seen), { root: this.scroll, rootMargin: "400px" });
    this.update();
  }

  get running() {
    return this.turns.find((turn) => turn.running) ?? null;
  }

  /** The latest turn that has a report. */
  get latest() {
    return this.turns.findLast((turn) => turn.run) ?? null;
  }

  /** The scan that questions are about; null while none is ready. */
  setScan(scan) {
    this.scan = scan;
    this.update();
  }

  /** Show a conversation, or an empty one. */
  set(conversation) {
    for (const turn of this.turns) turn.leave();
    this.#looking.disconnect();
    this.hands.desk.close();
    this.conversation = conversation;
    this.turns = [];
    fill(this.log);
    fill(this.title, conversation?.title || "New conversation");
    for (const summary of conversation?.turns ?? []) this.#add(summary);
    this.scroll.scrollTop = this.scroll.scrollHeight;
    this.update();
    this.dispatchEvent(new Event("conversation"));
  }

  #add(summary) {
    const turn = new Turn(summary, {
      desk: this.hands.desk,
      wrong: this.hands.wrong,
      ask: (question) => this.ask(question, []),
    });
    turn.addEventListener("changed", () => {
      this.update();
      if (turn.run && turn === this.#asked) this.#answered(turn);
      this.dispatchEvent(new CustomEvent("changed", { detail: turn }));
    });
    this.turns.push(turn);
    this.log.append(turn.element);
    this.#looking.observe(turn.element);
    turn.start();
    return turn;
  }

  /** The answer to what was just asked begins at the top, unless the reader has gone elsewhere. */
  #answered(turn) {
    this.#asked = null;
    const { top } = turn.element.getBoundingClientRect();
    const frame = this.scroll.getBoundingClientRect();
    if (top < frame.bottom) turn.element.scrollIntoView({ block: "start", behavior: "smooth" });
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.turns.find((turn) => turn.element === target)?.load();
    }
  }

  /** Ask; null reports on everything. */
  async ask(question, options) {
    if (!this.scan || this.running || this.#sending) return;
    this.#sending = true;
    this.update();
    const { scan, conversation: before } = this;
    // Who goes elsewhere while the question is on its way finds its answer in the list of conversations.
    const here = (conversation) => this.conversation === conversation && this.scan === scan;
    try {
      const conversation = before ?? (await post("/api/conversations", { scan: scan.id }));
      if (!before && here(null)) {
        this.conversation = conversation;
        this.dispatchEvent(new Event("conversation"));
      }
      const asked = { scan: scan.id, question, conversation: conversation.id };
      if (options.length > 0) asked.options = options;
      const run = await post("/api/runs", asked);
      if (here(conversation)) this.#begun(run);
    } catch (error) {
      toast(error.message);
      if (question && this.scan === scan) this.composer.fill(question);
    } finally {
      this.#sending = false;
      this.update();
    }
    await this.refresh();
  }

  #begun(run) {
    const turn = this.#add(run);
    this.#asked = turn;
    this.update();
    turn.element.scrollIntoView({ block: "start", behavior: "smooth" });
  }

  /**
   * The server names a conversation after its first question, and another page may have asked in it: follow-ups build
   * on what was asked there, so it has to be seen here.
   */
  async refresh() {
    const { conversation } = this;
    if (!conversation || this.#sending) return;
    const told = await get(`/api/conversations/${conversation.id}`).catch(() => null);
    if (!told || this.conversation !== conversation || this.#sending) return;
    Object.assign(conversation, told);
    fill(this.title, told.title || "New conversation");
    const missing = told.turns.filter((summary) => !this.turn(summary.id));
    for (const summary of missing) this.#add(summary);
    const place = new Map(told.turns.map((summary, at) => [summary.id, at]));
    const ordered = (one, other) => (place.get(one.id) ?? place.size) - (place.get(other.id) ?? place.size);
    if (missing.length === 0) return;
    this.turns.sort(ordered);
    this.log.append(...this.turns.map((turn) => turn.element));
    this.update();
  }

  stop() {
    this.running?.cancel();
  }

  /** Turn by run, if it belongs to this conversation. */
  turn(run) {
    return this.turns.find((one) => one.id === run) ?? null;
  }

  /** Show what state the conversation is in. */
  update() {
    this.composer.update({ ready: this.scan !== null, sending: this.#sending, running: this.running !== null });
    this.empty.hidden = this.turns.length > 0;
    if (this.turns.length === 0) fill(this.empty, this.#welcome());
    const { scrollTop, scrollHeight, clientHeight } = this.scroll;
    if (this.running && scrollHeight - scrollTop - clientHeight < NEAR) this.scroll.scrollTop = scrollHeight;
  }

  #welcome() {
    if (!this.scan)
      return [
        h("p", { class: "lead" }, "Open a scan, then ask about it."),
        h("p", { class: "dim" }, "Every number in an answer leads to its evidence: the mask, the slice, the method."),
      ];
    const starters = this.hands.starters();
    return [
      h("p", { class: "lead" }, "What would you like to know?"),
      h(
        "div",
        { class: "next" },
        starters.map((question) => button(question, { class: "suggestion", press: () => this.ask(question, []) })),
      ),
      button("Report on everything", { class: "suggestion", press: () => this.ask(null, []) }),
    ];
  }
}
