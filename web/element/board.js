// What stands on an agent's panel: the calls, the cards and the places they
// have. It draws nothing, holds no connection and reads no clock: `now` is an
// argument, in milliseconds of whatever clock the caller uses throughout.
//
// A card keeps its place as long as it is shown. A new one takes a free place,
// or that of the card which matters least; never that of one which came just
// now or which the agent points at. So nothing moves that is being read
// (docs/adr/0012-pages.md).

import { moment } from "../shared/format.js";

/** A retracted or resolved card says so for this long, then its place is empty. */
export const LEAVES_AFTER_MS = 5_000;
/** A card is being read for so long after it came. */
const READ_MS = 6_000;
/** A graver one that is confirmed may take its place after this. */
const GLANCE_MS = 1_500;
/** More alerts than anybody looks at in one call; the oldest go. */
const CARDS_MAX = 200;
const RANKS = { info: 0, warning: 1, critical: 2 };

/**
 * @typedef {object} Evidence
 * @property {string} utterance_id
 * @property {string} role
 * @property {string} text
 * @property {number} start
 * @property {number} end
 */
/**
 * An alert as the server sends it.
 * @typedef {object} Alert
 * @property {string} alert_id
 * @property {"provisional" | "confirmed" | "retracted" | "reminder" | "resolved"} state
 * @property {string} call_id
 * @property {string} rule_id
 * @property {string} rule_name
 * @property {string} kind
 * @property {"info" | "warning" | "critical"} severity
 * @property {number} at_ms
 * @property {number} [due_ms]
 * @property {string} message
 * @property {string | null} [suggestion]
 * @property {Evidence[]} evidence
 * @property {string} [cursor]
 */
/**
 * @typedef {object} Card
 * @property {Alert} alert its latest state
 * @property {Alert["state"] | null} before the state before that one
 * @property {number} came
 * @property {number | null} leaves when its place becomes empty
 * @property {boolean} waits for a place
 * @property {"seen" | "dismiss" | null} handled
 * @property {string | null} reason why it was dismissed
 */
/**
 * A call as the desk stream tells it.
 * @typedef {object} Call
 * @property {string} call_id
 * @property {string} started_at
 * @property {string | null} [queue]
 * @property {string | null} [customer_name]
 * @property {boolean} [asr_silent] no words come from the recogniser
 * @property {number} clock_ms
 * @property {boolean} running
 * @property {"talking" | "silent" | "hold" | "ended"} state
 * @property {number} silence_ms
 * @property {number} hold_ms
 * @property {number | null} speech_rate
 * @property {Duty[]} checklist
 */
/**
 * What one rule asks of a call.
 * @typedef {object} Duty
 * @property {string} rule_id
 * @property {string} rule_name
 * @property {{name: string, said_at_ms: number | null}[]} parts
 * @property {number | null} due_ms
 * @property {"owed" | "said" | "missed"} state
 * @property {boolean} overdue
 */

export class Board {
  constructor() {
    /** By alert, the oldest first. @type {Map<string, Card>} */
    this.cards = new Map();
    /** What is shown, from the top. @type {(string | null)[]} */
    this.slots = [null];
    /** The calls of the desk, with when they were told. @type {Map<string, Call & {told: number}>} */
    this.calls = new Map();
    /** Whether the desk ever said which calls there are. */
    this.hasDesk = false;
    /** The call that was over last; its cards are kept to be looked at. @type {string | null} */
    this.last = null;
    /** The card that the agent points at or writes a reason for. @type {string | null} */
    this.pinned = null;
    /** The call that the agent wants to see the state of. @type {string | null} */
    this.chosen = null;
  }

  /** The call whose clock, meters and checklist are shown. */
  current() {
    const live = this.live();
    return live.find((call) => call.call_id === this.chosen) ?? live[0];
  }

