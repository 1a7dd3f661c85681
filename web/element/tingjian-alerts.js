// `<tingjian-alerts agent="a7" token="…" server="https://tingjian.example.com">`:
// an agent's live call, what it owes and its alerts, for our own page and for
// any page that includes this one script.
//
//   agent    whose
//   token    the agent's; left out where the server asks for none
//   server   left out: the one that this script came from
//   lang     zh (unless said) or en
//   theme    light or dark; left out: as the system has it
//   keys     "page": keys work, too, while nothing on the page has the focus
//   sound    a short tone for critical alerts is offered
//
// It sends two events (CustomEvent): `tingjian-alert`, whose detail is the alert,
// for each state of an alert; `tingjian-link` with `{state, why}` whenever the
// connection is another: `open`, `closed`, or `refused` (the token is unknown,
// expired or another's), after which only a new token helps.
//
// Only the agent answers: with a token of somebody else it shows and takes none.

import { render } from "../vendor/preact.js";
import { html } from "../shared/ui.js";
import { keepZone, speak, t, told } from "../shared/settings.js";
import { Board } from "./board.js";
import { Feed } from "./feed.js";
import { sheet } from "./style.js";
import { beep } from "./tone.js";
import { Panel } from "./view.js";
import { outcome, outcomeName, reasons, spoken } from "./words.js";

/** The least height of a card's place, with the gap below it. */
const SLOT_PX = 200;
const TICK_MS = 500;
/** A notice of folded cards, or of a review, stays for so long after the latest. */
const NOTICE_MS = 60_000;
/** Alerts of the agent that are listed, and how soon they are asked for after something happened. */
const HISTORY_MAX = 200;
const HISTORY_MS = 300;

/** What stands outside the cards. */
function freshNotes() {
  return {
    link: /** @type {import("./feed.js").Link} */ ("connecting"),
    why: /** @type {string | undefined} */ (undefined),
    /** Why checking is impaired, by call; "" is for all of them. */
    degraded: /** @type {Map<string, string>} */ (new Map()),
    gap: false,
    folded: /** @type {{count: number, at: number} | null} */ (null),
    reviewed: /** @type {{text: string, at: number} | null} */ (null),
    fault: /** @type {string | null} */ (null),
  };
}

class TingjianAlerts extends HTMLElement {
  static observedAttributes = ["agent", "token", "server", "lang", "theme", "sound"];

