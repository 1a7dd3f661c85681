// `<tingjian-alerts agent="a7" token="…" server="https://tingjian.example.com">`:
// an agent's live call, what it owes and its alerts, for our own page and for
// any page that includes this one script.
//
//   agent    whose
//   token    the agent's; left out where the server asks for none
//   server   left out: the one that this script came from
//   lang     zh (unless said) or en
//   theme    light or dark; left out: as the system has it
//   keys     "page": keys work wherever the focus is, not only inside the element
//   sound    a short tone for critical alerts is offered
//
// It sends `tingjian-alert` (a CustomEvent whose detail is the alert) for each
// state of an alert, for a CRM that keeps its own books.

import { render } from "../vendor/preact.js";
import { html } from "../shared/ui.js";
import { speak, told } from "../shared/settings.js";
import { Board } from "./board.js";
import { Feed } from "./feed.js";
import { sheet } from "./style.js";
import { beep } from "./tone.js";
import { Panel } from "./view.js";
import { outcome, reasons, spoken } from "./words.js";

/** The least height of a card's place, with the gap below it. */
const SLOT_PX = 200;
const TICK_MS = 500;
/** A notice of folded cards stays for so long after the latest. */
const FOLDED_MS = 60_000;

class TingjianAlerts extends HTMLElement {
  static observedAttributes = ["agent", "token", "server", "lang", "theme", "sound"];

  /** @type {Feed | null} */
  #feed = null;
  #board = new Board();
  /** What stands outside the cards. */
  #notes = {
    link: /** @type {import("./feed.js").Link} */ ("connecting"),
    why: /** @type {string | undefined} */ (undefined),
    degraded: /** @type {string | null} */ (null),
    gap: false,
    folded: /** @type {{count: number, at: number} | null} */ (null),
    fault: /** @type {string | null} */ (null),
  };
  /** What is open: a card that is being dismissed, or an alert that is appealed. */
  #asking = /** @type {{id: string, what: "dismiss" | "other" | "appeal"} | null} */ (null);
  #reviews = /** @type {Map<string, any>} */ (new Map());
  #polite = "";
  #assertive = "";
  #sound = storedSound();
  #timer = /** @type {ReturnType<typeof setInterval> | undefined} */ (undefined);
  #sizes = new ResizeObserver(() => this.#measure());
  #frame = 0;
  #wasOver = false;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
  }

  connectedCallback() {
    this.#start();
    addEventListener("keydown", this.#onKey);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  disconnectedCallback() {
    removeEventListener("keydown", this.#onKey);
    clearInterval(this.#timer);
    this.#feed?.close();
    this.#feed = null;
    this.#sizes.disconnect();
  }

  /** @param {string} name @param {string | null} before @param {string | null} after */
  attributeChangedCallback(name, before, after) {
    if (!this.isConnected || before === after) {
      return;
    }
    if (name === "agent" || name === "token" || name === "server") {
      this.#start();
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

  #start() {
    this.#feed?.close();
    this.#board = new Board();
    this.#notes = { link: "connecting", why: undefined, degraded: null, gap: false, folded: null, fault: null };
    this.#asking = null;
    this.#feed = this.agent === "" ? null : new Feed(
      { server: this.server, agent: this.agent, token: this.getAttribute("token") },
      {
        onAlert: (alert, handled) => this.#onAlert(alert, handled),
        onDesk: (calls) => this.#onDesk(calls),
        onNotice: (message) => this.#onNotice(message),
        onLink: (link, why) => {
          this.#notes.link = link;
          this.#notes.why = why;
          this.#draw();
        },
      },
    );
    this.#paint();
    this.#measure();
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
    this.#board.desk(calls, performance.now());
    const [first] = this.#board.live();
    if (before.length === 0 && first) {
      this.#feed?.begin(first.call_id);
      this.#notes.folded = null;
      this.#notes.gap = false;
    }
    const isOver = this.#board.live().length === 0 && this.#board.last !== null;
    if (isOver && !this.#wasOver) {
      this.#askReviews();
    }
    this.#wasOver = isOver;
    this.#draw();
  }

  /** @param {any} message */
  #onNotice(message) {
    const notes = this.#notes;
    if (message.type === "folded") {
      notes.folded = { count: message.count, at: performance.now() };
    } else if (message.type === "status" && message.state === "gap") {
      notes.gap = true;
    } else if (message.type === "status") {
      notes.degraded = message.state === "degraded" ? told(message.why ?? "") : null;
      notes.fault = null;
    } else if (message.type === "error") {
      notes.fault = told(message.message ?? "");
    } else if (message.type === "noted") {
      notes.fault = null;
      if (message.action === "appeal") {
        this.#askReviews();
      }
    }
    this.#draw();
  }

  /** What became of the alerts of the call that is over. */
  async #askReviews() {
    const address = new URL(`/v1/agents/${encodeURIComponent(this.agent)}/reviews?limit=100`, this.server);
    const token = this.getAttribute("token");
    try {
      const response = await fetch(address, { headers: token ? { authorization: `Bearer ${token}` } : {} });
      if (response.ok) {
        const { alerts } = await response.json();
        this.#reviews = new Map(alerts.map((/** @type {any} */ alert) => [alert.alert_id, alert.review]));
        this.#draw();
      }
    } catch {
      // It is asked again after the next call; the alerts themselves are here.
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
    const { folded } = this.#notes;
    if (folded !== null && performance.now() - folded.at > FOLDED_MS) {
      this.#notes.folded = null;
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
        board=${this.#board} notes=${this.#notes} asking=${this.#asking} reviews=${this.#reviews}
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
      this.#feed?.answer({ type: "appeal", alert_id: id, reason });
      this.#reviews = new Map(this.#reviews).set(id, { ...outcome(this.#reviews.get(id)), appeal: "pending" });
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
    if (what !== "sound") {
      this.#asking = null;
      board.pinned = null;
    }
    this.#draw();
  };

  #onKey = (/** @type {KeyboardEvent} */ event) => {
    const inside = event.composedPath().includes(this);
    if ((this.getAttribute("keys") !== "page" && !inside) || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) {
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