  /** What tells a call from the agent's others: the customer, else the queue and when it was answered. @param {string} callId */
  nameOf(callId) {
    const call = this.calls.get(callId);
    if (call === undefined) {
      return callId;
    }
    const name = call.customer_name || call.queue || "";
    const isClear = name !== "" && this.live().filter((other) => (other.customer_name || other.queue) === name).length === 1;
    return isClear ? name : `${name} ${moment(call.started_at).slice(11, 16)}`.trim();
  }

  /** The calls in progress. */
  live() {
    return [...this.calls.values()].filter((call) => call.state !== "ended");
  }

  /** A call's own clock, which runs on between two frames. @param {Call & {told: number}} call @param {number} now */
  static clockOf(call, now) {
    return call.clock_ms + (call.running ? Math.max(0, now - call.told) : 0);
  }

  /** The cards of the call that is over. */
  ofLast() {
    return [...this.cards.values()].filter((card) => card.alert.call_id === this.last);
  }

  /** Cards of calls in progress that have no place, the newest first. */
  earlier() {
    const shown = new Set(this.slots);
    return [...this.cards.values()]
      .filter((card) => !shown.has(card.alert.alert_id) && card.alert.call_id !== this.last)
      .reverse();
  }

  /** The card that keys act on. @returns {Card | null} */
  top() {
    const open = this.slots.find((id) => id !== null && this.cards.get(id)?.leaves === null);
    return (open && this.cards.get(open)) || null;
  }

  /**
   * A state of an alert. `handled` is what the agent answered to it before this page was loaded.
   * @param {Alert} alert @param {number} now @param {"seen" | "dismiss" | null} [handled]
   * @returns {Card}
   */
  take(alert, now, handled = null) {
    const isOver = alert.state === "retracted" || alert.state === "resolved";
    let card = this.cards.get(alert.alert_id);
    if (card === undefined) {
      this.#arrive(alert.call_id);
      card = { alert, before: null, came: now, leaves: null, waits: false, handled, reason: null };
      this.cards.set(alert.alert_id, card);
      this.#forget();
      card.waits = !isOver && handled === null && alert.call_id !== this.last;
    } else {
      card.before = card.alert.state;
      card.alert = alert;
      const isShown = this.slots.includes(alert.alert_id);
      if (!isOver && !isShown && card.handled === null && alert.call_id !== this.last) {
        card.waits = true;
      }
    }
    card.leaves = isOver ? now + LEAVES_AFTER_MS : null;
    if (isOver) {
      card.waits = false;
    }
    this.tick(now);
    return card;
  }