  /** @type {Feed | null} */
  #feed = null;
  #board = new Board();
  /** What stands outside the cards. */
  #notes = freshNotes();
  /** Whether the token is the agent's own; null until the server said. */
  #mine = /** @type {boolean | null} */ (null);
  /** The agent's alerts as the server keeps them, the newest first. */
  #history = /** @type {any[]} */ ([]);
  /** What is open: a card that is being dismissed, or an alert that is appealed. */
  #asking = /** @type {{id: string, what: "dismiss" | "other" | "appeal"} | null} */ (null);
  #polite = "";
  #assertive = "";
  #sound = storedSound();
  #timer = /** @type {ReturnType<typeof setInterval> | undefined} */ (undefined);
  #sizes = new ResizeObserver(() => this.#measure());
  #frame = 0;
  #wasOver = false;
  #isStarted = false;
  #isStarting = false;
  #asksHistory = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
  }

  connectedCallback() {
    this.#isStarted = true;
    this.#startSoon();
    addEventListener("keydown", this.#onKey);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  disconnectedCallback() {
    removeEventListener("keydown", this.#onKey);
    clearInterval(this.#timer);
    clearTimeout(this.#asksHistory);
    this.#isStarted = false;
    this.#feed?.close();
    this.#feed = null;
    this.#sizes.disconnect();
  }

  /** @param {string} name @param {string | null} before @param {string | null} after */
  attributeChangedCallback(name, before, after) {
    // An element in a page's markup gets its attributes one by one before it starts.
    if (!this.#isStarted || before === after) {
      return;
    }
    if (name === "agent" || name === "token" || name === "server") {
      this.#startSoon();
    } else {
      this.#draw();
    }
  }

  get agent() {
    return this.getAttribute("agent") ?? "";
  }

  get server() {
    return this.getAttribute("server") ?? new URL(import.meta.url).origin;
  }

  /** Once, however many attributes change in one go. */
  #startSoon() {
    if (!this.#isStarting) {
      this.#isStarting = true;
      queueMicrotask(() => {
        this.#isStarting = false;
        if (this.#isStarted) {
          this.#start();
        }
      });
    }
  }

  #start() {
    this.#feed?.close();
    this.#board = new Board();
    this.#notes = freshNotes();
    this.#mine = null;
    this.#history = [];
    this.#asking = null;
    this.#feed = this.agent === "" ? null : new Feed(
      { server: this.server, agent: this.agent, token: this.getAttribute("token") },
      {
        onAlert: (alert, handled) => this.#onAlert(alert, handled),
        onDesk: (calls) => this.#onDesk(calls),
        onNotice: (message) => this.#onNotice(message),
        onLink: (link, why) => this.#onLink(link, why),
      },
    );
    this.#paint();
    this.#measure();
  }

  /** @param {import("./feed.js").Link} link @param {string} [why] */
  #onLink(link, why) {
    const notes = this.#notes;
    notes.why = why;
    if (link === "open" || link === "catching-up") {
      this.#askWho();
      this.#askHistory();
    } else {
      // A server says what is wrong to whoever connects; what an earlier one said is over.
      notes.degraded.clear();
    }
    if (link !== notes.link) {
      notes.link = link;
      this.dispatchEvent(new CustomEvent("tingjian-link", { detail: { state: link, why: why ?? null } }));
    }
    this.#draw();
  }

  /** @param {import("./board.js").Alert} alert @param {"seen" | "dismiss" | null} handled */
  #onAlert(alert, handled) {
    const isNewCall = this.#board.live().length === 0 && !this.#board.hasDesk && !this.#board.cards.has(alert.alert_id);
    if (isNewCall && ![...this.#board.cards.values()].some((card) => card.alert.call_id === alert.call_id)) {
      this.#feed?.begin(alert.call_id);
    }
    const card = this.#board.take(alert, performance.now(), handled);
    if (handled === null) {
      this.#say(alert.severity, spoken(card));
      if (this.#sound && alert.severity === "critical" && alert.state === "confirmed" && card.before !== "confirmed") {
        beep();
      }
    }
    this.dispatchEvent(new CustomEvent("tingjian-alert", { detail: alert }));
    this.#draw();
  }

  /** @param {any[]} calls */
  #onDesk(calls) {
    const before = this.#board.live();
    this.#heard(calls);
    this.#board.desk(calls, performance.now());
    const [first] = this.#board.live();
    if (before.length === 0 && first) {
      this.#feed?.begin(first.call_id);
      this.#notes.folded = null;
      this.#notes.gap = false;
    }
    const isOver = this.#board.live().length === 0 && this.#board.last !== null;
    if (isOver && !this.#wasOver) {
      this.#askHistory();
    }
    this.#wasOver = isOver;
    this.#draw();
  }

  /** Which calls' words are missing: the desk says it, too, to whoever came after the notice. @param {any[]} calls */
  #heard(calls) {
    const { degraded } = this.#notes;
    for (const callId of degraded.keys()) {
      if (callId !== "" && !calls.some((call) => call.call_id === callId)) {
        degraded.delete(callId);
      }
    }
    for (const { call_id: callId, asr_silent: isSilent } of calls) {
      if (isSilent && !degraded.has(callId)) {
        degraded.set(callId, t("没有收到识别结果", "no speech results come"));
      } else if (!isSilent && this.#board.calls.get(callId)?.asr_silent) {
        degraded.delete(callId);
      }
    }
  }

  /** @param {any} message */
  #onNotice(message) {
    const notes = this.#notes;
    if (message.type === "folded") {
      notes.folded = { count: message.count, at: performance.now() };
      this.#askHistory();
    } else if (message.type === "reviewed") {
      const alert = this.#history.find((one) => one.alert_id === message.alert_id);
      const name = outcomeName({ ...outcome(null), ...message });
      if (name !== null) {
        notes.reviewed = { text: `${name}：${alert?.rule_name ?? message.alert_id}`, at: performance.now() };
        this.#polite = notes.reviewed.text;
      }
      this.#askHistory();
    } else if (message.type === "status" && message.state === "gap") {
      notes.gap = true;
    } else if (message.type === "status") {
      const of = message.call_id ?? "";
      notes.degraded.delete(of);
      if (message.state === "degraded") {
        notes.degraded.set(of, told(message.why ?? ""));
      }
      notes.fault = null;
    } else if (message.type === "error") {
      notes.fault = told(message.message ?? "");
    } else if (message.type === "noted") {
      notes.fault = null;
      if (message.action === "appeal") {
        this.#askHistory();
      }
    }
    this.#draw();
  }

  /** @param {string} path @returns {Promise<any>} the answer; null where there is none */
  async #ask(path) {
    const token = this.getAttribute("token");
    const feed = this.#feed;
    try {
      const response = await fetch(new URL(path, this.server), { headers: token ? { authorization: `Bearer ${token}` } : {} });
      const answer = response.ok ? await response.json() : null;
      // Another token or another agent meanwhile.
      return feed === this.#feed ? answer : null;
    } catch {
      return null;
    }
  }

  /** Whether the token is the agent's own. Without an answer it is asked again with the next connection. */
  async #askWho() {
    const me = await this.#ask("/v1/me");
    if (me !== null) {
      this.#mine = me.open || me.agents.includes(this.agent);
      this.#draw();
    }
  }

  /** All that is kept of the agent's alerts, shown one by one or not; once for all that happens in a moment. */
  #askHistory() {
    this.#asksHistory ??= setTimeout(async () => {
      this.#asksHistory = undefined;
      const page = await this.#ask(`/v1/agents/${encodeURIComponent(this.agent)}/history?limit=${HISTORY_MAX}`);
      if (page !== null) {
        keepZone(page.utc_offset);
        this.#history = page.alerts;
        this.#draw();
      }
    }, HISTORY_MS);
  }

  /** @param {string} severity @param {string} text */
  #say(severity, text) {
    if (text === "") {
      return;
    }
    if (severity === "critical") {
      this.#assertive = text;
    } else {
      this.#polite = text;
    }
  }

  #tick() {
    const { folded, reviewed } = this.#notes;
    if (folded !== null && performance.now() - folded.at > NOTICE_MS) {
      this.#notes.folded = null;
    }
    if (reviewed !== null && performance.now() - reviewed.at > NOTICE_MS) {
      this.#notes.reviewed = null;
    }
    this.#board.tick(performance.now());
    this.#draw();
  }

  /** How many cards there is room for. */
  #measure() {
    const place = this.shadowRoot?.querySelector(".cards");
    if (place) {
      const count = Math.min(4, Math.max(1, Math.floor((place.clientHeight + 8) / SLOT_PX)));
      if (count !== this.#board.slots.length) {
        this.#board.resize(count, performance.now());
      }
      this.#draw();
    }
  }

  /** Draws once a frame, however much happened; a hidden page draws when it is seen. */
  #draw() {
    if (this.#frame === 0) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#paint();
      });
    }
  }

  #paint() {
    if (this.shadowRoot === null || !this.isConnected) {
      return;
    }
    const hadFocus = this.shadowRoot.activeElement !== null;
    speak(this.getAttribute("lang")?.startsWith("en") ? "en" : "zh");
    render(
      html`<${Panel}
        board=${this.#board} notes=${this.#notes} asking=${this.#asking} history=${this.#history} mine=${this.#mine}
        now=${performance.now()} agent=${this.agent} polite=${this.#polite} assertive=${this.#assertive}
        sound=${this.hasAttribute("sound") ? this.#sound : null} act=${this.#act}
      />`,
      this.shadowRoot,
    );
    if (hadFocus && this.shadowRoot.activeElement === null) {
      // The button that had it is gone; keys go on working.
      /** @type {HTMLElement | null} */ (this.shadowRoot.querySelector(".panel"))?.focus({ preventScroll: true });
    }
    const place = this.shadowRoot.querySelector(".cards");
    if (place) {
      this.#sizes.observe(place);
    }
  }

  /** What the agent does. @param {string} what @param {string} [id] @param {string} [reason] */
  #act = (what, id = "", reason = "") => {
    const now = performance.now();
    const board = this.#board;
    if (ANSWERS.includes(what) && this.#mine !== true) {
      return;
    }
    if (what === "seen") {
      this.#feed?.answer({ type: "seen", alert_id: id });
      board.handle(id, "seen", null, now);
    } else if (what === "dismiss") {
      board.pinned = id;
      this.#asking = { id, what };
      this.#draw();
      return;
    } else if (what === "other" || what === "appeal") {
      this.#asking = { id, what };
      this.#draw();
      return;
    } else if (what === "because") {
      this.#feed?.answer({ type: "dismiss", alert_id: id, reason });
      board.handle(id, "dismiss", reason, now);
    } else if (what === "appeal-because") {
      const alert = this.#history.find((one) => one.alert_id === id);
      this.#feed?.answer({ type: "appeal", alert_id: id, reason, ...(alert ? { started_at: alert.started_at } : {}) });
      this.#history = this.#history.map((one) => (one === alert ? { ...one, may_appeal: false, review: { ...one.review, appeal: "pending" } } : one));
    } else if (what === "choose") {
      board.chosen = id;
    } else if (what === "sound") {
      this.#sound = !this.#sound;
      storeSound(this.#sound);
      if (this.#sound) {
        beep();
      }
    } else if (what === "pin" || what === "unpin") {
      board.pinned = what === "pin" ? id : (this.#asking?.id ?? null);
      return;
    }
    if (what !== "sound" && what !== "choose") {
      this.#asking = null;
      board.pinned = null;
    }
    this.#draw();
  };

  #onKey = (/** @type {KeyboardEvent} */ event) => {
    const inside = event.composedPath().includes(this);
    // On the rest of the page, keys are of whatever has the focus there.
    const isFree = this.getAttribute("keys") === "page" && !event.defaultPrevented && isNothing(event.target);
    if ((!inside && !isFree) || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) {
      return;
    }
    const target = event.composedPath()[0];
    if (event.key === "Escape" && this.#asking !== null) {
      event.preventDefault();
      this.#act("leave");
      return;
    }
    if (!(target instanceof Element) || target.closest("input, textarea, select, [contenteditable]")) {
      return;
    }
    const asking = this.#asking;
    if (asking?.what === "dismiss") {
      const reason = reasons()[Number(event.key) - 1];
      if (reason !== undefined) {
        event.preventDefault();
        reason === reasons().at(-1) ? this.#act("other", asking.id) : this.#act("because", asking.id, reason);
      }
      return;
    }
    const top = this.#board.top();
    if (asking !== null || top === null) {
      return;
    }
    // A button that has the focus takes Enter and the space bar itself.
    if ((event.key === "Enter" || event.key === " ") && !target.closest("button, a, summary")) {
      event.preventDefault();
      this.#act("seen", top.alert.alert_id);
    } else if (event.key === "x" || event.key === "X") {
      event.preventDefault();
      this.#act("dismiss", top.alert.alert_id);
    }
  };
}

/** What only the agent does. */
const ANSWERS = ["seen", "dismiss", "other", "because", "appeal", "appeal-because"];

/** Whether a key was pressed while nothing has the focus, and nobody writes. @param {EventTarget | null} target */
function isNothing(target) {
  return (target === document.body || target === document.documentElement) && document.designMode !== "on" && !document.body.isContentEditable;
}

const SOUND = "tingjian.sound";

function storedSound() {
  try {
    return localStorage.getItem(SOUND) === "on";
  } catch {
    return false;
  }
}

/** @param {boolean} isOn */
function storeSound(isOn) {
  try {
    localStorage.setItem(SOUND, isOn ? "on" : "off");
  } catch {
    // Then it is off again on the next visit.
  }
}

customElements.define("tingjian-alerts", TingjianAlerts);
