// What stands on an agent's panel: the calls and their alerts, one of them large.
// It draws nothing, holds no connection and reads no clock: `now` is an argument,
// in milliseconds of whatever clock the caller uses throughout.
//
// One card is large: the gravest of those that came last. It gives way only to
// one that came after it, and never while it is being read or pointed at. What
// was said a minute ago is no longer to be corrected and steps back into the
// lines; a required phrase that is still owed is not (docs/adr/0012-pages.md).

import { moment } from "../shared/format.js";

/** A retracted or resolved card says so for this long. */
export const LEAVES_AFTER_MS = 5_000;
/** What was said longer ago, on the call's clock, steps back. */
export const STALE_MS = 60_000;
/** Keys act on a card that has been large for so long: nobody meant one that they have not seen. */
export const ARMED_MS = 600;
/** A card is being read for so long after it became large. */
const READ_MS = 6_000;
/** A graver one that is confirmed may take its place after this. */
const GLANCE_MS = 1_500;
/** A resting pointer, or the focus, holds a card for so long. */
const PIN_MS = 10_000;
/** One step of severity is worth so much age. */
const STEP_MS = 20_000;
/** How long the calls' clocks are awaited, without which nobody knows what is too old to be large. */
const DESK_MS = 2_000;
/** A hypothesis is worth so much less than what is settled. */
const DOUBT_MS = 10_000;
/** A supervisor's word is worth so much more than any alert. */
const WORD_MS = 600_000;
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
 * @property {string} [by] who wrote it, if it is a supervisor's word
 */
/**
 * @typedef {object} Card
 * @property {Alert} alert its latest state
 * @property {Alert["state"] | null} before the state before that one
 * @property {number} came
 * @property {number | null} leaves when it no longer says why it has gone
 * @property {boolean} recalled the agent asked for it again
 * @property {boolean} unread it came while another call was shown
 * @property {"seen" | "dismiss" | null} handled
 * @property {string | null} reason why it was dismissed
 * @property {{by: string | null, at: string | null} | null} [answered] who answered it, and when, if another connection did
 */
/**
 * A call as the desk stream tells it.
 * @typedef {object} Call
 * @property {string} call_id
 * @property {string} started_at
 * @property {"voice" | "chat"} [channel]
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
 * @property {string} [severity]
 * @property {string | null} [say] the words that the rule suggests
 * @property {boolean} [in_order] the parts are steps, one after the other
 * @property {{name: string, say?: string | null, optional?: boolean, said_at_ms: number | null}[]} parts
 * @property {number | null} due_ms
 * @property {"owed" | "said" | "missed"} state
 * @property {boolean} overdue
 */

export class Board {
  constructor() {
    /** By alert, the oldest first. @type {Map<string, Card>} */
    this.cards = new Map();
    /** The alert that is large. @type {string | null} */
    this.focus = null;
    /** Since when it is. */
    this.since = 0;
    /** The calls of the desk in the order in which they came, with when they were told. @type {Map<string, Call & {told: number}>} */
    this.calls = new Map();
    /** Whether the desk ever said which calls there are. */
    this.hasDesk = false;
    /** When the first alert came. @type {number | null} */
    this.began = null;
    /** The call that was over last; its cards are kept to be looked at. @type {string | null} */
    this.last = null;
    /** The card that the agent points at, and since when. @type {{id: string, at: number} | null} */
    this.pinned = null;
    /** The card that the agent writes a reason for. @type {string | null} */
    this.asked = null;
    /** The call that is shown; it stays until the agent chooses another, it is over, or no words come from it while another goes on. @type {string | null} */
    this.chosen = null;
    /** The call from which no words come, and that the agent chose all the same. @type {string | null} */
    this.insisted = null;
  }

  /** The call that is shown. */
  current() {
    const live = this.live();
    return live.find((call) => call.call_id === this.chosen) ?? live[0];
  }

  /** Shows the call that the agent chose. @param {string} callId @param {number} now */
  choose(callId, now) {
    this.insisted = this.calls.get(callId)?.asr_silent ? callId : null;
    this.#show(callId, now);
  }

