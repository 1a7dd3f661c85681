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
//   sound    tones are offered, by severity; off until the agent turns them on
//   notify   notices of the system are offered for critical alerts while the panel is out of sight
//
// It sends three events (CustomEvent): `tingjian-alert`, whose detail is the alert,
// for each state of an alert; `tingjian-link` with `{state, why}` whenever the
// connection is another: `open`, `closed`, or `refused` (the token is unknown,
// expired or another's), after which only a new token helps; `tingjian-attention`
// with `{count, text}` when something critical comes while the panel is out of
// sight, and with a count of 0 when it is seen: for the title of the page.
//
// Only the agent answers: with a token of somebody else it shows and takes none.

import { render } from "../vendor/preact.js";
import { html } from "../shared/ui.js";
import { upright } from "../shared/format.js";
import { keepZone, speak, t, told } from "../shared/settings.js";
import { ARMED_MS, Board } from "./board.js";
import { Feed } from "./feed.js";
import { sheet } from "./style.js";
import { LEVELS, beep } from "./tone.js";
import { Panel } from "./view.js";
import { outcome, outcomeName, reasons, spoken } from "./words.js";

const TICK_MS = 500;
/** A notice of folded cards, or of a review, stays for so long after the latest. */
const NOTICE_MS = 60_000;
/** Alerts of the agent that are listed, and how soon they are asked for after something happened. */
const HISTORY_MAX = 200;
const HISTORY_MS = 300;
/** A resting pointer holds the order of the lines for so long. */
const HELD_MS = 10_000;
/** How large the text is, beside what the reader's browser makes of it. */
const SCALES = [0.875, 1, 1.2, 1.45];

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
  static observedAttributes = ["agent", "token", "server", "lang", "theme", "sound", "notify"];

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
  /** What the agent set. */
  #options = { sound: storedSound(), notify: stored("notify") === "on", size: Number(stored("size") ?? 1) };
  /** The order of the lines while the pointer is among them. @type {string[] | null} */
  #held = null;
  #heldAt = 0;
  /** What came while the panel was out of sight. */
  #attention = { count: 0, text: "" };
  #isInView = true;
  #views = new IntersectionObserver(([entry]) => {
    this.#isInView = entry.isIntersecting;
    this.#look();
  });
  #timer = /** @type {ReturnType<typeof setInterval> | undefined} */ (undefined);
  #frame = 0;
  /** The card that was large when the panel was drawn last. @type {string | null} */
  #drawn = null;
  #arming = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
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
    document.addEventListener("visibilitychange", this.#look);
    this.#views.observe(this);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  disconnectedCallback() {
    removeEventListener("keydown", this.#onKey);
    document.removeEventListener("visibilitychange", this.#look);
    this.#views.disconnect();
    clearInterval(this.#timer);
    clearTimeout(this.#asksHistory);
    this.#isStarted = false;
    this.#feed?.close();
    this.#feed = null;
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
      if ((alert.state === "confirmed" || alert.state === "reminder") && card.before !== alert.state) {
        this.#call(alert);
      }
    }
    this.dispatchEvent(new CustomEvent("tingjian-alert", { detail: alert }));
    this.#draw();
  }

  /** A supervisor's word: a card until it is read, here or in another tab. @param {any} word */
  #onWord({ help_id: id, call_id: callId, by, text, at_ms: at, read_at: readAt }) {
    const now = performance.now();
    const isKnown = this.#board.cards.has(id);
    if (readAt !== null) {
      this.#board.handle(id, "seen", null, now);
    } else if (!isKnown) {
      const alert = { alert_id: id, state: /** @type {const} */ ("confirmed"), call_id: callId, rule_id: "", rule_name: t("帮你", "Help"), kind: "help", severity: /** @type {const} */ ("critical"), at_ms: at, message: text, by, evidence: [] };
      this.#board.take(alert, now);
      this.#say("critical", t(`帮你：${text}`, `Help: ${text}`));
      this.#call(alert);
    }
  }

  /** Has the agent look up: by a tone, and by what the page and the system show while the panel is out of sight. @param {import("./board.js").Alert} alert */
  #call(alert) {
    if (this.hasAttribute("sound") && LEVELS.indexOf(alert.severity) >= LEVELS.indexOf(this.#options.sound)) {
      beep(alert.severity);
    }
    if (alert.severity !== "critical" || this.#isSeen()) {
      return;
    }
    this.#attend(this.#attention.count + 1, alert.rule_name);
    if (this.#notifies() === "on") {
      // The words of a call do not belong on a locked screen.
      const name = alert.kind === "help" ? t("听检：有人帮你", "tingjian: help") : t("听检：严重预警", "tingjian: critical");
      const notice = new Notification(name, { body: upright(`${this.#board.nameOf(alert.call_id)} · ${alert.rule_name}`), tag: `tingjian ${alert.call_id}` });
      notice.onclick = () => {
        window.focus();
        this.#act("choose", alert.call_id);
        notice.close();
      };
    }
  }

  #isSeen() {
    return !document.hidden && this.#isInView;
  }

  #look = () => {
    if (this.#isSeen() && this.#attention.count > 0) {
      this.#attend(0, "");
    }
  };

  /** @param {number} count @param {string} text */
  #attend(count, text) {
    this.#attention = { count, text };
    this.dispatchEvent(new CustomEvent("tingjian-attention", { detail: { count, text } }));
  }

  /** Whether notices are shown; null where they are not offered. @returns {"on" | "off" | "denied" | null} */
  #notifies() {
    if (!this.hasAttribute("notify") || typeof Notification === "undefined") {
      return null;
    }
    return Notification.permission === "denied" ? "denied" : this.#options.notify && Notification.permission === "granted" ? "on" : "off";
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
    } else if (message.type === "help") {
      this.#onWord(message);
    } else if (message.type === "feedback") {
      this.#answered(message.alert_id, message);
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
        // What was answered elsewhere is answered here.
        for (const { alert_id: id, feedback } of page.alerts) {
          if (feedback !== null) {
            this.#answered(id, feedback);
          }
        }
        this.#draw();
      }
    }, HISTORY_MS);
  }

  /** An answer that the server keeps, given here or elsewhere. @param {string} id @param {any} feedback */
  #answered(id, { action, reason, by, given_at: at }) {
    const card = this.#board.cards.get(id);
    if (card !== undefined && (card.handled !== action || !card.answered)) {
      this.#board.handle(id, action, reason, performance.now(), { by, at });
      if (this.#asking?.id === id && this.#asking.what !== "appeal") {
        this.#act("leave");
      }
    }
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
    if (this.#held !== null && performance.now() - this.#heldAt > HELD_MS) {
      this.#held = null;
    }
    this.#board.tick(performance.now());
    this.#draw();
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
    const now = performance.now();
    const { sound, size } = this.#options;
    const options = { sound: this.hasAttribute("sound") ? sound : null, notify: this.#notifies(), size };
    this.style.setProperty("--tingjian-scale", String(SCALES[size] ?? 1));
    render(
      html`<${Panel}
        board=${this.#board} notes=${this.#notes} asking=${this.#asking} history=${this.#history} held=${this.#held} mine=${this.#mine}
        now=${now} agent=${this.agent} dayPage=${this.#dayPage()} polite=${this.#polite} assertive=${this.#assertive}
        options=${options} act=${this.#act}
      />`,
      this.shadowRoot,
    );
    if (this.#board.focus !== this.#drawn) {
      // Its keys are named as soon as they act.
      this.#drawn = this.#board.focus;
      clearTimeout(this.#arming);
      this.#arming = setTimeout(() => this.#draw(), ARMED_MS);
    }
    if (hadFocus && this.shadowRoot.activeElement === null) {
      // The button that had it is gone; keys go on working.
      /** @type {HTMLElement | null} */ (this.shadowRoot.querySelector(".panel"))?.focus({ preventScroll: true });
    }
  }

  /** Where the agent's own day is told. */
  #dayPage() {
    return new URL(`/agent/${encodeURIComponent(this.agent)}/day`, this.server).href;
  }

  /** What the agent does. @param {string} what @param {string} [id] @param {any} [reason] */
  #act = (what, id = "", reason = "") => {
    const now = performance.now();
    const board = this.#board;
    if (ANSWERS.includes(what) && this.#mine !== true) {
      return;
    }
    if (what === "seen" && this.#board.cards.get(id)?.alert.kind === "help") {
      this.#feed?.read(id);
      board.handle(id, "seen", null, now);
    } else if (what === "seen") {
      this.#feed?.answer({ type: "seen", alert_id: id });
      board.handle(id, "seen", null, now);
    } else if (what === "dismiss") {
      this.#askFor(id, what);
      return;
    } else if (what === "other" || what === "appeal") {
      this.#askFor(id, what);
      return;
    } else if (what === "because") {
      this.#feed?.answer({ type: "dismiss", alert_id: id, reason });
      board.handle(id, "dismiss", reason, now);
    } else if (what === "appeal-because") {
      const alert = this.#history.find((one) => one.alert_id === id);
      this.#feed?.answer({ type: "appeal", alert_id: id, reason, ...(alert ? { started_at: alert.started_at } : {}) });
      this.#history = this.#history.map((one) => (one === alert ? { ...one, may_appeal: false, review: { ...one.review, appeal: "pending" } } : one));
    } else if (what === "choose") {
      board.choose(id, now);
      this.#held = null;
    } else if (what === "show") {
      board.recall(id, now);
    } else if (what === "pin" || what === "unpin") {
      board.pinned = what === "pin" ? { id, at: now } : null;
      return;
    } else if (what === "hold" || what === "release") {
      this.#held = what === "release" ? null : (this.#held ?? reason.split(" "));
      this.#heldAt = now;
      return;
    } else if (what === "day") {
      // The token goes along in a part of the address that is not sent.
      const token = this.getAttribute("token");
      if (token !== null) {
        reason.preventDefault();
        window.open(`${this.#dayPage()}#token=${encodeURIComponent(token)}`, "_blank", "noopener");
      }
      return;
    } else if (what === "sound" || what === "size" || what === "notify") {
      this.#set(what, what === "sound" ? id : reason);
      return;
    }
    this.#asking = null;
    board.asked = null;
    board.tick(now);
    this.#draw();
  };

  /** Asks for the reason of an answer. @param {string} id @param {"dismiss" | "other" | "appeal"} what */
  #askFor(id, what) {
    this.#asking = { id, what };
    this.#board.asked = id;
    this.#draw();
  }

  /** @param {"sound" | "size" | "notify"} what @param {string} value */
  async #set(what, value) {
    if (what === "sound") {
      this.#options.sound = value;
      store("sound", value);
      if (value !== "off") {
        beep(value);
      }
    } else if (what === "size") {
      this.#options.size = Math.min(SCALES.length - 1, Math.max(0, Number(value)));
      store("size", String(this.#options.size));
    } else {
      const isOn = this.#notifies() !== "on" && (await Notification.requestPermission()) === "granted";
      this.#options.notify = isOn;
      store("notify", isOn ? "on" : "off");
    }
    this.#draw();
  }

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
    const top = this.#board.armed(performance.now());
    if (asking !== null || top === null || event.repeat) {
      return;
    }
    // A button that has the focus takes Enter and the space bar itself.
    if ((event.key === "Enter" || event.key === " ") && !target.closest("button, a, summary, select")) {
      event.preventDefault();
      this.#act("seen", top.alert.alert_id);
    } else if ((event.key === "x" || event.key === "X") && top.alert.kind !== "help") {
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

/** What the agent set and this browser keeps. @param {string} name */
function stored(name) {
  try {
    return localStorage.getItem(`tingjian.${name}`);
  } catch {
    return null;
  }
}

/** @param {string} name @param {string} value */
function store(name, value) {
  try {
    localStorage.setItem(`tingjian.${name}`, value);
  } catch {
    // Then it is as it was on the next visit.
  }
}

/** The least grave alert that has a tone, or `off`. */
function storedSound() {
  const kept = stored("sound");
  // Earlier versions knew on and off.
  return kept === "on" ? "critical" : LEVELS.includes(kept ?? "") ? String(kept) : "off";
}

customElements.define("tingjian-alerts", TingjianAlerts);
