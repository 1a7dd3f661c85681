// The calls of the wall: what the stream tells, which of them are wanted, and
// in which order they stand. It draws nothing and reads no clock.
//
// While the reader's pointer or keys move in the list, the order is held: rows
// change where they stand, new ones come at the end, and those that are over
// stay. Nothing jumps under the cursor; how many critical ones came meanwhile is
// told.

/** A silence that a supervisor should know of. */
export const LONG_SILENCE_MS = 15_000;
/** A call from which no words have come for so long may be over, and nobody said so: it stands behind the others. */
export const STALE_MS = 60_000;
/** A change of a row is marked for so long. */
export const MARKED_MS = 10_000;
/** An order that grew beyond this many rows is no longer held. */
const HELD_MAX = 5_000;
/** The server halves what an alert weighs as often. */
const HALF_LIFE_MS = 60_000;
/** Half of what an alert of a severity weighs: from there on a call is as bad as that now. */
const HEATS = /** @type {const} */ ([["critical", 4.5], ["warning", 1.5], ["info", 0.5]]);
const RANKS = { critical: 3, warning: 2, info: 1, none: 0 };

/**
 * A call as the stream tells it; `told` is when, `isOver` that it is gone, `marked` when its worst alerts last grew.
 * @typedef {object} Row
 * @property {string} call_id
 * @property {string} agent_id
 * @property {string | null} agent_name
 * @property {string | null} team
 * @property {string | null} site
 * @property {string | null} queue
 * @property {string | null} [customer_name]
 * @property {"voice" | "chat"} [channel]
 * @property {string} started_at
 * @property {boolean} asr_silent no words come from the recogniser
 * @property {number} clock_ms
 * @property {boolean} running
 * @property {"talking" | "silent" | "hold" | "ended"} state
 * @property {"agent" | "customer" | null} speaker
 * @property {number} state_ms
 * @property {{critical: number, warning: number, info: number}} alerts
 * @property {"critical" | "warning" | "info" | null} worst
 * @property {number} heat
 * @property {{rule_name: string, severity: "critical" | "warning" | "info", message: string, at_ms: number} | null} last_alert
 * @property {{rule_name: string, severity: "critical" | "warning" | "info", message: string, at_ms: number} | null} [reason] the alert that makes it as bad now as it is
 * @property {number} owed
 * @property {number} told
 * @property {number} marked
 * @property {boolean} isOver
 */
/** What supervisors did in a call. @typedef {import("../shared/hand.js").Hand & {call_id: string, started_at: string}} Hand */

/** @param {Row} row @param {number} now */
export function clockOf(row, now) {
  return row.clock_ms + (row.running && !row.isOver ? Math.max(0, now - row.told) : 0);
}

/** For how long its state has lasted. @param {Row} row @param {number} now */
export function lastedOf(row, now) {
  return row.state_ms + (row.running && !row.isOver ? Math.max(0, now - row.told) : 0);
}

/** How bad it is now: alerts weigh less as time passes, and many lesser ones are no graver one. @param {Row} row @param {number} now @returns {"critical" | "warning" | "info" | null} */
export function worstNow(row, now) {
  const heat = (row.heat ?? 0) * 2 ** (-(clockOf(row, now) - row.clock_ms) / HALF_LIFE_MS);
  const gravest = RANKS[reasonOf(row)?.severity ?? row.worst ?? "none"];
  return HEATS.find(([severity, least]) => heat >= least && RANKS[severity] <= gravest)?.[0] ?? null;
}

/** What makes it as bad as it is; of a server that does not say so, the latest alert. @param {Row} row */
export function reasonOf(row) {
  return row.reason === undefined ? row.last_alert : row.reason;
}

/** @param {Row} row @param {number} now */
export function isLongSilent(row, now) {
  return row.state === "silent" && row.channel !== "chat" && !row.asr_silent && lastedOf(row, now) >= LONG_SILENCE_MS;
}

/** @param {Row} row @param {number} now */
export function isStale(row, now) {
  return row.asr_silent && lastedOf(row, now) >= STALE_MS;
}

/** In progress: not over, nor about to be closed. @param {Row} row */
export function isLive(row) {
  return !row.isOver && row.state !== "ended";
}

/** Whether its worst alerts grew just now. @param {Row} row @param {number} now */
export function isMarked(row, now) {
  return now - row.marked < MARKED_MS;
}

export class Wall {
  constructor() {
    /** @type {Map<string, Row>} */
    this.calls = new Map();
    /** Those that a snapshot in several frames has named so far. @type {Set<string> | null} */
    this.snapshot = null;
    /** What is shown, in its order. @type {Row[]} */
    this.shown = [];
    /** The critical alerts of what was shown when the order began to be held, by call. @type {Map<string, number> | null} */
    this.atHold = null;
    /** Calls with critical alerts that came since then. */
    this.news = 0;
    /** By call. @type {Map<string, Hand>} */
    this.hands = new Map();
    /** The ways into a call that the telephone system offers. @type {string[]} */
    this.modes = [];
  }