  /** Shows a call; what came in it meanwhile is no longer unread. @param {string} callId @param {number} now */
  #show(callId, now) {
    this.chosen = callId;
    for (const card of this.cards.values()) {
      card.unread &&= card.alert.call_id !== callId;
    }
    this.tick(now);
  }

  /** What came in a call while another was shown: how many, and the gravest. @param {string} callId */
  unread(callId) {
    const cards = [...this.cards.values()].filter((card) => card.unread && card.alert.call_id === callId);
    const worst = cards.reduce((/** @type {Alert["severity"]} */ worst, { alert }) => (RANKS[alert.severity] > RANKS[worst] ? alert.severity : worst), "info");
    return { count: cards.length, worst };
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
    return [...this.cards.values()].filter((card) => card.alert.call_id === this.last && !isWord(card));
  }

  /** The cards of the call that is shown, without the large one. */
  others() {
    return [...this.cards.values()].filter((card) => this.#isHere(card) && card.alert.alert_id !== this.focus);
  }

  /** The large card. @returns {Card | null} */
  top() {
    return (this.focus !== null && this.cards.get(this.focus)) || null;
  }

  /** The card that keys act on: the large one, once it could be seen. @param {number} now @returns {Card | null} */
  armed(now) {
    const top = this.top();
    return top !== null && top.leaves === null && now - this.since >= ARMED_MS ? top : null;
  }

  /** Whether it is too late to put right what was said. @param {Card} card @param {number} now */
  isStale(card, now) {
    return !card.recalled && !isOwed(card) && !isWord(card) && this.#age(card, now) > STALE_MS;
  }

  /** Whether a card waits to be looked at. @param {Card} card @param {number} now */
  isOpen(card, now) {
    return card.leaves === null && card.handled === null && !this.isStale(card, now);
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
      if (!this.hasDesk && !this.#awaitsDesk(now)) {
        this.#arrive(alert.call_id);
      }
      card = { alert, before: null, came: now, leaves: null, recalled: false, unread: false, handled, reason: null };
      this.cards.set(alert.alert_id, card);
      this.#forget();
      card.unread = !isOver && handled === null && alert.call_id !== this.last && !this.#isHere(card);
    } else {
      card.before = card.alert.state;
      card.alert = alert;
    }
    card.leaves = isOver ? now + LEAVES_AFTER_MS : null;
    card.unread &&= !isOver;
    this.tick(now);
    return card;
  }

  /** Without a desk, the call that the latest alert is of is the one in progress. @param {string} callId */
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
      this.cards.delete(id);
    }
  }

  /** Whether the desk may still say which calls there are. @param {number} now */
  #awaitsDesk(now) {
    return !this.hasDesk && (this.began === null || now - this.began < DESK_MS);
  }

  /** How the agent's calls stand. @param {Call[]} calls @param {number} now */
  desk(calls, now) {
    this.hasDesk = true;
    const listed = new Set(this.calls.keys());
    const told = new Map(calls.map((call) => [call.call_id, { ...call, clock_ms: this.#clockFrom(call, now), told: now }]));
    // Those that were there keep their places; a new one comes last.
    const inOrder = [...this.calls.keys()].filter((callId) => told.has(callId));
    // An alert may be here before the desk lists its call.
    const settled = [...this.cards.values()].filter((card) => now - card.came >= DESK_MS);
    const known = new Set([...this.calls.keys(), ...settled.map((card) => card.alert.call_id)]);
    this.calls = new Map([...new Set([...inOrder, ...told.keys()])].map((callId) => [callId, /** @type {any} */ (told.get(callId))]));
    for (const callId of known) {
      const call = told.get(callId);
      if ((call === undefined || call.state === "ended") && callId !== this.last) {
        this.#end(callId);
      }
    }
    const live = this.live();
    if (this.last !== null && live.some((call) => call.call_id === this.last)) {
      this.last = null;
    }
    if (!this.calls.get(this.insisted ?? "")?.asr_silent) {
      this.insisted = null;
    }
    if (live.length > 0 && !live.some((call) => call.call_id === this.chosen)) {
      this.#show((live.find((call) => !call.asr_silent) ?? live[0]).call_id, now);
    }
    // What came before the desk listed its call waits in that call's tab.
    for (const card of this.cards.values()) {
      const { call_id: callId } = card.alert;
      card.unread ||= !listed.has(callId) && this.calls.has(callId) && callId !== this.last && this.isOpen(card, now) && !this.#isHere(card);
    }
    this.tick(now);
  }

  /** A server that was started again goes on from the last event: what was shown does not go back. @param {Call} call @param {number} now */
  #clockFrom(call, now) {
    const before = this.calls.get(call.call_id);
    const isSame = call.running && before?.running && before.started_at === call.started_at;
    return isSame ? Math.max(call.clock_ms, Board.clockOf(before, now)) : call.clock_ms;
  }

  /** A call is over: its cards go to the list below. @param {string} callId */
  #end(callId) {
    for (const [id, card] of this.cards) {
      if (card.alert.call_id === this.last) {
        this.cards.delete(id);
      } else if (card.alert.call_id === callId) {
        card.unread = false;
      }
    }
    this.last = callId;
  }

  /** Makes a card large because the agent asked for it. @param {string} id @param {number} now */
  recall(id, now) {
    const card = this.cards.get(id);
    if (card !== undefined && card.leaves === null && card.handled === null) {
      card.recalled = true;
      this.focus = id;
      this.since = now;
    }
  }

  /**
   * The agent's answer; `answered`: given in another connection.
   * @param {string} id @param {"seen" | "dismiss"} action @param {string | null} reason @param {number} now @param {Card["answered"]} [answered]
   */
  handle(id, action, reason, now, answered = null) {
    const card = this.cards.get(id);
    if (card === undefined) {
      return;
    }
    card.handled = action;
    card.reason = reason;
    card.answered = answered ?? card.answered;
    card.unread = false;
    this.tick(now);
  }

  /** Decides which card is large. @param {number} now */
  tick(now) {
    this.began ??= now;
    if (this.#awaitsDesk(now)) {
      return;
    }
    const alive = this.#alive(now);
    if (alive !== undefined) {
      this.#show(alive.call_id, now);
      return;
    }
    const top = this.top();
    const isPinned = this.#isPinned(now);
    const stays = top !== null && this.#isHere(top) && top.handled === null
      && (isPinned || (!this.isStale(top, now) && (top.leaves === null || top.leaves > now)));
    const open = [...this.cards.values()].filter((card) => card !== top && this.#isHere(card) && this.isOpen(card, now));
    const best = open.reduce((/** @type {Card | null} */ best, card) => (best === null || this.#weight(card, now) >= this.#weight(best, now) ? card : best), null);
    if (!stays || top === null) {
      this.#enlarge(best, now);
    } else if (best !== null && !isPinned && this.#mayPass(best, top, now)) {
      this.#enlarge(best, now);
    }
  }

  /** @param {Card | null} card @param {number} now */
  #enlarge(card, now) {
    this.focus = card?.alert.alert_id ?? null;
    this.since = now;
  }

  /** Whether a card may take the place of the large one. @param {Card} card @param {Card} top @param {number} now */
  #mayPass(card, top, now) {
    const isGone = top.leaves !== null;
    const isGraver = RANKS[card.alert.severity] > RANKS[top.alert.severity] && card.alert.state !== "provisional";
    const isUrgent = isWord(card) || (isGraver && !isWord(top));
    const isRead = now - this.since >= (isGone || isUrgent ? GLANCE_MS : READ_MS);
    // A word that was read gives way to what is critical, and comes back when that is answered.
    const outweighs = isWord(top) && !isWord(card)
      ? isGraver && card.alert.severity === "critical"
      : this.#weight(card, now) > this.#weight(top, now);
    return isRead && (isGone || (card.came >= this.since && outweighs));
  }

  /**
   * The call for which the one that is shown steps back: no words come from that one, so it may be over without anybody
   * having said so. The agent may insist on it, or be busy with its card.
   * @param {number} now
   */
  #alive(now) {
    const shown = this.current();
    if (!shown?.asr_silent || this.insisted === shown.call_id || this.#isPinned(now)) {
      return undefined;
    }
    return this.live().findLast((call) => !call.asr_silent && call.state !== "hold");
  }

  /** @param {number} now */
  #isPinned(now) {
    return this.focus !== null && (this.asked === this.focus || (this.pinned?.id === this.focus && now - this.pinned.at < PIN_MS));
  }

  /** Whether a card is of the call that is shown. @param {Card} card */
  #isHere({ alert }) {
    const call = this.current();
    return call === undefined ? alert.call_id !== this.last : alert.call_id === call.call_id;
  }

  /** How long ago it was said; how long it is owed. @param {Card} card @param {number} now */
  #age(card, now) {
    const call = this.calls.get(card.alert.call_id);
    const since = isOwed(card) || call === undefined ? now - card.came : Board.clockOf(call, now) - card.alert.at_ms;
    return Math.max(0, since);
  }

  /** @param {Card} card @param {number} now */
  #weight(card, now) {
    const more = isWord(card) ? WORD_MS : card.alert.state === "provisional" ? -DOUBT_MS : 0;
    return RANKS[card.alert.severity] * STEP_MS - this.#age(card, now) + more;
  }
}