  /** An alert of a call that the desk does not list: without a desk it is the call in progress. @param {string} callId */
  #arrive(callId) {
    if (this.calls.has(callId) || callId === this.last) {
      return;
    }
    const others = new Set([...this.cards.values()].map((card) => card.alert.call_id));
    others.delete(callId);
    for (const other of others) {
      if (!this.calls.has(other) && other !== this.last) {
        this.#end(other);
      }
    }
  }

  #forget() {
    for (const id of this.cards.keys()) {
      if (this.cards.size <= CARDS_MAX) {
        return;
      }
      this.#remove(id);
    }
  }

  /** @param {string} id */
  #remove(id) {
    this.cards.delete(id);
    this.slots = this.slots.map((shown) => (shown === id ? null : shown));
  }

  /** How the agent's calls stand. @param {Call[]} calls @param {number} now */
  desk(calls, now) {
    this.hasDesk = true;
    const listed = new Map(calls.map((call) => [call.call_id, { ...call, clock_ms: this.#clockFrom(call, now), told: now }]));
    const known = new Set([...this.calls.keys(), ...[...this.cards.values()].map((card) => card.alert.call_id)]);
    this.calls = listed;
    for (const callId of known) {
      const call = listed.get(callId);
      if ((call === undefined || call.state === "ended") && callId !== this.last) {
        this.#end(callId);
      }
    }
    if (this.last !== null && this.live().some((call) => call.call_id === this.last)) {
      this.last = null;
    }
    this.tick(now);
  }

  /** A server that was started again goes on from the last event: what was shown does not go back. @param {Call} call @param {number} now */
  #clockFrom(call, now) {
    const before = this.calls.get(call.call_id);
    const isSame = call.running && before?.running && before.started_at === call.started_at;
    return isSame ? Math.max(call.clock_ms, Board.clockOf(before, now)) : call.clock_ms;
  }

  /** A call is over: its cards leave their places for the list below. @param {string} callId */
  #end(callId) {
    for (const [id, card] of this.cards) {
      if (card.alert.call_id === this.last) {
        this.#remove(id);
      } else if (card.alert.call_id === callId) {
        card.waits = false;
        this.slots = this.slots.map((shown) => (shown === id ? null : shown));
      }
    }
    this.last = callId;
  }

  /** There is room for so many cards. @param {number} count @param {number} now */
  resize(count, now) {
    const shown = this.slots.filter((id) => id !== null);
    if (count >= this.slots.length) {
      this.slots = [...this.slots, ...Array(count - this.slots.length).fill(null)];
    } else {
      const kept = this.slots.slice(0, count);
      for (const id of this.slots.slice(count)) {
        const free = kept.indexOf(null);
        if (free >= 0) {
          kept[free] = id;
        }
      }
      this.slots = kept;
    }
    for (const id of shown) {
      const card = this.cards.get(id ?? "");
      if (card && !this.slots.includes(id)) {
        card.waits = card.leaves === null;
      }
    }
    this.tick(now);
  }

  /**
   * The agent's answer. As it is the agent who acts, the cards below may move up.
   * @param {string} id @param {"seen" | "dismiss"} action @param {string | null} reason @param {number} now
   */
  handle(id, action, reason, now) {
    const card = this.cards.get(id);
    if (card === undefined) {
      return;
    }
    card.handled = action;
    card.reason = reason;
    card.waits = false;
    if (this.pinned === id) {
      this.pinned = null;
    }
    if (this.slots.includes(id)) {
      const left = this.slots.filter((shown) => shown !== null && shown !== id);
      this.slots = [...left, ...Array(this.slots.length - left.length).fill(null)];
    }
    this.tick(now);
  }

  /** Empties the places of what has gone, and fills them. @param {number} now */
  tick(now) {
    this.slots = this.slots.map((id) => {
      const leaves = id === null ? null : (this.cards.get(id)?.leaves ?? null);
      return leaves !== null && leaves <= now && id !== this.pinned ? null : id;
    });
    const waiting = [...this.cards.values()].filter((card) => card.waits);
    waiting.sort((a, b) => RANKS[b.alert.severity] - RANKS[a.alert.severity] || b.came - a.came);
    for (const card of waiting) {
      const place = this.#place(card, now);
      if (place === null) {
        break;
      }
      const out = this.cards.get(this.slots[place] ?? "");
      if (out) {
        out.waits = false;
      }
      this.slots[place] = card.alert.alert_id;
      card.waits = false;
      card.came = now;
    }
  }

  /** Where `card` may go. @param {Card} card @param {number} now @returns {number | null} */
  #place(card, now) {
    const free = this.slots.indexOf(null);
    if (free >= 0) {
      return free;
    }
    let best = null;
    let least = Infinity;
    this.slots.forEach((id, place) => {
      const shown = this.cards.get(id ?? "");
      if (shown === undefined || id === this.pinned) {
        return;
      }
      const rank = RANKS[shown.alert.severity];
      const isUrgent = rank < RANKS[card.alert.severity] && card.alert.state !== "provisional";
      if (now - shown.came < (isUrgent ? GLANCE_MS : READ_MS)) {
        return;
      }
      // A graver card stays longer before it goes for a lesser one.
      const isProvisional = shown.alert.state === "provisional";
      if (rank > RANKS[card.alert.severity] && !isProvisional && now - shown.came < 3 * READ_MS && shown.leaves === null) {
        return;
      }
      // What goes is what has gone, then what is provisional and lesser, then the oldest.
      const weight = (shown.leaves === null ? 10 : 0) + rank * 2 - (isProvisional ? 3 : 0) + shown.came / 1e15;
      if (weight < least) {
        least = weight;
        best = place;
      }
    });
    return best;
  }
}