  /** A frame of the stream; the calls in which critical alerts came. @param {any} frame @param {number} now */
  take(frame, now) {
    if (frame.snapshot) {
      this.snapshot ??= new Set();
    }
    // An id that is gone may be that of a new call in the same frame.
    for (const callId of frame.gone) {
      const row = this.calls.get(callId);
      if (row !== undefined) {
        this.calls.set(callId, { ...row, clock_ms: clockOf(row, now), state_ms: lastedOf(row, now), isOver: true });
      }
    }
    /** @type {Row[]} */
    const fresh = [];
    for (const call of frame.calls) {
      const before = this.#before(call);
      const grew = (/** @type {"critical" | "warning"} */ severity) => !frame.snapshot && call.alerts[severity] > (before?.alerts[severity] ?? 0);
      const marked = grew("critical") || grew("warning") ? now : before?.marked ?? -Infinity;
      const row = { ...call, clock_ms: this.#clockFrom(call, now), told: now, marked, isOver: false };
      this.calls.set(call.call_id, row);
      if (grew("critical")) {
        fresh.push(row);
      }
      this.snapshot?.add(call.call_id);
    }
    if (this.snapshot !== null && !frame.more) {
      for (const [callId, row] of this.calls) {
        if (!this.snapshot.has(callId)) {
          this.calls.set(callId, { ...row, isOver: true });
        }
      }
      this.snapshot = null;
    }
    return fresh;
  }

  /** What supervisors did in the calls in progress. @param {{hands: Hand[], monitor: string[]}} message */
  takeHands({ hands, monitor }) {
    this.hands = new Map(hands.map((hand) => [hand.call_id, hand]));
    this.modes = monitor;
  }

  /** The row of the same call, if it was told before. @param {Row} call */
  #before(call) {
    const before = this.calls.get(call.call_id);
    return before !== undefined && !before.isOver && before.started_at === call.started_at ? before : undefined;
  }

  /** A server that was started again goes on from the last event: what was shown does not go back. @param {Row} call @param {number} now */
  #clockFrom(call, now) {
    const before = this.#before(call);
    return call.running && before?.running ? Math.max(call.clock_ms, clockOf(before, now)) : call.clock_ms;
  }

  /**
   * Puts in order what is wanted. `isHeld`: as it stood, and what is new at the end. `by`: the worst now, or since the beginning.
   * @param {(row: Row) => boolean} isWanted @param {boolean} isHeld @param {number} now @param {"now" | "ever"} [by]
   */
  arrange(isWanted, isHeld, now, by = "now") {
    if (!isHeld || this.shown.length > HELD_MAX) {
      for (const [callId, row] of this.calls) {
        if (row.isOver) {
          this.calls.delete(callId);
        }
      }
      this.shown = sorted([...this.calls.values()].filter(isWanted), now, by);
      this.atHold = null;
      this.news = 0;
      return this.shown;
    }
    this.atHold ??= new Map(this.shown.map((row) => [row.call_id, row.alerts.critical]));
    const stood = new Set(this.shown.map((row) => row.call_id));
    const stay = this.shown.map((row) => this.calls.get(row.call_id) ?? row);
    const come = [...this.calls.values()].filter((row) => !stood.has(row.call_id) && !row.isOver && isWanted(row));
    this.shown = come.length === 0 ? stay : [...stay, ...sorted(come, now, by)];
    this.news = this.shown.filter((row) => isLive(row) && row.alerts.critical > (this.atHold?.get(row.call_id) ?? 0)).length;
    return this.shown;
  }

  /** What stands above the list, of the calls in question. @param {number} now @param {(row: Row) => boolean} [isMeant] */
  counts(now, isMeant = () => true) {
    const counts = { calls: 0, critical: 0, warning: 0, hold: 0, silent: 0, unheard: 0 };
    for (const row of this.calls.values()) {
      if (isLive(row) && isMeant(row)) {
        counts.calls += 1;
        counts.critical += row.worst === "critical" ? 1 : 0;
        counts.warning += row.worst === "warning" ? 1 : 0;
        counts.hold += row.state === "hold" ? 1 : 0;
        counts.silent += isLongSilent(row, now) ? 1 : 0;
        counts.unheard += row.asr_silent ? 1 : 0;
      }
    }
    return counts;
  }
}

/**
 * By whether it is heard of, by how bad it is now (unless all that came since the beginning is asked for), by severity,
 * by how much of it, then by age; ids decide last, so that it is an order.
 * @param {Row[]} rows @param {number} now @param {"now" | "ever"} by
 */
function sorted(rows, now, by) {
  const ranked = rows.map((row) => ({ row, isStale: isStale(row, now), now: by === "now" ? RANKS[worstNow(row, now) ?? "none"] : 0 }));
  ranked.sort((one, other) => {
    const [a, b] = [one.row, other.row];
    return Number(one.isStale) - Number(other.isStale) ||
      other.now - one.now ||
      RANKS[b.worst ?? "none"] - RANKS[a.worst ?? "none"] ||
      b.alerts.critical - a.alerts.critical ||
      b.alerts.warning - a.alerts.warning ||
      b.alerts.info - a.alerts.info ||
      Number(b.state === "hold") - Number(a.state === "hold") ||
      (a.started_at < b.started_at ? -1 : a.started_at > b.started_at ? 1 : a.call_id < b.call_id ? -1 : 1);
  });
  return ranked.map(({ row }) => row);
}

/** Whether a row has the words that are looked for. @param {Row} row @param {string} words in lower case */
export function hasWords(row, words) {
  return words === "" || [row.agent_id, row.agent_name, row.team, row.site, row.call_id, row.queue, row.customer_name, row.reason?.rule_name, row.reason?.message, row.last_alert?.rule_name, row.last_alert?.message]
    .some((text) => text?.toLowerCase().includes(words));
}
