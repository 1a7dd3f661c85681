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
/** An order that grew beyond this many rows is no longer held. */
const HELD_MAX = 5_000;
const RANKS = { critical: 3, warning: 2, info: 1, none: 0 };

/**
 * A call as the stream tells it; `told` is when, `isOver` that it is gone.
 * @typedef {object} Row
 * @property {string} call_id
 * @property {string} agent_id
 * @property {string | null} agent_name
 * @property {string | null} team
 * @property {string | null} queue
 * @property {string} started_at
 * @property {boolean} asr_silent no words come from the recogniser
 * @property {number} clock_ms
 * @property {boolean} running
 * @property {"talking" | "silent" | "hold" | "ended"} state
 * @property {"agent" | "customer" | null} speaker
 * @property {number} state_ms
 * @property {{critical: number, warning: number, info: number}} alerts
 * @property {"critical" | "warning" | "info" | null} worst
 * @property {{rule_name: string, severity: string, message: string, at_ms: number} | null} last_alert
 * @property {number} owed
 * @property {number} told
 * @property {boolean} isOver
 */

/** @param {Row} row @param {number} now */
export function clockOf(row, now) {
  return row.clock_ms + (row.running && !row.isOver ? Math.max(0, now - row.told) : 0);
}

/** For how long its state has lasted. @param {Row} row @param {number} now */
export function lastedOf(row, now) {
  return row.state_ms + (row.running && !row.isOver ? Math.max(0, now - row.told) : 0);
}

/** @param {Row} row @param {number} now */
export function isLongSilent(row, now) {
  return row.state === "silent" && !row.asr_silent && lastedOf(row, now) >= LONG_SILENCE_MS;
}

/** @param {Row} row @param {number} now */
export function isStale(row, now) {
  return row.asr_silent && lastedOf(row, now) >= STALE_MS;
}

/** In progress: not over, nor about to be closed. @param {Row} row */
export function isLive(row) {
  return !row.isOver && row.state !== "ended";
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
  }

  /** A frame of the stream. @param {any} frame @param {number} now */
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
    for (const call of frame.calls) {
      this.calls.set(call.call_id, { ...call, clock_ms: this.#clockFrom(call, now), told: now, isOver: false });
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
  }

  /** A server that was started again goes on from the last event: what was shown does not go back. @param {Row} call @param {number} now */
  #clockFrom(call, now) {
    const before = this.calls.get(call.call_id);
    const isSame = call.running && before?.running && !before.isOver && before.started_at === call.started_at;
    return isSame ? Math.max(call.clock_ms, clockOf(before, now)) : call.clock_ms;
  }

  /**
   * Puts in order what is wanted. `isHeld`: as it stood, and what is new at the end.
   * @param {(row: Row) => boolean} isWanted @param {boolean} isHeld @param {number} now
   */
  arrange(isWanted, isHeld, now) {
    if (!isHeld || this.shown.length > HELD_MAX) {
      for (const [callId, row] of this.calls) {
        if (row.isOver) {
          this.calls.delete(callId);
        }
      }
      this.shown = [...this.calls.values()].filter(isWanted).sort(worstFirst(now));
      this.atHold = null;
      this.news = 0;
      return this.shown;
    }
    this.atHold ??= new Map(this.shown.map((row) => [row.call_id, row.alerts.critical]));
    const stood = new Set(this.shown.map((row) => row.call_id));
    const stay = this.shown.map((row) => this.calls.get(row.call_id) ?? row);
    const come = [...this.calls.values()].filter((row) => !stood.has(row.call_id) && !row.isOver && isWanted(row));
    this.shown = come.length === 0 ? stay : [...stay, ...come.sort(worstFirst(now))];
    this.news = this.shown.filter((row) => isLive(row) && row.alerts.critical > (this.atHold?.get(row.call_id) ?? 0)).length;
    return this.shown;
  }

  /** What stands above the list. @param {number} now */
  counts(now) {
    const counts = { calls: 0, critical: 0, warning: 0, hold: 0, silent: 0, unheard: 0 };
    for (const row of this.calls.values()) {
      if (isLive(row)) {
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
 * By whether it is heard of, by severity, by how much of it, then the latest alert, then by age;
 * ids decide last, so that it is an order.
 * @param {number} now @returns {(a: Row, b: Row) => number}
 */
function worstFirst(now) {
  return (a, b) =>
    Number(isStale(a, now)) - Number(isStale(b, now)) ||
    RANKS[b.worst ?? "none"] - RANKS[a.worst ?? "none"] ||
    b.alerts.critical - a.alerts.critical ||
    b.alerts.warning - a.alerts.warning ||
    b.alerts.info - a.alerts.info ||
    Number(b.state === "hold") - Number(a.state === "hold") ||
    (a.started_at < b.started_at ? -1 : a.started_at > b.started_at ? 1 : a.call_id < b.call_id ? -1 : 1);
}

/** Whether a row has the words that are looked for. @param {Row} row @param {string} words in lower case */
export function hasWords(row, words) {
  return words === "" || [row.agent_id, row.agent_name, row.team, row.call_id, row.queue, row.last_alert?.rule_name, row.last_alert?.message]
    .some((text) => text?.toLowerCase().includes(words));
}
