// An agent's two streams, alerts and desk, and the answers that go back. What a
// reload of the page must not lose is kept for the tab: the place from which the
// alerts are to be read again, and what was answered; never anybody's words.

import { stream } from "../shared/api.js";

/** More answers than one call has cards. */
const HANDLED_MAX = 300;
/** Answers that wait for a connection; beyond it the oldest goes. */
const PENDING_MAX = 100;
/** Calls that one agent has at a time, and a few before them. */
const CALLS_MAX = 50;
/** After a break, alerts that follow one another this closely are made up for. */
const QUIET_MS = 800;

/**
 * @typedef {"connecting" | "open" | "catching-up" | "closed" | "refused"} Link
 * @typedef {object} FeedEvents
 * @property {(alert: any, handled: "seen" | "dismiss" | null) => void} onAlert
 * @property {(calls: any[]) => void} onDesk
 * @property {(message: any) => void} onNotice `folded`, `status`, `noted`, `reviewed`, `help`, `error`
 * @property {(link: Link, why?: string) => void} onLink
 */

export class Feed {
  /**
   * @param {{server: string, agent: string, token: string | null}} where
   * @param {FeedEvents} events
   */
  constructor({ server, agent, token }, events) {
    this.events = events;
    this.key = `tingjian.panel ${server} ${agent}`;
    const kept = read(this.key);
    /** @type {string | null} the alerts behind it are those of the call in progress */
    this.base = kept.base;
    /** @type {Map<string, "seen" | "dismiss">} */
    this.handled = new Map(kept.handled);
    /** @type {string | null} */
    this.cursor = null;
    /** @type {Map<string, string | null>} by call, the cursor before its first alert */
    this.before = new Map();
    /** @type {Map<string, object>} by alert or word, what was not acknowledged yet */
    this.pending = new Map();
    this.wasOpen = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.quiet = undefined;
    const path = `/v1/agents/${encodeURIComponent(agent)}`;
    const other = { server, token };
    this.alerts = stream(() => `${path}/alerts?after=${encodeURIComponent(this.cursor ?? this.base ?? "live")}`, {
      onMessage: (message) => this.#take(message),
      onState: (state, why) => this.#link(state, why),
    }, other);
    this.desk = stream(() => `${path}/desk`, {
      onMessage: (message) => message.type === "desk" && events.onDesk(message.calls),
      onState: () => {},
    }, other);
  }

  /** A call begins: what came before its first alert need not be read again. @param {string} callId */
  begin(callId) {
    this.base = this.before.has(callId) ? (this.before.get(callId) ?? null) : (this.cursor ?? this.base);
    this.#keep();
  }

  /** A supervisor's word was read. @param {string} helpId */
  read(helpId) {
    this.#send(helpId, { type: "read", help_id: helpId });
  }

  /** Answers to an alert; sent again until the server has it. @param {{type: string, alert_id: string, reason?: string, started_at?: string}} answer */
  answer(answer) {
    if (answer.type === "seen" || answer.type === "dismiss") {
      this.handled.set(answer.alert_id, answer.type);
      trim(this.handled, HANDLED_MAX);
      this.#keep();
    }
    this.#send(answer.alert_id, answer);
  }

  /** @param {string} id @param {object} answer */
  #send(id, answer) {
    this.pending.delete(id);
    this.pending.set(id, answer);
    trim(this.pending, PENDING_MAX);
    this.alerts.send(answer);
  }

  close() {
    clearTimeout(this.quiet);
    this.alerts.close();
    this.desk.close();
  }

  /** @param {any} message */
  #take(message) {
    if (message.type === "alert") {
      if (!this.before.has(message.call_id)) {
        this.before.set(message.call_id, this.cursor ?? this.base);
        trim(this.before, CALLS_MAX);
      }
      this.events.onAlert(message, this.handled.get(message.alert_id) ?? null);
      this.cursor = message.cursor ?? this.cursor;
      if (this.quiet !== undefined) {
        this.#awaitQuiet();
      }
      return;
    }
    if (message.type === "noted") {
      this.pending.delete(message.alert_id ?? message.help_id);
    } else if (message.type === "error") {
      // Answers are taken in their order; one that is refused is refused again.
      const [first] = this.pending.keys();
      this.pending.delete(first);
    }
    this.events.onNotice(message);
  }

  /** @param {"connecting" | "open" | "closed" | "over" | "refused"} state @param {string} [why] */
  #link(state, why) {
    clearTimeout(this.quiet);
    this.quiet = undefined;
    if (state !== "open") {
      // A connection that broke and is being made anew has not been connected in between.
      const isBroken = state === "over" || (state === "connecting" && this.wasOpen);
      this.events.onLink(isBroken ? "closed" : /** @type {Link} */ (state), why);
      return;
    }
    for (const answer of this.pending.values()) {
      this.alerts.send(answer);
    }
    if (this.wasOpen) {
      this.events.onLink("catching-up");
      this.#awaitQuiet();
    } else {
      this.wasOpen = true;
      this.events.onLink("open");
    }
  }

  #awaitQuiet() {
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => {
      this.quiet = undefined;
      this.events.onLink("open");
    }, QUIET_MS);
  }

  #keep() {
    try {
      sessionStorage.setItem(this.key, JSON.stringify({ base: this.base, handled: [...this.handled] }));
    } catch {
      // Then a reload begins with the call in progress.
    }
  }
}

/** @param {string} key @returns {{base: string | null, handled: [string, "seen" | "dismiss"][]}} */
function read(key) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(key) ?? "{}");
    return { base: kept.base ?? null, handled: Array.isArray(kept.handled) ? kept.handled : [] };
  } catch {
    return { base: null, handled: [] };
  }
}

/** Forgets the oldest beyond `count`. @param {Map<string, any>} map @param {number} count */
function trim(map, count) {
  for (const key of map.keys()) {
    if (map.size <= count) {
      return;
    }
    map.delete(key);
  }
}