/** Whether a card is a supervisor's word to the agent. @param {Card} card */
export function isWord({ alert }) {
  return alert.kind === "help";
}

/** Whether a card asks for words that are still to be said. @param {Card} card */
function isOwed({ alert }) {
  return alert.state === "reminder" || (alert.kind === "missing" && alert.state === "confirmed");
}

/**
 * The words to say for a duty now: the next step's, else those that the rule suggests.
 * @param {Duty} duty @returns {string | null}
 */
export function wordsFor(duty) {
  const next = duty.parts.find((part) => part.said_at_ms === null && !part.optional);
  // A part that is named by its phrase says enough.
  const ofPart = next?.say && next.say !== next.name ? next.say : null;
  if (duty.in_order) {
    return ofPart;
  }
  const isBegun = duty.parts.some((part) => part.said_at_ms !== null);
  return (isBegun ? (ofPart ?? duty.say) : (duty.say ?? ofPart)) ?? null;
}

/** How soon a duty is due if it is what to say next. */
const NEXT_MS = 120_000;

/** The duty to be met next: the steps of what was begun, or what is due soon. @param {Duty[]} duties @param {number} at the call's clock */
export function nextDuty(duties, at) {
  const owed = duties.filter((duty) => duty.state === "owed" && wordsFor(duty) !== null);
  const soon = owed.filter((duty) => duty.due_ms !== null && duty.due_ms - at < NEXT_MS);
  soon.sort((a, b) => (a.due_ms ?? 0) - (b.due_ms ?? 0));
  return soon[0] ?? owed.find((duty) => duty.in_order) ?? null;
}
